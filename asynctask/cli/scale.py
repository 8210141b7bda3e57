"""``asynctask scale``: have more processes, or fewer."""

from __future__ import annotations

import re
from typing import Any

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask scale web=4
  asynctask scale web=+1 'worker*=-1'
"""
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}", re.ASCII)


class _Count(click.ParamType):  # type: ignore[type-arg]  # click before 8.4 has none
    """``NAME=N``, ``NAME=+N`` or ``NAME=-N``."""

    name = "count"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, number = str(value).partition("=")
        if not (name and equals and _NUMBER.fullmatch(number)):
            self.fail(f"{value!r}: NAME=N is expected, as web=3, web=+1 or web=-1", param, ctx)
        return name, number


@click.command(name="scale", context_settings=CONTEXT, epilog=_EXAMPLES)
@place_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("counts", nargs=-1, required=True, type=_Count(), metavar="NAME=N...")
def command(
    *, counts: tuple[tuple[str, str], ...], file: str | None, socket: str | None, as_json: bool
) -> None:
    """Have N processes of a template, on each of its nodes; +N more, or -N fewer.

    A NAME may be a pattern. The number holds until the manager ends, or the file has another. The exit status
    is 1 when a process does not run then.
    """
    from asynctask.cli.controlling.doing import tell
    from asynctask.manager.control.given import matching

    with connect(file, socket) as client:
        loaded = client.call("list")["names"]
        chosen = {name: number for pattern, number in counts for name in matching([pattern], loaded)}
        for name, number in chosen.items():
            client.call("scale", {"name": name, "n": number})
        status = tell(client, list(chosen), as_json=as_json, running=True)
    raise click.exceptions.Exit(status)
