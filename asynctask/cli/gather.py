"""``asynctask gather``: labelled lines, as pdsh, clush and ``asynctask run`` write them, shown once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from asynctask.cli.gathering.labels import Labels, Split
from asynctask.cli.gathering.reading import Gathered, chunks
from asynctask.cli.terminal import encoded, is_terminal, visible

if TYPE_CHECKING:
    from asynctask.cli.gathering.showing import Look
    from asynctask.outcome import NodeResult

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  pdsh -w web[1-9] uptime | asynctask gather -b      the same output once, with all who printed it
  asynctask gather --diff web.log                    how the others differ from most of them
  asynctask gather -d web -f <web.log                a file for each node, in the directory web
"""
_STDIN = "-"
_SHOWN = 60  # characters of a line in a message


@click.command(
    name="gather",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option("-b", "-c", "--dshbak", "gather", is_flag=True, help="Show the same output once.")
@click.option("-B", "gather_both", is_flag=True, help="The same as -b.")
@click.option("-L", "by_line", is_flag=True, help="Line by line, by node; with -b by set of nodes.")
@click.option("-N", "no_label", is_flag=True, help="Without headers and labels.")
@click.option("-T", "--tree", is_flag=True, help="As a tree: what begins the same stands once.")
@click.option("--diff", is_flag=True, help="How the others differ from the output of the most nodes.")
@click.option("--similar", is_flag=True, help="As -b, but a node's own name, numbers and times may differ.")
@click.option(
    "--outliers", type=click.Choice(["first", "last"]), help="Where the outputs of the fewest nodes stand."
)
@click.option("-r", "--regroup", is_flag=True, help="As -b, with groups in place of their nodes.")
@click.option("-s", "--groupsource", metavar="SOURCE", help="Where groups are looked up.")
@click.option("--groupsconf", metavar="FILE", help="Instead of groups.conf.")
@click.option("-G", "--groupbase", is_flag=True, help="Group names without their source.")
@click.option("--axis", metavar="AXES", help="Of names such as r1n2, fold only these: 1,2; -1: the last.")
@click.option(
    "-S",
    "--separator",
    metavar="TEXT",
    help="Where the label of a line ends, the first time it comes. [default: a colon, with a blank or none]",
)
@click.option(
    "--interpret-keys",
    type=click.Choice(["never", "always", "auto"]),
    default="auto",
    help="Whether labels are node sets. [default: those that can be]",
)
@click.option("-d", "directory", metavar="DIR", help="Show nothing; write a file for each node to DIR.")
@click.option("-f", "create", is_flag=True, help="With -d: make DIR if it is not there.")
@click.option("--outdir", metavar="DIR", help="Write a file for each node to DIR, too; it is made.")
@click.option("--errdir", metavar="DIR", hidden=True)  # labels do not tell what was standard error
@click.option(
    "--color",
    type=click.Choice(["never", "always", "auto"]),
    default="auto",
    help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
)
@click.option("-q", "--quiet", is_flag=True, help="No counts.")
@click.option("-v", "--verbose", is_flag=True, help="Show the lines as they come, too.")
@click.option("--debug", is_flag=True, help="As -v, and say how much came.")
@click.option("-F", "--fast", is_flag=True, hidden=True)  # it is always fast
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    files: tuple[str, ...],
    gather: bool,
    gather_both: bool,
    groupsconf: str | None,
    axis: str | None,
    separator: str | None,
    interpret_keys: str,
    directory: str | None,
    create: bool,
    outdir: str | None,
    errdir: str | None,
    verbose: bool,
    debug: bool,
    fast: bool,
    outliers: str | None,
    **options: Any,
) -> None:
    """Sort labelled lines by node, and show the same output once.

    The lines are those of FILEs, or of standard input: "web1: text", as pdsh, clush and asynctask run
    write them; a label may be a node set. Without -b each node has its output under its own header.
    """
    options["gather"] = gather or gather_both or options["regroup"]
    look = _look(options, outliers)
    _refuse_what_does_not_fit(ctx, look, directory, create)
    if separator == "":
        raise click.UsageError("-S needs at least one character", ctx)
    _prepare(groupsconf, directory, outdir, create=create)
    labels = Labels(interpret_keys, look.groupsource)
    found = Gathered(labels, Split() if separator is None else Split(encoded(separator), blank=False))
    _read(files or (_STDIN,), found, echo=verbose or debug)
    messages = found.messages()
    _tell(found, len(messages), debug=debug)
    for target in filter(None, (directory, outdir)):
        from asynctask.cli.gathering.files import write_files

        write_files(target, messages)
    if directory is None:
        from asynctask.cli.gathering.showing import results

        with _folding_along(axis):
            _show(look, results(messages, labels.odd), labels)


