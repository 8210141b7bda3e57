"""From the options that name nodes to the list of targets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from asynctask import nodes
from asynctask.errors import EmptyTargetsError, UsageError

__all__ = ("Targets",)

#: As the name of a file: standard input.
_STDIN = "-"


@dataclass(frozen=True, slots=True)
class Targets:
    """What the options say."""

    nodes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    hostfiles: tuple[str, ...] = ()
    everything: bool = False
    without: tuple[str, ...] = ()
    without_groups: tuple[str, ...] = ()
    source: str | None = None

    @property
    def read_from_input(self) -> bool:
        """Whether standard input holds nodes, and so nothing for commands."""
        return _STDIN in (*self.nodes, *self.hostfiles, *self.without)

    def resolve(self) -> tuple[str, ...]:
        """The targets, in the order in which they were named.

        Raises:
            click.UsageError: none were named, or none are left.
            NodeSetError: a node set cannot be parsed, a group is not known.
            asynctask.UsageError: a host file cannot be read.
        """
        if not all(text.strip() for text in self.nodes):  # most likely an unset variable
            raise click.UsageError("-w has no nodes")
        for text in self.nodes:
            if text.startswith("-") and text != _STDIN:  # pdsh's way to leave nodes out
                raise click.UsageError(f"-w {text}: leave nodes out with -x {text[1:]}")
        wanted = list(self._wanted())
        if not wanted:
            raise click.UsageError("no nodes: name them with -w, -g, -a or --hostfile")
        try:
            found = nodes.expand(wanted, self.source)
        except EmptyTargetsError as exc:
            raise click.UsageError("no nodes: the groups that were named are empty") from exc
        excluded = set(nodes.parse([*_sets(self.without), *_as_groups(self.without_groups)], self.source))
        left = tuple(node for node in found if node not in excluded)
        if not left:
            raise click.UsageError("no nodes are left: all that were named are excluded with -x or -X")
        return left

    def _wanted(self) -> Iterator[str]:
        yield from _sets(self.nodes)
        yield from _as_groups(self.groups)
        for hostfile in self.hostfiles:
            yield from _read(hostfile)
        if self.everything:
            yield "@*"


def _sets(texts: Iterable[str]) -> Iterator[str]:
    """Node sets, and those in files: ``^FILE`` as pdsh has it, ``-`` for standard input."""
    for text in texts:
        if text == _STDIN or text.startswith("^"):
            yield from _read(text.removeprefix("^"))
        else:
            yield text


def _as_groups(names: Iterable[str]) -> Iterator[str]:
    """``a,b[1,3]`` as ``@a`` and ``@b[1,3]``."""
    for text in names:
        for name in re.split(r",(?![^\[]*\])", text):
            yield "@" + name.strip().removeprefix("@")


def _read(hostfile: str) -> list[str]:
    """The node sets in a file (``-``: standard input) between blanks; ``#`` begins a comment."""
    try:
        text = _input() if hostfile == _STDIN else Path(hostfile).read_text(errors="replace")
    except OSError as exc:
        raise UsageError(f"host file {hostfile}: {exc.strerror or exc}") from exc
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]


def _input() -> str:
    with open(0, errors="replace", closefd=False) as stdin:
        return stdin.read()
