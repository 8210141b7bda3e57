"""How many processes somebody wants: ``3``, ``"=3"``, ``"+1"``, ``"-1"``."""

from __future__ import annotations

import re

from asynctask.errors import ManagerError, UsageError

__all__ = ("MOST", "new_count")

#: Processes of one template on one node: more is a mistake.
MOST = 10_000

_WISH = re.compile(r"([=+-]?)(\d{1,6})")


def new_count(name: str, now: int, wish: int | str, most: int = MOST) -> int:
    """The number that a wish makes of the present one.

    Args:
        name: the template's, for errors.
        now: how many there are to be so far.
        wish: a number, or a text: ``"3"`` and ``"=3"`` are three, ``"+1"`` one more, ``"-1"`` one less.
        most: how many there may be.

    Raises:
        UsageError: this is no wish.
        ManagerError: it would be less than none, or more than ``most``.
    """
    if isinstance(wish, bool) or not isinstance(wish, int | str):
        raise UsageError(f"{name}: cannot scale to {wish!r}: give a number, '+n' or '-n'")
    if isinstance(wish, int):
        count = wish
    else:
        match = _WISH.fullmatch(wish.strip())
        if match is None:
            raise UsageError(f"{name}: cannot scale to {wish!r}: give a number, '+n' or '-n'")
        sign, number = match[1], int(match[2])
        count = now + number if sign == "+" else now - number if sign == "-" else number
    if not 0 <= count <= most:
        raise ManagerError(f"{name}: cannot scale from {now} to {count}: it can be 0 to {most}")
    return count
