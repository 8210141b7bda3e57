"""``asynctask replay``: show a recorded run again."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import output_options
from asynctask.cli.sections import Sectioned

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask run --events -w web[1-20] uptime >run.events
  asynctask replay -b run.events           the same output once, with all who printed it
  asynctask replay --json run.events       an object for each node
  asynctask run --events -w web[1-20] uptime | tee run.events | asynctask replay -
"""


@click.command(
    name="replay",
    cls=Sectioned,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@output_options
@click.option("-s", "--groupsource", metavar="SOURCE", help="Where -r looks groups up.")
@click.option("--real-time", is_flag=True, help="As fast as the run was.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="X times as fast as the run was. [default: as fast as it can be read]",
)
@click.argument("file", type=click.Path(), metavar="FILE")
def command(
    *,
    file: str,
    real_time: bool,
    speed: float | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
    outliers: str | None,
    color: str | None,
    **options: Any,
) -> None:
    """Show a recorded run again, in any display.

    FILE is what asynctask run --events, or --json, has written; - is standard input. With --events everything
    is shown in the order in which it happened, with --json node after node. The exit status is 0; with -S
    that of the run; 1 if the record is damaged or cut off: what is there is shown.
    """
    if options["json"] and options["events"]:
        raise click.UsageError("--json and --events exclude each other: standard output can hold one")
    if real_time and speed is not None:
        raise click.UsageError("--real-time is --speed 1: give one of them")
    from asynctask.cli.replaying import Replay, replay
    from asynctask.cli.request import Request

    verbosity = 0 if quiet else 3 if debug else 2 if verbose else 1
    request = Request(
        targets=(), outliers=outliers or "", color=color or "auto", verbosity=verbosity, **options
    )
    status = replay(Replay(path=file, request=request.ordered(), speed=1.0 if real_time else speed))
    raise click.exceptions.Exit(status)
