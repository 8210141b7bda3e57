"""Whose a line is: what stands in front of it, and the nodes that this means."""

from __future__ import annotations

from typing import NamedTuple

from asynctask.errors import AsyncTaskError, NodeSetError
from asynctask.nodes import expand

__all__ = ("Labels", "Split")


class Split(NamedTuple):
    """Where the label of a line ends."""

    text: bytes = b":"
    blank: bool = True
    """Whether one blank after it belongs to it, as pdsh, clush and asynctask write labels."""

    @property
    def usual(self) -> bytes:
        """What most lines have between label and text."""
        return self.text + b" " if self.blank else self.text

    def __call__(self, line: bytes) -> tuple[bytes, bytes] | None:
        """The label and the text of a line; ``None``: it has no label."""
        label, found, text = line.partition(self.text)
        if not found:
            return None
        return label, text[1:] if self.blank and text.startswith(b" ") else text


class Labels:
    """Finds the nodes that a label means.

    Args:
        interpret: ``auto``: a label is a node set if it can be one; ``always``: it must be one;
            ``never``: it is one name, whatever it looks like.
        source: the group source of groups in labels.

    Attributes:
        odd: names that are no nodes, in the order in which they came.
    """

    def __init__(self, interpret: str = "auto", source: str | None = None) -> None:
        self._interpret = interpret
        self._source = source
        self.odd: dict[str, None] = {}

    def nodes(self, label: bytes) -> tuple[str, ...]:
        """The names that a label stands for; none if it is no label at all, but text.

        Raises:
            NodeSetError: it is no node set and must be one.
        """
        name = label.strip().decode(errors="surrogateescape")
        if not name:
            return ()
        if self._interpret == "never":
            return self._taken_as_it_is(name)
        try:
            if len(name.split()) > 1:
                raise NodeSetError("it has a blank inside")
            return expand(name, self._source)
        except AsyncTaskError as exc:
            if self._interpret == "always":
                raise NodeSetError(f"label {name!r} is no node set: {exc}") from exc
            if len(name.split()) > 1:
                return ()
            return self._taken_as_it_is(name)

    def _taken_as_it_is(self, name: str) -> tuple[str]:
        self.odd[name] = None
        return (name,)
