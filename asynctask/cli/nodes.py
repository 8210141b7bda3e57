"""``asynctask nodes``: fold, expand and count node sets, list node groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from asynctask.cli.nodesets.computing import compute, node_set, range_set
from asynctask.cli.nodesets.shaping import (
    Autostep,
    along_axes,
    formatted,
    least_for_step,
    parts,
    picked,
    sliced,
    step,
    unescaped,
)
from asynctask.cli.nodesets.words import UNION, LeftToRight, steps_of

if TYPE_CHECKING:
    from asynctask.errors import GroupError

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask nodes -f web1 web2 web4          web[1-2,4]
  asynctask nodes -e web[1-4] -x web2        web1 web3 web4
  asynctask nodes -c @compute                128
  asynctask nodes -f --split 2 web[1-4]      web[1-2] and web[3-4], a line each
  asynctask nodes -ll                        the groups with their nodes
"""
_ONE_COMMAND = "give exactly one of -f, -e, -c, -r, -l, -L, --index and --list-sources"


def _step(ctx: click.Context, param: click.Parameter, text: str | None) -> Autostep | None:
    try:
        return None if text is None else step(text)
    except ValueError as exc:
        raise click.BadParameter(
            f"{text!r} is no number of nodes (4), no share of them (50%) and not auto", ctx, param
        ) from exc


class _Wanted(NamedTuple):
    """What is to be written, and how."""

    fold: bool
    expand: bool
    counted: bool
    by_group: bool
    node: str | None
    listed: int
    listed_all: int
    list_sources: bool
    completion: bool
    everything: bool
    groupsource: str | None
    groupbase: bool
    rangeset: bool
    quiet: bool
    separator: str
    output_format: str
    autostep: Autostep | None
    places: str | None
    split: int | None
    contiguous: bool
    axis: str | None
    pick: int | None

    @property
    def lists(self) -> bool:
        """Whether groups are listed, for which no node need be named."""
        return self.listed > 0 or self.listed_all > 0 or self.completion

    def refuse_what_does_not_fit(self, ctx: click.Context) -> None:
        commands = [self.fold, self.expand, self.counted, self.by_group, self.listed > 0, self.listed_all > 0]
        commands += [self.node is not None, self.list_sources, self.completion]
        if commands.count(True) != 1:
            raise click.UsageError(_ONE_COMMAND, ctx)
        if self.rangeset and (self.everything or self.by_group or self.lists):
            raise click.UsageError("-R is for numbers: leave out -a, -r, -l and -L", ctx)
        if self.split is not None and self.contiguous:
            raise click.UsageError("--split and --contiguous exclude each other", ctx)
        if self.axis is not None and (not self.fold or self.rangeset):
            raise click.UsageError("--axis goes with -f, and not with -R", ctx)
        if self.node is not None and self.pick is not None:
            raise click.UsageError("--index and --pick exclude each other", ctx)


