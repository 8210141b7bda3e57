"""Node sets, node groups, targets and the placeholders of commands.

``NodeSet`` is ClusterShell's class, and groups come from the ``groups.conf`` files that
ClusterShell reads. Both load only when something needs more than plain node names.

A group may be defined by a shell command that prints its nodes. Looking it up then runs that
command and waits for it, so in a program that must not wait, expand groups in a thread.
"""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from asynctask.errors import EmptyTargetsError, NodeSetError, PlaceholderError
from asynctask.group_sources import Resolver, explained, prefer_the_site

if TYPE_CHECKING:
    from ClusterShell.NodeSet import NodeSet

__all__ = (
    "BUILT_IN",
    "NodeSet",
    "Template",
    "all_nodes",
    "count",
    "expand",
    "fold",
    "groups",
    "memberships",
    "parse",
    "regroup",
    "sources",
)

# One name that means itself: no set operator, range, group or wildcard.
_PLAIN = re.compile(
    r"(?!@)[^\s\[\],!&^*?]+"
    # An IPv6 address in brackets, which are no range: it has colons.
    r"|(?:(?!@)[^\s\[\],!&^*?]+@|ssh://)?\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?\](?::\d+)?/?"
)
_OPERATOR = re.compile(r"[!&^]")
_BRACKETS_OR_COMMA = re.compile(r"\[[^\]]*\]?|,")
_MOST_SHOWN = 120  # characters of a node set in a message


def __getattr__(name: str) -> Any:
    if name == "NodeSet":
        from ClusterShell.NodeSet import NodeSet

        prefer_the_site()
        return NodeSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# -- targets --------------------------------------------------------------------------------


def expand(nodes: str | NodeSet | Iterable[str] | None, source: str | None = None) -> tuple[str, ...]:
    """List the targets that ``nodes`` stands for, in the order given.

    Args:
        nodes: a node set such as ``"web[1-3],@db"``, a ``NodeSet``, or an iterable of them.
            The parts between commas keep their order; a node that comes twice counts where it
            came first. A string with ``!``, ``&`` or ``^`` has the order of ``NodeSet``.
        source: the group source that ``@name`` is looked up in; by default the one that
            ``groups.conf`` makes the default.

    Raises:
        EmptyTargetsError: there is no target at all.
        NodeSetError: a node set cannot be parsed.
        GroupError: a group or group source is unknown or does not answer.
    """
    targets: dict[str, None] = {}
    for item in _items(nodes):
        if is_plain(item):
            targets[item] = None
        else:
            targets.update(dict.fromkeys(_names(item, source)))
    if not targets:
        shown = f" ({nodes!r})" if isinstance(nodes, str) and nodes else ""
        raise EmptyTargetsError(f"the set of targets is empty{shown}: name a node, nothing runs without one")
    return tuple(targets)


def parse(nodes: str | NodeSet | Iterable[str] | None, source: str | None = None) -> NodeSet:
    """Build the ``NodeSet`` of ``nodes``, which may be empty. Arguments and errors as for :func:`expand`."""
    from ClusterShell.NodeSet import NodeSet

    resolver = Resolver(source)
    items = list(_items(nodes))
    # Several times faster than parsing each: this folds the nodes of every gathered output.
    found = NodeSet._fromlist1(filter(is_plain, items), resolver=resolver)
    for item in itertools.filterfalse(is_plain, items):
        found.update(_parse_text(item, resolver) if isinstance(item, str) else item)
    return found


def fold(nodes: str | NodeSet | Iterable[str]) -> str:
    """Write ``nodes`` as one node set: ``["a1", "a2"]`` becomes ``"a[1-2]"``, nothing becomes ``""``."""
    return str(parse(nodes))


def count(nodes: str | NodeSet | Iterable[str]) -> int:
    """Tell how many different nodes ``nodes`` has; none is 0, no error."""
    return len(parse(nodes))


