"""``asynctask stop``: stop processes."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)


@click.command(name="stop", context_settings=CONTEXT)
@place_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(*, names: tuple[str, ...], file: str | None, socket: str | None, as_json: bool) -> None:
    """Stop the processes of templates, of all without a NAME, and wait until they are gone.

    A NAME may be a pattern, or a single process as "asynctask ps" lists it: web.2 stays stopped until its
    template is started again. The manager itself goes on; TERM ends it, and "asynctask status" tells its pid.
    """
    from asynctask.cli.controlling.doing import processes_named, tell

    with connect(file, socket) as client:
        templates, processes = processes_named(client, names)
        stopped = [each["name"] for each in processes]
        for each in processes:
            client.call("stop_process", {"pid": each["pid"]})
        if templates or not names:
            stopped += client.call("stop", {"names": templates})["names"]
        tell(client, list(dict.fromkeys(stopped)), as_json=as_json, running=False)
