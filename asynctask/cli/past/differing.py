"""What two runs have different: how nodes ended, and what they printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asynctask.cli.past.records import Node, Output
from asynctask.lines import split_lines
from asynctask.outcome import Outcome, signal_name

__all__ = ("Changed", "Difference", "compare")


@dataclass(frozen=True, slots=True)
class Changed:
    """Another output, with the nodes that changed in the same way."""

    stream: str
    nodes: list[str]
    old: Output
    new: Output

    @property
    def lines(self) -> tuple[list[bytes], list[bytes]]:
        """The lines before and after, without their ends."""
        return split_lines(self.old.shown), split_lines(self.new.shown)


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs."""

    only_old: list[str]
    """The nodes that only the first run has."""
    only_new: list[str]
    ends: list[tuple[str, str, list[str]]]
    """How nodes ended: before, after, and who."""
    outputs: list[Changed]

    def __bool__(self) -> bool:
        return bool(self.only_old or self.only_new or self.ends or self.outputs)


def compare(old: Sequence[Node], new: Sequence[Node]) -> Difference:
    """What differs between the nodes of two runs; identical differences are put together."""
    before = {node.node: node for node in old}
    after = {node.node: node for node in new}
    both = [(node, after[name]) for name, node in before.items() if name in after]
    return Difference(
        only_old=[name for name in before if name not in after],
        only_new=[name for name in after if name not in before],
        ends=_ends(both),
        outputs=[*_outputs("stdout", both), *_outputs("stderr", both)],
    )


def _ends(pairs: Iterable[tuple[Node, Node]]) -> list[tuple[str, str, list[str]]]:
    found: dict[tuple[str, str], list[str]] = {}
    for old, new in pairs:
        ends = _end(old), _end(new)
        if ends[0] != ends[1]:
            found.setdefault(ends, []).append(old.node)
    return [(before, after, names) for (before, after), names in found.items()]


def _outputs(stream: str, pairs: Iterable[tuple[Node, Node]]) -> list[Changed]:
    found: dict[tuple[Output, Output], list[str]] = {}
    for old, new in pairs:
        texts = (old.out, new.out) if stream == "stdout" else (old.err, new.err)
        if texts[0] != texts[1]:
            found.setdefault(texts, []).append(old.node)
    return [Changed(stream, names, before, after) for (before, after), names in found.items()]


def _end(node: Node) -> str:
    """In words."""
    match node.outcome:
        case None:
            return "never started" if node.started is None else "not known how it ended"
        case Outcome.FAILED:
            return f"failed with exit code {node.rc}"
        case Outcome.SIGNALLED if node.signal is not None:
            return f"killed by {signal_name(node.signal)}"
    return str(node.outcome)