def _items(nodes: str | NodeSet | Iterable[str] | None) -> Iterator[str | NodeSet]:
    if nodes is None:
        return
    if isinstance(nodes, str) or _is_nodeset(nodes):
        yield nodes
        return
    if isinstance(nodes, bytes) or not isinstance(nodes, Iterable):
        raise NodeSetError(f"nodes: a node set or an iterable of node sets is needed, got {nodes!r}")
    for item in nodes:
        if not (isinstance(item, str) or _is_nodeset(item)):
            raise NodeSetError(f"nodes: every item must be a node set, got {item!r}")
        yield item


def _is_nodeset(value: object) -> bool:
    # Where ClusterShell has not been imported, nothing can be a NodeSet.
    clustershell = sys.modules.get("ClusterShell.NodeSet")
    return clustershell is not None and isinstance(value, clustershell.NodeSetBase)


def is_plain(item: str | NodeSet) -> bool:
    """Whether it is one name that means itself."""
    return isinstance(item, str) and _PLAIN.fullmatch(item) is not None


def _names(item: str | NodeSet, source: str | None) -> Iterable[str]:
    """The nodes of one item in the order in which its parts were written."""
    if not isinstance(item, str):
        yield from item
        return
    text = item.strip()
    for part in _parts(text):
        if is_plain(part):
            yield part
        else:
            yield from _parse_text(part, Resolver(source))


def _parts(text: str) -> list[str]:
    """Split at the commas outside brackets; with another operator the text is one part."""
    if not text:
        return []
    if _OPERATOR.search(text):
        return [text]
    commas = [match.start() for match in _BRACKETS_OR_COMMA.finditer(text) if match[0] == ","]
    starts, ends = [0, *(comma + 1 for comma in commas)], [*commas, len(text)]
    parts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if not all(parts):
        raise NodeSetError(f"node set {_short(text)}: a comma has no node on one of its sides")
    return parts


def _parse_text(text: str, resolver: Resolver) -> NodeSet:
    from ClusterShell.NodeSet import NodeSet

    with explained(f"node set {_short(text)}", resolver):
        found = NodeSet(text, resolver=resolver)
    if re.search(r"\s", text.strip()):
        _refuse_blanks(found)
    return found


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")


def _refuse_blanks(nodes: NodeSet) -> None:
    for node in nodes:
        if re.search(r"\s", node):
            raise NodeSetError(f"node {_short(node)} has a blank in its name: separate nodes with commas")


# -- groups ---------------------------------------------------------------------------------


def sources(source: str | None = None) -> tuple[str, ...]:
    """List the names of all group sources, the default one first, or ``source`` in its place.

    Raises:
        GroupError: the configuration cannot be read, or ``source`` is unknown.
    """
    resolver = Resolver(source)
    with explained("the list of group sources", resolver):
        return tuple(resolver.sources())


def groups(source: str | None = None, *, prefix: bool = True) -> tuple[str, ...]:
    """List the names of all groups of a source, sorted: ``"@name"``, with ``source`` ``"@source:name"``.

    Args:
        source: by default the one that ``groups.conf`` makes the default.
        prefix: whether names have their ``source`` in them.

    Raises:
        GroupError: the source is unknown, does not answer, or has no way to list its groups.
    """
    from ClusterShell.NodeSet import grouplist

    resolver = Resolver(source)
    with explained("the list of groups", resolver):
        names = grouplist(resolver=resolver)
    front = f"@{source}:" if source and prefix else "@"
    return tuple(sorted(front + name for name in names))


def all_nodes(source: str | None = None) -> NodeSet:
    """Build the ``NodeSet`` of every node that a source knows.

    Raises:
        GroupError: the source is unknown, does not answer, or has no way to list its nodes.
    """
    return parse("@*", source)


def memberships(
    nodes: str | NodeSet | Iterable[str], source: str | None = None, *, prefix: bool = True
) -> dict[str, tuple[NodeSet, NodeSet]]:
    """Find the groups that have any of ``nodes``: name to (all nodes of the group, those among ``nodes``).

    Names are as :func:`groups` writes them.
    """
    found = parse(nodes, source)
    with explained("the groups of these nodes", Resolver(source)):
        return dict(sorted(found.groups(source, not prefix).items()))


