r"""Whether output is coloured, and how: as ClusterShell's commands do it.

``--color`` decides; with ``auto`` the variables ``NO_COLOR``, ``CLICOLOR_FORCE`` and ``CLICOLOR``, in this
order, and then whether the stream is a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ("PLAIN", "Palette", "wanted")

_RESET = b"\x1b[0m"


class Palette:
    """Puts colours round bytes that hold no control characters of their own, or round nothing.

    Args:
        colored: whether it does anything at all.
    """

    __slots__ = ("colored",)

    def __init__(self, colored: bool) -> None:
        self.colored = colored

    def heading(self, text: bytes) -> bytes:
        """A header of gathered output, or the label of a line."""
        return self._in(b"94", text)

    def error(self, text: bytes) -> bytes:
        """The label of a line of standard error."""
        return self._in(b"91", text)

    def mark(self, text: bytes) -> bytes:
        """What stands for places that differ; the names in a diff."""
        return self._in(b"1", text)

    def place(self, text: bytes) -> bytes:
        """Where in a text a difference is."""
        return self._in(b"96", text)

    def added(self, text: bytes) -> bytes:
        return self._in(b"92", text)

    def removed(self, text: bytes) -> bytes:
        return self._in(b"91", text)

    def _in(self, code: bytes, text: bytes) -> bytes:
        return b"\x1b[%sm%s%s" % (code, text, _RESET) if self.colored and text else text


PLAIN = Palette(colored=False)


def wanted(choice: str, terminal: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream gets colours.

    Args:
        choice: ``never``, ``always``, or ``auto`` (also ``""``).
        terminal: whether the stream is one.
        environ: the environment; a variable without a value counts as not set.
    """
    if choice in {"never", "always"}:
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return terminal and environ.get("CLICOLOR") != "0" and environ.get("TERM") != "dumb"
