"""A number of nodes, or a part of all: ``50``, ``10%``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from asynctask.errors import UsageError

__all__ = ("Share",)

_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Share:
    """So many nodes, or so many of a hundred."""

    text: str
    """As it was written."""
    amount: Fraction
    is_percentage: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``N`` or ``N%``.

        Raises:
            UsageError: it is neither, or nothing, or more than all.
        """
        form = _FORM.fullmatch(text.strip())
        if form is not None:
            amount, is_percentage = Fraction(form[1]), bool(form[2])
            fits = 0 < amount <= 100 if is_percentage else amount >= 1 and "." not in form[1]
            if fits:
                return cls(text.strip(), amount, is_percentage)
        raise UsageError(f"{text!r}: a number of nodes, 1 or more, or a part of them such as 10%")

    def at_least(self, total: int) -> int:
        """The fewest nodes of ``total`` that are not less than this; 1 or more."""
        return max(1, math.ceil(self._exact(total)))

    def at_most(self, total: int) -> int:
        """The most nodes of ``total`` that are not more than this; 1 or more in any case."""
        return max(1, math.floor(self._exact(total)))

    def _exact(self, total: int) -> Fraction:
        return self.amount * total / 100 if self.is_percentage else self.amount

    def __str__(self) -> str:
        return self.text
