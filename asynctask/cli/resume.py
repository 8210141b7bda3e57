"""``asynctask resume``: complete a run that was broken off."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import given
from asynctask.cli.past.words import RunCommand, again_options

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask resume                    the last run
  asynctask resume 12 --again         also where the command had been started
"""


@click.command(
    name="resume",
    cls=RunCommand,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option(
    "--again", is_flag=True, help="Also on nodes where it was started, and nobody knows whether to its end."
)
@click.option(
    "--force", is_flag=True, help="Also if it cannot be told from here whether the run still goes on."
)
@again_options
@click.argument("run", default="last", metavar="[ID]")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    run: str,
    again: bool,
    force: bool,
    variables: tuple[str, ...],
    **_others: Any,
) -> None:
    """Complete a run: run its command on the nodes where it was never started.

    It was interrupted, or its process was killed. ID is the number of a run, "last", which is the default, or
    -2 for the last but one. No node gets the command twice: those where it was started and nobody knows
    whether to its end are named, and left out unless --again asks for them. What comes of it is added to the
    record of the run.
    """
    from asynctask.cli.past.going import resume

    raise click.exceptions.Exit(resume(run, given(ctx), variables, again=again, force=force))
