"""What a run brought: the getters, on the result of a run and, the same, on the task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from asynctask import nodes as _nodes
from asynctask.errors import NodeSetError, RunFailed, UsageError
from asynctask.messages import EMPTY, Cursor, Message, MsgTree, group
from asynctask.outcome import NodeResult, Outcome

__all__ = ("Getters", "Part", "Record", "Records", "Result")


class Record:
    """One target of a run: its place in the gather trees and, once it is over, its result."""

    __slots__ = ("err", "node", "out", "result")

    def __init__(self, node: str, out: Cursor | None, err: Cursor | None) -> None:
        self.node = node
        self.out = out
        self.err = err
        self.result: NodeResult | None = None


_MessageOf = Callable[[Record], Message]


class Getters(ABC):
    """The getters of ClusterShell's Task. While a run goes on they show what there is so far.

    Keys are node names; buffers are joined output without the last newline.
    """

    @abstractmethod
    def _result(self) -> Records: ...

    def iter_buffers(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """Each distinct standard output with the nodes that printed it, by first node.

        Nodes that printed nothing are left out. With ``match_keys`` only these nodes count.
        """
        result = self._result()
        return result._groups(result._out_message, match_keys)

    def iter_errors(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """The same for standard error, where it is kept apart (``stderr=True``)."""
        result = self._result()
        return result._groups(result._err_message, match_keys)

    def iter_retcodes(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[int, list[str]]]:
        """Each distinct exit status with its nodes, by first node; those without one are left out."""
        found: dict[int, list[str]] = {}
        for node_result in self._result()._ended(match_keys):
            if node_result.rc is not None:
                found.setdefault(node_result.rc, []).append(node_result.node)
        return iter(found.items())

    def node_buffer(self, node: str) -> bytes:
        """Standard output of a node; ``b""`` if it printed nothing or is not known.

        If several workers ran on the node, their outputs follow each other, a line each at least.
        """
        result = self._result()
        return result._joined(result._out_message, node)

    def node_error(self, node: str) -> bytes:
        """Standard error of a node, where it is kept apart; else ``b""``."""
        result = self._result()
        return result._joined(result._err_message, node)

    def node_retcode(self, node: str) -> int | None:
        """The largest exit status of a node; ``None`` if its command gave none.

        Raises:
            KeyError: the node is not among the targets.
        """
        records = self._result()._records_of(node)
        codes = [r.result.rc for r in records if r.result is not None and r.result.rc is not None]
        return max(codes, default=None)

    key_buffer = node_buffer
    key_error = node_error
    key_retcode = node_retcode

    def max_retcode(self) -> int | None:
        """The largest exit status of all; ``None`` if there is none."""
        return max((rc for rc, _ in self.iter_retcodes()), default=None)

    def num_timeout(self) -> int:
        """How many nodes timed out."""
        return sum(1 for _ in self.iter_keys_timeout())

    def iter_keys_timeout(self) -> Iterator[str]:
        """The nodes that timed out."""
        return (r.node for r in self._result()._ended() if r.outcome is Outcome.TIMED_OUT)

    def flush_buffers(self) -> None:
        """Forget standard output so far; the results of nodes that are over keep theirs."""
        self._result()._flush_out()

    def flush_errors(self) -> None:
        """Forget standard error so far, likewise."""
        self._result()._flush_err()


class Records(Getters):
    """Some targets of a run with their output, and the getters over them."""

    def __init__(self, out: MsgTree, err: MsgTree) -> None:
        self._records: list[Record] = []
        self._indexed: dict[str, list[Record]] = {}
        self._left = 0  # the first record that is not in the index
        self._out = out
        self._err = err

    def all(self) -> list[NodeResult]:
        """Every part that is over: one for each target of each worker."""
        return list(self._ended())

    def _result(self) -> Records:
        return self

    def _add(self, records: Iterable[Record]) -> None:
        self._records += records

    @property
    def _by_node(self) -> dict[str, list[Record]]:
        """The records of each node: brought up to date when it is asked for, which few runs do."""
        for place in range(self._left, len(self._records)):
            record = self._records[place]
            self._indexed.setdefault(record.node, []).append(record)
        self._left = len(self._records)
        return self._indexed

    # -- how the getters see it -------------------------------------------------------------

    def _records_of(self, node: str) -> list[Record]:
        return self._by_node[node]

    def _ended(self, match_keys: Collection[str] | None = None) -> Iterator[NodeResult]:
        wanted = _matcher(match_keys)
        return (
            r.result for r in self._records if r.result is not None and (wanted is None or r.node in wanted)
        )

    def _groups(
        self, message: _MessageOf, match_keys: Collection[str] | None
    ) -> Iterator[tuple[Message, list[str]]]:
        wanted = _matcher(match_keys)
        return iter(group((r.node, message(r)) for r in self._records if wanted is None or r.node in wanted))

    def _joined(self, message: _MessageOf, node: str) -> bytes:
        messages = [message(record) for record in self._by_node.get(node, ())]
        return b"\n".join(bytes(m) for m in messages if m)

    def _out_message(self, record: Record) -> Message:
        return EMPTY if record.out is None else self._out.message(record.out)

    def _err_message(self, record: Record) -> Message:
        return EMPTY if record.err is None else self._err.message(record.err)

    def _flush_out(self) -> None:
        fresh = _Fresh(self._out)
        for record in self._records:
            record.out = fresh.instead_of(record.out)

    def _flush_err(self) -> None:
        fresh = _Fresh(self._err)
        for record in self._records:
            record.err = fresh.instead_of(record.err)


class _Fresh:
    """New places in a gather tree; what several nodes of one process shared they go on sharing."""

    def __init__(self, tree: MsgTree) -> None:
        self._tree = tree
        self._new: dict[Cursor, Cursor] = {}

    def instead_of(self, old: Cursor | None) -> Cursor | None:
        if old is None:
            return None
        if old not in self._new:
            self._new[old] = self._tree.cursor()
        return self._new[old]


class Part(Records):
    """A worker's part of a run."""

    def check(self, node: str) -> None:
        """Raise ``KeyError`` for a node that is not among the worker's."""
        self._records_of(node)

    def only_node(self) -> str:
        """The worker's node, if it has only one.

        Raises:
            UsageError: it has several.
        """
        if len(self._by_node) != 1:
            raise UsageError(f"the worker has {len(self._by_node)} nodes: say whose output to read")
        return self._records[0].node


