"""What goes to a terminal: what nodes print must not be able to drive it."""

from __future__ import annotations

import os
import re

__all__ = ("STDERR", "STDOUT", "encoded", "is_terminal", "visible")

STDOUT, STDERR = 1, 2

# All that ASCII text may hold: a byte outside of it needs a closer look.
_PLAIN = re.compile(rb"[\n\t\x20-\x7e]*")
# Control characters of ASCII and ISO 8859-1, line and paragraph separators, and what changes the
# direction of writing, which can make a line read as something else.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def _written_out(code: int) -> str:
    if code < 0x20:
        return "^" + chr(code + 0x40)
    if code == 0x7F:
        return "^?"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


_CANDIDATES = (*range(0xA0), 0x61C, *range(0x200E, 0x206A))
_WRITTEN_OUT = {code: _written_out(code) for code in _CANDIDATES if _UNSAFE.match(chr(code))}


def visible(data: bytes) -> bytes:
    r"""The same text with all control characters written out, as UTF-8.

    ``ESC`` becomes ``^[``, a lone carriage return ``^M``, others ``\x9b`` or ``\u202e``. Newlines and tabs
    stay. What is not UTF-8 becomes U+FFFD.
    """
    if _PLAIN.fullmatch(data):
        return data
    text = data.decode(errors="replace")
    if _UNSAFE.search(text):
        text = text.translate(_WRITTEN_OUT)
    return text.encode()


def encoded(text: str) -> bytes:
    """The bytes of a text; a name that came as other bytes than UTF-8 is as it came."""
    return text.encode(errors="surrogateescape")


def is_terminal(fd: int) -> bool:
    """Whether a descriptor is an open terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False
