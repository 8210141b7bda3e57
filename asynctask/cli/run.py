"""``asynctask run``: run a command on many nodes, or copy files."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import (
    configuration_options,
    control_options,
    copying_options,
    given,
    output_options,
    record_options,
    running_options,
    target_options,
    variable_option,
)
from asynctask.cli.sections import Sectioned

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask run -w web[1-20] uptime             as it comes, a label in front of each line
  asynctask run -w web[1-20] -b uname -r        the same output once, with all who printed it
  asynctask run -g db -S -u 60 'service x status'
  asynctask run -w n[1-9] -R exec ping -c1 %h   here, once for each node
  asynctask run -w web[1-20] -c app.conf --dest /etc
  asynctask run -w web[1-20] --canary 1 --batch 25% --halt soon,fail=2 reboot
"""


class _Command(Sectioned):
    """Options end at the first word of the command; beside files to copy they go on, as clush has it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, list(args))
        if ctx.params["copy"] or ctx.params["rcopy"]:
            ctx.params.clear()
            ctx.args, ctx._protected_args = [], []
            ctx.allow_interspersed_args = True
            rest = super().parse_args(ctx, args)
        return rest


@click.command(
    name="run",
    cls=_Command,
    context_settings={"help_option_names": ["--help", "-h"], "allow_interspersed_args": False},
    epilog=_EXAMPLES,
)
@target_options
@running_options
@variable_option
@copying_options
@output_options
@control_options
@record_options
@configuration_options
@click.option("--remote", type=click.Choice(["yes", "no"]), hidden=True)
@click.option("--topology", metavar="FILE", hidden=True)
@click.option("-E", "--engine", hidden=True)
@click.option("--grooming", hidden=True)
@click.argument("words", nargs=-1, metavar="COMMAND...")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Run COMMAND on many nodes, or copy files.

    Options end at the first word of COMMAND. Without COMMAND, on a terminal, commands are asked for and run
    one after the other. The exit status is 0 when all nodes were tried, whatever came of it; with -S the
    largest exit code, 255 if a node timed out or could not be reached; 3 if the run ended early (--halt,
    --check, --deadline, --quorum); 130 after Ctrl-C, 2 for wrong usage, 1 for other errors.
    """
    from asynctask.cli.launching import Launch, launch

    raise click.exceptions.Exit(launch(Launch.read(given(ctx))))
