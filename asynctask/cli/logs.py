"""``asynctask logs``: what processes print, and printed."""

from __future__ import annotations

from functools import partial

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask logs                       the last lines of all
  asynctask logs -f -n 0 web 'db*'     what these print from now on
  asynctask logs --stream stderr --json
"""
#: Lines of the past that are shown.
_LINES = 100


@click.command(name="logs", context_settings=CONTEXT, epilog=_EXAMPLES)
@partial(place_options, short=())
@click.option("-f", "--follow", is_flag=True, help="Go on with what is printed, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 100_000),
    default=_LINES,
    metavar="N",
    help=f"So many of the last lines first, if they are kept. [default: {_LINES}]",
)
@click.option("--stream", metavar="NAME", help="Only of this stream: stdout, stderr or a custom one.")
@click.option("-T", "--timestamps", is_flag=True, help="The time in front of each line.")
@click.option("-N", "no_label", is_flag=True, help="No name in front of each line.")
@click.option(
    "--color",
    type=click.Choice(["never", "always", "auto"]),
    default="auto",
    help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each line.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(
    *,
    names: tuple[str, ...],
    file: str | None,
    socket: str | None,
    follow: bool,
    lines: int,
    stream: str | None,
    timestamps: bool,
    no_label: bool,
    color: str,
    as_json: bool,
) -> None:
    """Show what processes have printed lately.

    A NAME is that of a template, or a pattern; without, all are shown. The manager keeps the last 256 KiB of
    each template.
    """
    from asynctask.cli.controlling.following import Look, follow_output

    look = Look(timestamps=timestamps, label=not no_label, color=color, as_json=as_json)
    params = {"names": list(names), "lines": lines, "follow": follow, "stream": stream}
    with connect(file, socket) as client:
        follow_output(client, params, look)
