"""``asynctask restart``: stop processes and start new ones."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)


@click.command(name="restart", context_settings=CONTEXT)
@place_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(*, names: tuple[str, ...], file: str | None, socket: str | None, as_json: bool) -> None:
    """Stop the processes of templates, of all without a NAME, and start new ones.

    A NAME may be a pattern; all processes of a template are restarted. For a moment nothing runs;
    "asynctask reload NAME" does it without a gap. The exit status is 1 when a process does not run then.
    """
    from asynctask.cli.controlling.doing import tell

    with connect(file, socket) as client:
        restarted = client.call("restart", {"names": list(names)})["names"]
        status = tell(client, restarted, as_json=as_json, running=True)
    raise click.exceptions.Exit(status)
