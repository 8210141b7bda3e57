"""The parameters of an operation: taken one by one, checked, and none left over."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from asynctask.errors import TemplateNotFoundError, UsageError

__all__ = ("Given", "matching")


class Given:
    """What was given to an operation; wrong parameters are a :class:`UsageError` with their names.

    Args:
        operation: its name, for messages.
        params: by their names, as JSON has them.
    """

    def __init__(self, operation: str, params: Mapping[str, Any]) -> None:
        self._operation = operation
        self._left = {key: value for key, value in params.items() if value is not None}

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty; needed unless there is a default."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, value, "a string")
        return value

    def optional_text(self, key: str) -> str | None:
        """A string, or ``None`` when it was not given."""
        return self.text(key) if key in self._left else None

    def names(self, key: str = "names") -> list[str] | None:
        """Names of templates, which may be patterns; ``None``: all. One may be given as ``name``."""
        value = self._left.pop(key, None)
        if "name" in self._left:
            if value is not None:
                raise UsageError(f"{self._operation}: name and {key} exclude each other")
            value = self._left.pop("name")
        if value is None or value == []:
            return None
        return self._strings(key, [value] if isinstance(value, str) else value)

    def truth(self, key: str, default: bool) -> bool:
        """Whether."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def number(self, key: str, default: float | None, least: float) -> float | None:
        """A finite number, ``least`` or more."""
        value = self._left.pop(key, default)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(key, value, "a number")
        if not (math.isfinite(value) and value >= least):
            raise self._wrong(key, value, f"a number, {least:g} or more")
        return value

    def whole(self, key: str, default: int | None = None, least: int = 0, most: int = 2**31 - 1) -> int:
        """A whole number; needed unless there is a default."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, value, f"a whole number from {least} to {most}")
        return value

    def whole_or_text(self, key: str) -> int | str:
        """A whole number or a string."""
        value = self._take(key, None)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise self._wrong(key, value, "a whole number or a string")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """An object."""
        value = self._take(key, None)
        if not isinstance(value, Mapping):  # there may be secrets in it
            raise UsageError(f"{self._operation}: {key}: an object is needed")
        return dict(value)

    def environment(self, key: str = "env") -> dict[str, str] | None:
        """Variables; ``None`` when there are none."""
        if key not in self._left:
            return None
        from asynctask.workers.arguments import check_env  # much, for the commands that need the rest alone

        value = self.mapping(key)
        try:
            return check_env(value)
        except UsageError as exc:
            raise UsageError(f"{self._operation}: {exc}") from None

    def data(self, key: str = "data") -> bytes:
        """Bytes: text, or base64 as ``<key>_base64``; none when nothing was given."""
        exact = self._left.pop(f"{key}_base64", None)
        text = self._left.pop(key, None)
        if exact is not None and text is not None:
            raise UsageError(f"{self._operation}: {key} and {key}_base64 exclude each other")
        if isinstance(exact, str):
            try:
                return base64.b64decode(exact, validate=True)
            except (binascii.Error, ValueError):
                raise UsageError(f"{self._operation}: {key}_base64 is no base64") from None
        value = "" if text is None and exact is None else text
        if not isinstance(value, str):
            raise self._wrong(key, value if exact is None else exact, "a string")
        return value.encode(errors="replace")

    def done(self) -> None:
        """There must be nothing left: a parameter with a typing error would be overlooked."""
        if self._left:
            names = ", ".join(repr(name) for name in self._left)
            raise UsageError(f"{self._operation}: no such parameter: {names}")

    def _take(self, key: str, default: Any) -> Any:
        value = self._left.pop(key, default)
        if value is None:
            raise UsageError(f"{self._operation}: {key} is missing")
        return value

    def _strings(self, key: str, value: Any) -> list[str]:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(key, value, "a list of names")
        return list(value)

    def _wrong(self, key: str, value: Any, wanted: str) -> UsageError:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return UsageError(f"{self._operation}: {key}: {shown} is not {wanted}")


def matching(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names that patterns as of a shell mean, each once, in the order of ``names``.

    Raises:
        TemplateNotFoundError: a pattern means none.
    """
    found: set[str] = set()
    for pattern in patterns:
        here = {name for name in names if name == pattern or fnmatchcase(name, pattern)}
        if not here:
            raise TemplateNotFoundError(_nobody(pattern, names))
        found |= here
    return [name for name in names if name in found]


def _nobody(pattern: str, names: Sequence[str]) -> str:
    head, dot, number = pattern.partition("@")[0].rpartition(".")
    if dot and head in names and number.isdecimal():
        return f"{pattern!r} is one process, and this goes for all of a template: name {head!r}"
    there = f"there are: {', '.join(names)}" if names else "none is loaded"
    return f"no template {pattern!r}; {there}"