def _look(options: dict[str, Any], outliers: str | None) -> Look:
    from asynctask.cli.gathering.showing import Look

    return Look(outliers=outliers or "", **options)


def _refuse_what_does_not_fit(ctx: click.Context, look: Look, directory: str | None, create: bool) -> None:
    if look.diff and look.by_line:
        raise click.UsageError("--diff and -L exclude each other", ctx)
    if [look.diff, look.tree, look.similar].count(True) > 1:
        raise click.UsageError("--diff, -T and --similar exclude each other", ctx)
    if look.similar and look.by_line:
        raise click.UsageError("--similar and -L exclude each other", ctx)
    if create and directory is None:
        raise click.UsageError("-f goes with -d DIR (clubak's --fast is -F)", ctx)
    if directory is not None and (look.gather or look.diff or look.tree or look.similar or look.by_line):
        raise click.UsageError("-d shows nothing: to write files and show the output use --outdir DIR", ctx)


def _prepare(groupsconf: str | None, directory: str | None, outdir: str | None, *, create: bool) -> None:
    """What can go wrong goes wrong before anything is read."""
    if groupsconf is not None:
        from asynctask.group_sources import use_groups_file

        use_groups_file(groupsconf)
    if directory is not None:
        from asynctask.cli.gathering.files import require_directory

        require_directory(directory, create=create)
    if outdir is not None:
        from asynctask.cli.output.directories import make_directories

        make_directories(outdir, None)


def _read(files: tuple[str, ...], found: Gathered, *, echo: bool) -> None:
    safe = is_terminal(1)
    for name in files:
        with _opened(name) as stream:
            for chunk in chunks(stream):
                if echo:
                    _echo(chunk, safe=safe)
                found.add(chunk)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == _STDIN:
        with open(0, "rb", closefd=False) as stream:
            yield stream
    else:
        with Path(name).open("rb") as stream:
            yield stream


def _echo(chunk: bytes, *, safe: bool) -> None:
    lines = chunk.removesuffix(b"\n").split(b"\n")
    text = b"".join(b"INPUT %s\n" % line for line in lines)
    click.echo(visible(text) if safe else text, nl=False)


def _tell(found: Gathered, nodes: int, *, debug: bool) -> None:
    lost = found.unlabelled
    if lost.count:
        line = lost.line.decode(errors="replace")
        shown = repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "…")
        what = f"line {lost.number} has" if lost.count == 1 else f"{lost.count} lines have"
        which = shown if lost.count == 1 else f"the first is line {lost.number}, {shown}"
        _say(f"{what} no label and {'is' if lost.count == 1 else 'are'} left out: {which}")
    if debug:
        _say(f"{found.lines} lines, {nodes} nodes")


def _say(text: str) -> None:
    if sys.stderr is not None:
        click.echo(visible(encoded(f"asynctask: gather: {text}\n")), nl=False, err=True)


@contextmanager
def _folding_along(axis: str | None) -> Iterator[None]:
    """Fold node sets along these axes, for a while."""
    if axis is None:
        yield
        return
    from ClusterShell.Defaults import DEFAULTS

    from asynctask.cli.nodesets.shaping import along_axes

    kept = DEFAULTS.fold_axis
    DEFAULTS.fold_axis = along_axes(axis)
    try:
        yield
    finally:
        DEFAULTS.fold_axis = kept


def _show(look: Look, results: list[NodeResult], labels: Labels) -> None:
    import asyncio

    from asynctask.cli.gathering.showing import show
    from asynctask.cli.screen import Screen

    async def main() -> OSError | None:
        screen = Screen(None, lambda: None)
        try:
            await show(screen, look, results, labels.odd)
        finally:
            await screen.close()
        return screen.error

    with asyncio.Runner() as runner:
        error = runner.run(main())
    if error is not None:
        raise error