def regroup(nodes: str | NodeSet | Iterable[str], source: str | None = None, *, prefix: bool = True) -> str:
    """Write ``nodes`` with the names of the groups that are in it as a whole, the largest first.

    Names are as :func:`groups` writes them.
    """
    found = parse(nodes, source)
    with explained("the groups of these nodes", Resolver(source)):
        return str(found.regroup(source, noprefix=not prefix))


# -- placeholders ---------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"%(?:(%)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})?")
_MEANINGS = {"h": "host", "host": "host", "hosts": "hosts", "n": "rank", "rank": "rank"}
#: Names that placeholders have by themselves.
BUILT_IN = frozenset(_MEANINGS)


class Template:
    """A command with placeholders, parsed once and rendered for each node.

    ``%h`` and ``%host`` stand for the node, ``%n`` and ``%rank`` for its place among the targets
    from 0, ``%hosts`` for all targets as one node set, ``%%`` for a percent sign. Braces end a
    name where a letter follows: ``%{host}s``. A name is taken whole: ``%hostname`` is unknown.
    What has a name of the caller's own needs the braces: ``%{name}``. Its value is one word for the
    shell, whatever is in it.

    Args:
        command: the text.
        names: the names of the caller's own that it may have; ``None``: any.

    Attributes:
        has_placeholders: whether the text has any, so that nodes get different commands.
        needs_all: whether ``%hosts`` occurs. One process then serves all targets, and ``%h`` stands
            for all of them too.
        names: the names of the caller's own that occur.

    Raises:
        PlaceholderError: a placeholder is unknown. The message does not repeat the command, which
            may hold a secret.
    """

    __slots__ = ("_pieces", "has_placeholders", "names", "needs_all")

    def __init__(self, command: str, names: Collection[str] | None = ()) -> None:
        # Literal text at even places, what to put between at odd ones.
        self._pieces = [""]
        end = 0
        for match in _PLACEHOLDER.finditer(command):
            self._pieces[-1] += command[end : match.start()]
            end = match.end()
            if match[1]:
                self._pieces[-1] += "%"
            else:
                self._pieces += [_meaning(match, names), ""]
        self._pieces[-1] += command[end:]
        meanings = self._pieces[1::2]
        self.has_placeholders = bool(meanings)
        self.needs_all = "hosts" in meanings
        self.names = frozenset(meanings) - BUILT_IN

    def render(
        self,
        node: str,
        rank: int = 0,
        nodes: str | NodeSet | Iterable[str] = (),
        values: Mapping[str, str] | None = None,
    ) -> str:
        """Fill in the placeholders for ``node``.

        Args:
            node: what ``%h`` stands for.
            rank: its place.
            nodes: all targets; they matter only with ``needs_all``.
            values: for each of ``names`` at least; what else is in it is not used.
        """
        if not self.has_placeholders:
            return self._pieces[0]
        filled = {"host": node, "rank": str(rank)}
        if self.needs_all:
            filled["host"] = filled["hosts"] = fold(nodes)
        if values is not None:
            filled.update((name, shlex.quote(values[name])) for name in self.names)
        pieces = self._pieces.copy()
        pieces[1::2] = [filled[meaning] for meaning in pieces[1::2]]
        return "".join(pieces)


def _meaning(match: re.Match[str], names: Collection[str] | None) -> str:
    name = match[2] or match[3]
    if name in _MEANINGS:
        return _MEANINGS[name]
    if match[3] and (names is None or name in names):
        return str(name)
    what = f"unknown placeholder {match[0]}" if name else "a % that starts no placeholder"
    known = ["%h", "%host", "%hosts", "%n", "%rank", "%%", *(f"%{{{own}}}" for own in sorted(names or ()))]
    raise PlaceholderError(
        f"{what} at character {match.start() + 1} of the command: write %{match[0]} for a literal "
        f"{match[0]}; the placeholders are {' '.join(known)}"
    )
