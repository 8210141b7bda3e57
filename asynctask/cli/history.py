"""``asynctask history``: what was run, and what came of it."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import given
from asynctask.cli.past.words import RunCommand

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask history                        the last runs
  asynctask history last                   how the last one went
  asynctask history -b -2                  what the one before it printed
  asynctask history 12 -L --node web[1-3]
  asynctask history --prune --older-than 30d
"""
#: How many runs are listed.
_LISTED = 20
#: What shows output, by the names of the parameters.
_OUTPUT = {
    "gather": "-b",
    "by_node": "-L",
    "diff": "--diff",
    "similar": "--similar",
    "outliers": "--outliers",
}


def _age(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    from asynctask.cli.past.words import age
    from asynctask.errors import UsageError

    try:
        return None if value is None else age(value)
    except UsageError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


@click.command(
    name="history",
    cls=RunCommand,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option(
    "-n", "most", type=click.IntRange(min=1), metavar="N", help=f"List so many runs. [default: {_LISTED}]"
)
@click.option("--node", "nodes", multiple=True, metavar="NODES", help="Of the run only these nodes.")
@click.option("-b", "--dshbak", "gather", is_flag=True, help="Show the same output once.")
@click.option("-L", "by_node", is_flag=True, help="Show the output by node.")
@click.option("--diff", is_flag=True, help="Show the most common output, and how the others differ from it.")
@click.option(
    "--similar",
    is_flag=True,
    help="As -b, but output that differs only in names, numbers or times is the same.",
)
@click.option(
    "--outliers", type=click.Choice(["first", "last"]), help="Where the outputs of the fewest nodes stand."
)
@click.option("--json", is_flag=True, help="A JSON object for each run, or each node of the run.")
@click.option("-N", "no_label", is_flag=True, help="No label in front of lines.")
@click.option("-r", "--regroup", is_flag=True, help="Show groups in place of their nodes.")
@click.option("-s", "--groupsource", metavar="SOURCE", help="Where -r looks groups up.")
@click.option("-G", "--groupbase", is_flag=True, help="Group names without their source.")
@click.option(
    "--color",
    type=click.Choice(["never", "always", "auto"]),
    help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
)
@click.option("-q", "--quiet", is_flag=True, help="No counts.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: all reasons of failures.")
@click.option("--prune", is_flag=True, help="Forget old runs, by default all but the newest 1000.")
@click.option(
    "--older-than", metavar="AGE", callback=_age, help="With --prune: those that began so long ago: 30d, 12h."
)
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="With --prune: all but the newest N of them."
)
@click.argument("run", required=False, metavar="[ID]")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    run: str | None,
    most: int | None,
    nodes: tuple[str, ...],
    prune: bool,
    older_than: float | None,
    keep: int | None,
    **_display: Any,
) -> None:
    """List the runs that were recorded, the newest last, or show one.

    ID is the number of a run, "last", or -2 for the last but one. A run is described; with an option that
    shows output (-b, -L, --diff, --json ...) its output is shown as asynctask run would have shown it.
    """
    said = given(ctx)
    if not prune and (older_than is not None or keep is not None):
        raise click.UsageError("--older-than and --keep go with --prune")
    if prune:
        _prune(run, keep, older_than)
    elif run is None:
        _list(most, said)
    else:
        if most is not None:
            raise click.UsageError("-n is for the list of runs, without an ID")
        if said.get("json") and (shown := [word for name, word in _OUTPUT.items() if said.get(name)]):
            raise click.UsageError(f"{shown[0]} and --json exclude each other: choose one")
        from asynctask.cli.past.showing import show_run

        raise click.exceptions.Exit(show_run(run, nodes, said))


def _list(most: int | None, said: dict[str, Any]) -> None:
    for name, word in {**_OUTPUT, "nodes": "--node"}.items():
        if said.get(name):
            raise click.UsageError(f"{word} goes with the ID of a run")
    from asynctask.cli.past.listing import list_runs

    list_runs(most or _LISTED, as_json=bool(said.get("json")))


def _prune(run: str | None, keep: int | None, older_than: float | None) -> None:
    if run is not None:
        raise click.UsageError("--prune takes no ID: it forgets old runs, by --older-than or --keep")
    from asynctask.cli.past.listing import prune_runs

    prune_runs(keep, older_than)
