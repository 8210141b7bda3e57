"""``asynctask ps``: the processes of a running manager."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)


@click.command(name="ps", context_settings=CONTEXT)
@place_options
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each process.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(*, names: tuple[str, ...], file: str | None, socket: str | None, as_json: bool) -> None:
    """List the processes of a running manager, and what they take.

    A NAME is that of a template, or a pattern; without, all are listed. PID is the system's; CPU is per cent
    of one core since the look before, MEMORY what is resident, both with all children.
    """
    import json

    from asynctask.cli.controlling.states import process_rows, table
    from asynctask.cli.past.printing import put

    with connect(file, socket) as client:
        processes = client.call("ps", {"names": list(names)})["processes"]
    put([json.dumps(each) for each in processes] if as_json else table(process_rows(processes)))
