"""From the options that name nodes to the list of targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from asynctask import nodes

__all__ = ("Targets",)


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

    def resolve(self) -> tuple[str, ...]:
        """The targets, in the order in which they were named.

        Raises:
            click.UsageError: none were named, or none are left.
            NodeSetError: a node set cannot be parsed, a group is not known.
        """
        wanted = list(self._wanted())
        if not wanted:
            raise click.UsageError("no nodes: name them with -w, -g, -a or --hostfile")
        excluded = set(self._expand([*self.without, *_as_groups(self.without_groups)]))
        left = [node for node in self._expand(wanted) if node not in excluded]
        if not left:
            raise click.UsageError("no nodes are left: all that were named are excluded with -x or -X")
        return tuple(left)

    def _wanted(self) -> Iterator[str]:
        yield from self.nodes
        yield from _as_groups(self.groups)
        for hostfile in self.hostfiles:
            yield from _read(hostfile)
        if self.everything:
            yield "@*"

    def _expand(self, texts: Iterable[str]) -> Iterator[str]:
        seen: set[str] = set()
        for text in texts:
            for node in nodes.expand(text, self.source):
                if node not in seen:
                    seen.add(node)
                    yield node


def _as_groups(names: Iterable[str]) -> Iterator[str]:
    """``a,b`` as ``@a`` and ``@b``."""
    for text in names:
        yield from ("@" + name.strip().removeprefix("@") for name in text.split(","))


def _read(hostfile: str) -> list[str]:
    """The node sets in a file, between blanks and line ends; ``#`` begins a comment."""
    try:
        text = Path(hostfile).read_text(errors="replace")
    except OSError as exc:
        raise click.BadParameter(f"{hostfile}: {exc.strerror or exc}", param_hint="--hostfile") from exc
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]
