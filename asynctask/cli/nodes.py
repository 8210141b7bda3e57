"""``asynctask nodes``: fold, expand and count node sets, list node groups."""

from __future__ import annotations

import re
from getopt import getopt
from typing import TYPE_CHECKING

import click

from asynctask.nodes import all_nodes, groups, memberships, parse, regroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynctask.nodes import NodeSet

__all__ = ("command",)

_UNION = "sets"  # the name of the argument; the others are names of options
_OPERATIONS = {
    _UNION: "update",
    "exclude": "difference_update",
    "intersection": "intersection_update",
    "xor": "symmetric_difference_update",
}
_STEPS = "asynctask.nodes.steps"
_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_STDIN = "-"

_EXAMPLES = """\b
Examples:
  asynctask nodes -f web1 web2 web4          web[1-2,4]
  asynctask nodes -e web[1-4] -x web2        web1 web3 web4
  asynctask nodes -c @compute                128
  asynctask nodes -ll                        the groups with their nodes
"""

Steps = list[tuple[str, str]]


class _LeftToRight(click.Command):
    """A command that keeps the order in which node sets and set operations were written.

    click collects the values of each option, and the arguments, in one list each. What becomes
    of a set depends on the order of all, so the words are read once more, one set at a time.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        rest = super().parse_args(ctx, args)  # from here on the words are known to be right
        spelled = {
            spelling: (param.name or "", ":" if not (param.is_flag or param.count) else "")
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for spelling in param.opts
        }
        short = "".join(word[1:] + value for word, (_, value) in spelled.items() if word[1] != "-")
        long = [word[2:] + ("=" if value else "") for word, (_, value) in spelled.items() if word[1] == "-"]
        steps: Steps = []
        while words:
            options, words = getopt(words, short, long)
            steps += [(name, value) for word, value in options if (name := spelled[word][0]) in _OPERATIONS]
            if words:
                steps.append((_UNION, words.pop(0)))
        ctx.meta[_STEPS] = steps
        return rest


@click.command(
    cls=_LeftToRight,
    name="nodes",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option("-f", "--fold", is_flag=True, help="Write the nodes as one node set.")
@click.option("-e", "--expand", is_flag=True, help="Write each node.")
@click.option("-c", "--count", is_flag=True, help="Write how many nodes there are.")
@click.option(
    "-r", "--regroup", "by_group", is_flag=True, help="Write the nodes as groups where they fill one."
)
@click.option(
    "-l",
    "--groups",
    "level",
    count=True,
    help="List the groups, or those of the nodes given; -ll with their nodes, -lll with the number too.",
)
@click.option("-a", "--all", "everything", is_flag=True, help="Begin with all nodes of the group source.")
@click.option("-s", "--groupsource", metavar="SOURCE", help="Where @group is looked up.")
@click.option("-x", "--exclude", multiple=True, metavar="NODES", help="Take these nodes out.")
@click.option("-i", "--intersection", multiple=True, metavar="NODES", help="Keep only these nodes.")
@click.option("-X", "--xor", multiple=True, metavar="NODES", help="Keep what is in one of both sets only.")
@click.option(
    "-S", "--separator", default=" ", metavar="TEXT", help=r"Between nodes with -e; knows \n \t \0."
)
@click.argument(_UNION, nargs=-1, metavar="[NODES]...")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    fold: bool,
    expand: bool,
    count: bool,
    by_group: bool,
    level: int,
    everything: bool,
    groupsource: str | None,
    separator: str,
    **_operands: tuple[str, ...],
) -> None:
    """Fold, expand or count node sets, or list node groups.

    NODES are node sets such as "web[1-20],db1" or "@group". They and the operations -x, -i and
    -X are applied from left to right; an operation in front of the first set is meant for it.
    Without NODES, or for "-", they are read from standard input, where # begins a comment.
    """
    if [fold, expand, count, by_group, level > 0].count(True) != 1:
        raise click.UsageError("give exactly one of -f, -e, -c, -r and -l", ctx)
    steps: Steps = ctx.meta[_STEPS]
    if level and not steps and not everything:
        _echo_groups(level, groupsource)
        return
    found = _compute(steps, everything, groupsource)
    if level:
        _echo_memberships(level, found, groupsource)
    elif fold:
        click.echo(str(found))
    elif expand:
        click.echo(_unescape(separator).join(found))
    elif count:
        click.echo(len(found))
    else:
        click.echo(regroup(found, groupsource))


def _compute(steps: Steps, everything: bool, source: str | None) -> NodeSet:
    """Apply the steps in order to all nodes, else to the first set written, else to standard input."""
    if everything:
        found = all_nodes(source)
    else:
        first = next((place for place, (name, _) in enumerate(steps) if name == _UNION), None)
        operand = _STDIN if first is None else steps[first][1]
        steps = [step for place, step in enumerate(steps) if place != first]
        found = parse(_read(operand), source)
    for name, operand in steps:
        getattr(found, _OPERATIONS[name])(parse(_read(operand), source))
    return found


def _read(operand: str) -> Iterator[str]:
    """The node sets in an argument, which may have several lines, or on standard input."""
    if operand != _STDIN:
        yield from operand.splitlines()
        return
    with click.open_file(_STDIN, errors="replace") as lines:
        for line in lines:
            yield from line.partition("#")[0].split()


def _unescape(text: str) -> str:
    return re.sub(r"\\([nt0\\])", lambda match: _ESCAPES[match[1]], text)


def _echo_groups(level: int, source: str | None) -> None:
    for name in groups(source):
        if level == 1:
            click.echo(name)
            continue
        nodes = parse(name, source)
        click.echo(f"{name} {nodes}" if level == 2 else f"{name} {nodes} {len(nodes)}")


def _echo_memberships(level: int, nodes: NodeSet, source: str | None) -> None:
    for name, (whole, part) in memberships(nodes, source).items():
        text = name if level == 1 else f"{name} {part}"
        click.echo(text if level < 3 else f"{text} {len(part)}/{len(whole)}")