@click.command(
    cls=LeftToRight,
    name="nodes",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option("-f", "--fold", is_flag=True, help="Write the nodes as one node set.")
@click.option("-e", "--expand", is_flag=True, help="Write each node.")
@click.option("-c", "--count", "counted", is_flag=True, help="Write how many nodes there are.")
@click.option(
    "-r", "--regroup", "by_group", is_flag=True, help="Write the nodes as groups where they fill one."
)
@click.option("--index", "node", metavar="NODE", help="Write the place of a node, from 0.")
@click.option(
    "-l",
    "--list",
    "--groups",
    "listed",
    count=True,
    help="List the groups, or those of the nodes given; -ll with their nodes, -lll with the number too.",
)
@click.option("-L", "--list-all", "listed_all", count=True, help="The same of all group sources.")
@click.option(
    "--list-sources", "--groupsources", "list_sources", is_flag=True, help="List the group sources."
)
@click.option("--completion", is_flag=True, hidden=True)
@click.option("-x", "--exclude", multiple=True, metavar="NODES", help="Take these nodes out.")
@click.option("-i", "--intersection", multiple=True, metavar="NODES", help="Keep only these nodes.")
@click.option("-X", "--xor", multiple=True, metavar="NODES", help="Keep what is in one of both sets only.")
@click.option("-a", "--all", "everything", is_flag=True, help="Begin with all nodes of the group source.")
@click.option("-s", "--groupsource", metavar="SOURCE", help="Where @group is looked up.")
@click.option("--groupsconf", metavar="FILE", help="Instead of groups.conf.")
@click.option("-G", "--groupbase", is_flag=True, help="Group names without their source.")
@click.option("-R", "--rangeset", is_flag=True, help="Sets of numbers in place of nodes: 1-10,15.")
@click.option("-I", "--slice", "places", metavar="PLACES", help="Only the nodes at these places: 0-9,15.")
@click.option("--pick", type=click.IntRange(min=1), metavar="N", help="Only N of them, at random.")
@click.option("--split", type=click.IntRange(min=1), metavar="N", help="Write N parts, a line each.")
@click.option("--contiguous", is_flag=True, help="Write the parts between gaps, a line each.")
@click.option(
    "--autostep",
    callback=_step,
    metavar="N|P%|auto",
    help="Fold N nodes or more at equal distances, or P% of all, or all: web[0-8/2].",
)
@click.option("--axis", metavar="AXES", help="With names such as r1n2, fold only these: 1,2; -1: the last.")
@click.option(
    "-S", "--separator", default=" ", metavar="TEXT", help=r"Between nodes with -e; knows \n \t \r \0 \x2c."
)
@click.option(
    "-O", "--output-format", default="%s", metavar="FORMAT", help="How each is written: %s-ib stands for it."
)
@click.option("-q", "--quiet", is_flag=True, help="No warnings, and no mark at the default source.")
@click.option("-d", "--debug", is_flag=True, help="Say how groups are looked up.")
@click.argument(UNION, nargs=-1, metavar="[NODES]...")
@click.pass_context
def command(
    ctx: click.Context, /, *, groupsconf: str | None, debug: bool, separator: str, **options: Any
) -> None:
    """Fold, expand or count node sets, or list node groups.

    NODES are node sets such as "web[1-20],db1" or "@group". They and the operations -x, -i and
    -X are applied from left to right; an operation in front of the first set is meant for it.
    Without NODES, or for "-", they are read from standard input, where # begins a comment.
    """
    for name in ("sets", "exclude", "intersection", "xor"):  # they are in the steps
        del options[name]
    wanted = _Wanted(separator=unescaped(separator), **options)
    wanted.refuse_what_does_not_fit(ctx)
    if debug:
        import logging

        logging.basicConfig(level=logging.DEBUG)
    if groupsconf is not None:
        from asynctask.group_sources import use_groups_file

        use_groups_file(groupsconf)
    if wanted.list_sources:
        from asynctask.cli.nodesets.listing import source_lines

        _write(source_lines(wanted.groupsource, quiet=wanted.quiet))
        return
    if wanted.rangeset and wanted.groupsource:
        _warn(wanted, "-s has no meaning with -R")
    found = None
    steps = steps_of(ctx)
    if steps or wanted.everything or not wanted.lists:
        make = range_set if wanted.rangeset else node_set(wanted.groupsource)
        found, in_vain = compute(steps, make, everything=wanted.everything, source=wanted.groupsource)
        if in_vain:
            _warn(wanted, "the set that -x, -i and -X work on is empty")
    if wanted.lists:
        _write_groups(wanted, found)
    else:
        _write_set(wanted, found)


def _write_groups(wanted: _Wanted, nodes: Any) -> None:
    from asynctask.cli.nodesets import listing
    from asynctask.group_sources import cannot_list

    prefix = not wanted.groupbase
    if wanted.completion:
        _write(listing.completions(wanted.groupsource, nodes))
    elif wanted.listed:
        _write(listing.group_lines(wanted.listed, wanted.groupsource, nodes, prefix=prefix))
    else:
        problems: list[GroupError] = []
        _write(listing.every_source(wanted.listed_all, wanted.groupsource, nodes, problems, prefix=prefix))
        for problem in problems:
            _warn(wanted, str(problem).partition(";")[0])
        if not all(map(cannot_list, problems)):
            raise click.exceptions.Exit(1)


def _write_set(wanted: _Wanted, found: Any) -> None:
    if wanted.places is not None:
        found = sliced(found, wanted.places)
    if wanted.autostep is not None:
        found.autostep = least_for_step(wanted.autostep, len(found))
    if wanted.axis is not None:
        found.fold_axis = along_axes(wanted.axis)
    if wanted.pick is not None:
        found = picked(found, wanted.pick)
    if wanted.node is not None:
        _write([formatted(wanted.output_format, _index(found, wanted.node))])
        return
    _write(_text(wanted, part) for part in parts(found, wanted.split, wanted.contiguous))


def _text(wanted: _Wanted, found: Any) -> str:
    template = wanted.output_format
    if wanted.expand:
        return wanted.separator.join(formatted(template, node) for node in found.striter())
    if wanted.counted:
        return formatted(template, len(found))
    if wanted.by_group:
        from asynctask.nodes import regroup

        return formatted(template, regroup(found, wanted.groupsource, prefix=not wanted.groupbase))
    if template == "%s" or wanted.rangeset:
        return formatted(template, found)
    from asynctask.nodes import parse

    renamed = parse([formatted(template, node) for node in found])
    renamed.autostep = found.autostep
    return str(renamed)


def _index(found: Any, node: str) -> int:
    from asynctask.errors import NodeSetError

    try:
        return int(found.index(node))
    except (ValueError, IndexError) as exc:
        raise NodeSetError(f"--index {node}: it is not in the set") from exc


def _warn(wanted: _Wanted, text: str) -> None:
    if not wanted.quiet:
        click.echo(f"asynctask: nodes: {text}", err=True)


def _write(lines: Iterable[str]) -> None:
    """Names that came as other bytes than UTF-8 are written as they came."""
    click.echo("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"), nl=False)
