"""The getters of a worker: what its own nodes brought, in the run that it is or was part of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynctask.messages import Message
    from asynctask.outcome import NodeResult
    from asynctask.results import Part

__all__ = ("WorkerGetters",)


class WorkerGetters:
    """ClusterShell's getters of a worker. They answer as long as the worker lives, later runs or not.

    Before the worker is scheduled there is nothing.
    """

    _part: Part | None = None

    def results(self) -> list[NodeResult]:
        """How each of its targets that is over has ended, in the order of the targets."""
        return [] if self._part is None else self._part.all()

    def read(self, node: str | None = None, sname: str = "stdout") -> bytes | None:
        """What ``node`` printed on a stream, ``"stdout"`` or ``"stderr"``; ``None`` if nothing.

        Args:
            node: may be left out if there is only one.
            sname: a stream of another name is not kept: hear it with ``ev_read``.

        Raises:
            KeyError: the worker has no such node.
        """
        if self._part is None:
            return None
        node = self._part.only_node() if node is None else node
        self._part.check(node)
        if sname not in ("stdout", "stderr"):
            return None
        return (self._part.node_buffer(node) if sname == "stdout" else self._part.node_error(node)) or None

    def node_buffer(self, node: str) -> bytes:
        """Standard output of a node without its last newline; ``b""`` if it printed nothing."""
        return b"" if self._part is None else self._part.node_buffer(node)

    def node_error(self, node: str) -> bytes:
        """Standard error of a node, where it is kept apart; else ``b""``."""
        return b"" if self._part is None else self._part.node_error(node)

    def node_retcode(self, node: str) -> int | None:
        """The exit status of a node; ``None`` if it has none, or not yet.

        Raises:
            KeyError: the worker has no such node, or is not scheduled.
        """
        if self._part is None:
            raise KeyError(node)
        return self._part.node_retcode(node)

    node_error_buffer = node_error
    node_rc = node_retcode

    def retcode(self) -> int | None:
        """The exit status, for a worker with one node; with several, the largest."""
        return None if self._part is None else self._part.max_retcode()

    def iter_buffers(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """Each distinct standard output with the nodes that printed it, by first node."""
        return iter(()) if self._part is None else self._part.iter_buffers(match_keys)

    def iter_errors(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """The same for standard error, where it is kept apart."""
        return iter(()) if self._part is None else self._part.iter_errors(match_keys)

    def iter_retcodes(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[int, list[str]]]:
        """Each distinct exit status with its nodes."""
        return iter(()) if self._part is None else self._part.iter_retcodes(match_keys)

    def iter_node_buffers(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Each node that printed something, with its standard output."""
        return ((node, bytes(buffer)) for buffer, nodes in self.iter_buffers(match_keys) for node in nodes)

    def iter_node_errors(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Each node that printed something on standard error, with it."""
        return ((node, bytes(buffer)) for buffer, nodes in self.iter_errors(match_keys) for node in nodes)

    def iter_node_retcodes(self) -> Iterator[tuple[str, int]]:
        """Each node that has an exit status, with it, in the order of the nodes."""
        return ((result.node, result.rc) for result in self.results() if result.rc is not None)

    def num_timeout(self) -> int:
        """How many nodes timed out."""
        return 0 if self._part is None else self._part.num_timeout()

    def iter_keys_timeout(self) -> Iterator[str]:
        """The nodes that timed out."""
        return iter(()) if self._part is None else self._part.iter_keys_timeout()

    def did_timeout(self) -> bool:
        """Whether a node timed out."""
        return self.num_timeout() > 0

    def flush_buffers(self) -> None:
        """Forget standard output so far; the results of nodes that are over keep theirs."""
        if self._part is not None:
            self._part.flush_buffers()

    def flush_errors(self) -> None:
        """Forget standard error so far, likewise."""
        if self._part is not None:
            self._part.flush_errors()