class Result(Records, Mapping[str, NodeResult]):
    """The result of one run: a mapping from node to :class:`NodeResult`, in the order of the targets.

    It stays valid and as it is when the task runs again. If several workers ran on a node, the
    mapping has the last one's; :meth:`all` has all.
    """

    def __init__(self) -> None:
        super().__init__(MsgTree(), MsgTree())

    # -- what users ask ---------------------------------------------------------------------

    def __getitem__(self, node: str) -> NodeResult:
        for record in reversed(self._records_of(node)):
            if record.result is not None:
                return record.result
        raise KeyError(node)

    def __iter__(self) -> Iterator[str]:
        return (node for node, records in self._by_node.items() if any(r.result for r in records))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def ok(self) -> bool:
        """Whether every target ran and returned 0."""
        return all(r.result is not None and r.result.ok for r in self._records)

    @property
    def failures(self) -> list[NodeResult]:
        """Every part that did not end with exit status 0."""
        return [r for r in self._ended() if not r.ok]

    def nodes_by_outcome(self) -> dict[Outcome, list[str]]:
        """The nodes of each outcome that occurred."""
        found: dict[Outcome, list[str]] = {}
        for node_result in self._ended():
            found.setdefault(node_result.outcome, []).append(node_result.node)
        return {outcome: found[outcome] for outcome in Outcome if outcome in found}

    def raise_for_failures(self) -> None:
        """Raise unless all is well.

        Raises:
            RunFailed: a target did not end with exit status 0; it carries this result.
        """
        if not self.ok:
            raise RunFailed(self)

    def summary(self) -> str:
        """One line: how many nodes ended how, and which did not end well.

        ``97 ok, 2 failed (web[3,7]), 1 timed out (web9)``
        """
        parts = []
        for outcome, found in self.nodes_by_outcome().items():
            names = "" if outcome is Outcome.OK else f" ({_fold(found)})"
            parts.append(f"{len(found)} {outcome}{names}")
        return ", ".join(parts) or "no targets"

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(found)} {outcome}" for outcome, found in self.nodes_by_outcome().items())
        return f"<Result {counts or 'empty'}>"

    # -- what the run does ------------------------------------------------------------------

    def _part(self) -> Part:
        """A part for a worker."""
        return Part(self._out, self._err)

    def _add_target(
        self, nodes: Sequence[str], gather: bool | str, stderr: bool, part: Part | None = None
    ) -> list[Record]:
        """Make room for a target; its nodes share one place in the gather trees."""
        out = self._out.cursor() if gather in (True, "stdout") else None
        err = self._err.cursor() if stderr and gather in (True, "stderr") else None
        records = [Record(node, out, err) for node in nodes]
        self._add(records)
        if part is not None:
            part._add(records)
        return records


def _matcher(match_keys: Collection[str] | None) -> Collection[str] | None:
    """The keys to match, quick to ask; ``None`` for no filter. An empty collection matches none."""
    if match_keys is None:
        return None
    if isinstance(match_keys, str):
        raise TypeError(f"match_keys: a collection of node names, not the string {match_keys!r}")
    return frozenset(match_keys)


def _fold(names: Iterable[str]) -> str:
    try:
        return _nodes.fold(names)
    except NodeSetError:  # keys of local commands may be any text
        return ",".join(names)
