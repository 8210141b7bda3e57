"""``asynctask retry``: run a command again where it did not go well."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import given, record_options
from asynctask.cli.past.words import RunCommand, again_options

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask retry                     the last run, where it did not end well
  asynctask retry 12 --unreachable    run 12, where nobody answered
  asynctask retry --failed -f 1 -v    one node at a time
"""


@click.command(
    name="retry",
    cls=RunCommand,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option("--failed", is_flag=True, help="Where the command failed, or could not be started.")
@click.option("--timed-out", is_flag=True, help="Where it timed out.")
@click.option(
    "--unreachable", is_flag=True, help="Where no connection could be made, or the login was refused."
)
@again_options
@record_options
@click.argument("run", default="last", metavar="[ID]")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    run: str,
    failed: bool,
    timed_out: bool,
    unreachable: bool,
    variables: tuple[str, ...],
    **_others: Any,
) -> None:
    """Run the command of an earlier run again, on the nodes where it did not end well.

    ID is the number of a run, "last", which is the default, or -2 for the last but one. Without --failed,
    --timed-out and --unreachable these are all nodes of it that are not known to have ended with exit code 0.
    All else is as it was, the directory too, unless an option says otherwise. It is a new run.
    """
    from asynctask.cli.past import again
    from asynctask.cli.past.going import retry

    outcomes = {
        *(again.FAILED if failed else ()),
        *(again.TIMED_OUT if timed_out else ()),
        *(again.UNREACHABLE if unreachable else ()),
    }
    raise click.exceptions.Exit(retry(run, outcomes, given(ctx), variables))
