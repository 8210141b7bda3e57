"""``asynctask diff``: what two runs have different."""

from __future__ import annotations

import click

from asynctask.cli.past.words import RunCommand

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask diff -2 last      what is not as it was
  asynctask diff 11 12
"""
_EXIT_TROUBLE = 2


@click.command(
    name="diff",
    cls=RunCommand,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing: the exit status tells.")
@click.option(
    "--color",
    type=click.Choice(["never", "always", "auto"]),
    default="auto",
    help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
)
@click.argument("old", metavar="ID1")
@click.argument("new", metavar="ID2")
def command(*, quiet: bool, color: str, old: str, new: str) -> None:
    """Show what has changed from one run to another: how nodes ended, and what they printed.

    IDs are numbers of runs, "last", or -2 for the last but one. Nodes that changed in the same way are
    shown together. The exit status is 0 if nothing differs, 1 if something does, 2 if that cannot be told.
    """
    from asynctask.cli.past.comparing import show_difference
    from asynctask.cli.past.database import HistoryError
    from asynctask.cli.past.printing import say

    try:
        different = show_difference(old, new, quiet=quiet, color=color)
    except HistoryError as exc:
        say(str(exc))
        raise click.exceptions.Exit(_EXIT_TROUBLE) from exc
    raise click.exceptions.Exit(int(different))
