"""``asynctask start``: have processes run."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)


@click.command(name="start", context_settings=CONTEXT)
@place_options
@click.option("--no-wait", is_flag=True, help="Do not wait until they are ready.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(
    *, names: tuple[str, ...], file: str | None, socket: str | None, no_wait: bool, as_json: bool
) -> None:
    """Start the processes of templates, of all without a NAME, and wait until they are ready.

    A NAME may be a pattern. What was given up, or waits to be tried again, is tried at once. The exit status
    is 1 when a process does not run then.
    """
    from asynctask.cli.controlling.doing import tell

    with connect(file, socket) as client:
        started = client.call("start", {"names": list(names), "wait": not no_wait})["names"]
        status = tell(client, started, as_json=as_json, running=not no_wait)
    raise click.exceptions.Exit(status)
