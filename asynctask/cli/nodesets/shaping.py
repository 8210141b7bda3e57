"""What becomes of a set before it is written: parts of it, how it is folded, how it is cut up."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from asynctask.errors import NodeSetError

__all__ = (
    "Autostep",
    "along_axes",
    "formatted",
    "least_for_step",
    "parts",
    "picked",
    "sliced",
    "step",
    "unescaped",
)

#: A number of nodes, a share of them (0.5), or ``"auto"``.
Autostep = int | float | str

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def step(text: str) -> Autostep:
    """What ``--autostep`` says.

    Raises:
        ValueError: it is no number of nodes, no percentage and not ``auto``.
    """
    if text == "auto":
        return text
    match = re.fullmatch(r"(\d+)|(\d+(?:\.\d*)?)%", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) if match[1] else float(match[2]) / 100


def least_for_step(autostep: Autostep, size: int) -> int:
    """How many nodes at least are written as ``a-b/n``, in a set of so many."""
    if autostep == "auto":  # only if one such range holds all of them
        return max(3, size)
    if isinstance(autostep, float):
        return math.ceil(size * autostep)
    return int(autostep)


def sliced(found: Any, indexes: str) -> Any:
    """The nodes at these places, counted from 0: ``0-3,7``, ``0-9/2``.

    Raises:
        NodeSetError: that is no set of places.
    """
    from asynctask.cli.nodesets.computing import range_set

    kept = type(found)()
    for piece in range_set([indexes], "-I").slices():
        kept.update(found[piece])
    return kept


def picked(found: Any, number: int) -> Any:
    """So many at random; all if there are no more."""
    if number >= len(found):
        return found
    import random

    chosen = type(found).fromlist([str(one) for one in random.sample(list(found), number)])
    return found.intersection(chosen)


def along_axes(text: str) -> tuple[int, ...] | list[int]:
    """The axes of ``--axis``, from 0, as ClusterShell takes them: ``1``, ``1,3``, or ``-1`` for the last.

    Raises:
        NodeSetError: it says something else.
    """
    from asynctask.cli.nodesets.computing import range_set

    if text.startswith("-"):
        try:
            return [int(text)]
        except ValueError:
            raise NodeSetError(f"--axis {text}: give axes from 1, as 1,3, or -1 for the last") from None
    return tuple(axis - 1 for axis in range_set([text], "--axis").intiter() if axis > 0)


def parts(found: Any, split: int | None, contiguous: bool) -> Iterator[Any]:
    """The set as a whole, or cut into so many parts, or where it has gaps. An empty set is one part."""
    if not found or not (contiguous or split):
        yield found
    elif contiguous:
        yield from found.contiguous()
    else:
        yield from found.split(split)


def unescaped(text: str) -> str:
    r"""A text in which ``\n``, ``\t``, ``\r``, ``\0``, ``\x2c`` and ``\\`` stand for characters."""
    return re.sub(
        r"\\(?:([ntr0\\])|x([0-9A-Fa-f]{2}))",
        lambda match: _ESCAPES[match[1]] if match[1] else chr(int(match[2], 16)),
        text,
    )


def formatted(template: str, value: object) -> str:
    """A value in a format with one ``%s`` (``%-20s``, ``%05d`` for a number).

    Raises:
        NodeSetError: the format does not fit.
    """
    try:
        return template % (value,)
    except (TypeError, ValueError, OverflowError) as exc:
        raise NodeSetError(f"-O {template!r}: {exc}; write %s where the result belongs, %% for %") from exc
