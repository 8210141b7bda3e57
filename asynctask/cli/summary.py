"""What is said at the end: who did not end well, and how; and the exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from asynctask.cli.display import title
from asynctask.cli.terminal import encoded, visible
from asynctask.outcome import NodeResult

__all__ = ("exit_status", "failure_lines")

#: What ssh, and so clush, returns for a node that it could not run the command on.
_EXIT_NOT_RUN = 255
#: How many nodes with a reason of their own are listed one by one.
_REASONS = 20
#: What stands for the node in a reason that several nodes share.
_EACH = "NODE"


def failure_lines(results: Sequence[NodeResult], *, every: bool) -> Iterator[str]:
    """A line for each way in which nodes did not end well, with those nodes.

    ``web[3,7] (2): failed with exit code 3``

    Args:
        results: of all nodes.
        every: list all reasons, however many.
    """
    alike: dict[str, list[NodeResult]] = {}
    for result in results:
        if not result.ok:
            alike.setdefault(_what_happened(result, _EACH), []).append(result)
    reasons = list(alike.items())
    shown = reasons if every else reasons[:_REASONS]
    for text, found in shown:
        yield f"{title(_names(found))}: {text if len(found) > 1 else _what_happened(found[0], found[0].node)}"
    rest = [result for _, found in reasons[len(shown) :] for result in found]
    if rest:
        yield f"{title(_names(rest))}: failed for {len(reasons) - len(shown)} other reasons; -v shows each"


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
