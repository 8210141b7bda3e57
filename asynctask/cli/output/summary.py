"""What is said at the end: who did not end well, and how; all in one line; and the exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from asynctask.cli.output.labels import Titles
from asynctask.cli.terminal import encoded, visible
from asynctask.outcome import NodeResult, Outcome

__all__ = ("exit_status", "failure_lines", "summary_line")

#: What ssh, and so clush, returns for a node that it could not run the command on.
_EXIT_NOT_RUN = 255
#: How many nodes with a reason of their own are listed one by one.
_REASONS = 20
#: What stands for the node in a reason that several nodes share.
_EACH = "NODE"


def failure_lines(
    results: Sequence[NodeResult], titles: Titles | None = None, *, every: bool = False
) -> Iterator[str]:
    """A line for each way in which nodes did not end well, with those nodes.

    ``web[3,7] (2): failed with exit code 3``

    Args:
        results: of all nodes.
        titles: how sets of nodes are written.
        every: list all reasons, however many.
    """
    titles = titles or Titles()
    alike: dict[str, list[NodeResult]] = {}
    for result in results:
        if not result.ok:
            alike.setdefault(_what_happened(result, _EACH), []).append(result)
    reasons = list(alike.items())
    shown = reasons if every else reasons[:_REASONS]
    for text, found in shown:
        one = len(found) == 1
        yield f"{titles.of(_names(found))}: {_what_happened(found[0], found[0].node) if one else text}"
    rest = [result for _, found in reasons[len(shown) :] for result in found]
    if rest:
        others = len(reasons) - len(shown)
        yield f"{titles.of(_names(rest))}: failed for {others} other reasons; -v shows each"


def summary_line(
    results: Sequence[NodeResult], titles: Titles | None = None, attempts: Mapping[str, int] | None = None
) -> str:
    """All in one line: how many nodes ended how and, where not well, which, ready to paste.

    ``97 ok, 2 failed (rc 3): web[3,7], 1 unreachable: web9``

    Args:
        results: of all nodes.
        titles: how sets of nodes are written.
        attempts: how many attempts were made at each node, if there were several at one.
    """
    titles = titles or Titles()
    parts = []
    for what, names in _by_outcome(results):
        again = sum(1 for name in names if (attempts or {}).get(name, 1) > 1)
        text = f"{len(names)} {what}"
        if what == str(Outcome.OK):
            parts.append(f"{text} ({again} only when tried again)" if again else text)
        else:
            parts.append(f"{text}: {titles.names(names)}")
    return ", ".join(parts) or "no targets"


def _by_outcome(results: Sequence[NodeResult]) -> list[tuple[str, list[str]]]:
    """The nodes of each outcome, and of each exit code and signal."""
    order = {outcome: place for place, outcome in enumerate(Outcome)}
    found: dict[tuple[int, int], tuple[str, list[str]]] = {}
    for result in results:
        outcome, rc = result.outcome, result.rc or 0
        if outcome is Outcome.FAILED:
            what = f"{outcome} (rc {rc})"
        elif outcome is Outcome.SIGNALLED:
            what = result.describe()
        else:
            what, rc = str(outcome), 0
        found.setdefault((order[outcome], rc), (what, []))[1].append(result.node)
    return [entry for _, entry in sorted(found.items())]


def _what_happened(result: NodeResult, name: str) -> str:
    """In words, with ``name`` for the node, so that they can be the same for several."""
    error = result.error
    if error is None:
        return result.describe()
    text = f"{error.reason}; {error.hint}" if error.hint else error.reason
    text = re.sub(rf"(?<![\w.-]){re.escape(result.node)}(?![\w-])", lambda _: name, text)
    return visible(encoded(text)).decode().replace("\n", "^J")


def _names(results: list[NodeResult]) -> list[str]:
    return [result.node for result in results]


def exit_status(results: Sequence[NodeResult]) -> int:
    """The exit status for ``-S``: the largest exit code, 255 if a node gave none."""
    codes = (_EXIT_NOT_RUN if result.rc is None else result.rc for result in results)
    return max(codes, default=0)
