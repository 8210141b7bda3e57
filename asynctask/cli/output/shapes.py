"""What texts have in common when a node's own name, numbers and times are left out.

Only numbers that stand by themselves count, ``12.5GB`` included: ``eth0`` and ``sda1`` are names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ("Shape", "own_names", "pieces", "shape_of", "similarity_key")

_MONTHS = (
    *("Jan(?:uary)?", "Feb(?:ruary)?", "Mar(?:ch)?", "Apr(?:il)?", "May", "June?"),
    *("July?", "Aug(?:ust)?", "Sep(?:tember)?", "Oct(?:ober)?", "Nov(?:ember)?", "Dec(?:ember)?"),
)
_DAYS = (
    *("Mon(?:day)?", "Tue(?:sday)?", "Wed(?:nesday)?", "Thu(?:rsday)?"),
    *("Fri(?:day)?", "Sat(?:urday)?", "Sun(?:day)?"),
)


def _any(names: Sequence[str]) -> str:
    return f"(?:{'|'.join(names)})"


def _tails(names: Sequence[str]) -> str:
    """The same after their first letters."""
    return _any([f"(?<={name[0]}){name[1:]}" for name in names])


# What is left out: numbers, and names of days and months where a date goes on after them. It begins with
# a character, and looks back from there: `re` finds that several times as fast.
_VARYING = re.compile(
    (
        r"([0-9JFMASONDTW](?:(?<![A-Za-z0-9_].)|(?<=[0-9]T.))(?:"
        r"(?<=[0-9])(?:(?<=0)[xX][0-9a-fA-F]+|[0-9]*(?:[.,][0-9]+)*)"
        rf"|{_tails(_DAYS)},?[ ]{{1,2}}(?:{_any(_MONTHS)}[ -]{{1,2}}(?=\d)|(?=\d{{1,2}}[ -]{_any(_MONTHS)}))"
        rf"|{_tails(_MONTHS)}[ -]{{1,2}}(?=\d)"
        r"))"
    ).encode(),
    re.DOTALL,
)
_DAY = rf"(?:{_any(_DAYS)},?[ ]{{1,2}})?"
_DATE = (
    r"(?:\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d"
    rf"|{_DAY}{_any(_MONTHS)}[ ]{{1,2}}\d{{1,2}}(?:,?[ ]\d{{4}}\b(?!:))?"
    rf"|{_DAY}\d{{1,2}}[ -]{_any(_MONTHS)}[ -]\d{{4}})"
)
_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?"
_ZONE = r"(?:Z\b|[ ]?[+-]\d\d:?\d\d\b|[ ](?:UTC|GMT|[WCE]ES?T|BST|[ECMP][SD]T)\b)?"
# What is shown as a time, whole. To find out what is similar its numbers do.
_TIME = re.compile(
    (
        rf"(?<![\w.,:-])(?:{_DATE}(?:[T ,]{{1,2}}{_CLOCK}{_ZONE}(?:[ ]\d{{4}}\b)?)?"
        rf"|{_CLOCK}{_ZONE})(?!\d)"
    ).encode()
)
# Numbers are set in columns: how many blanks stand beside one does not matter.
_BEFORE, _AFTER = re.compile(rb"(?<! )  +(?=\x00\x02)"), re.compile(rb"(?<=\x00\x02)  +")

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_TARGET = re.compile(r"(?:ssh://)?(?:[^@/]*@)?(?P<host>\[[^\]]*\]|[^:/]*(?::.*:.*)?)(?::\d+)?/?", re.DOTALL)

# Zero bytes of a text are doubled, so these are nothing else.
_NODE, _VALUE = b"\0\1", b"\0\2"
_ESCAPED = re.compile(rb"\x00[\x01\x00]")


class Shape(NamedTuple):
    """A text, taken apart."""

    key: bytes
    """The same for texts that differ only in what is left out."""
    values: tuple[bytes, ...]
    """The numbers and parts of dates that are left out, as they come."""
    named: bool
    """Whether one of the names is left out."""


def similarity_key(text: bytes, node: str) -> bytes:
    """The same for two texts that differ only in the own names of their nodes, numbers and times."""
    return shape_of(text, own_names(node)).key


def own_names(node: str) -> tuple[bytes, ...]:
    """What a node may call itself: its name, and its name without the domain; longest first.

    Names without a letter are not among them, unless they are addresses: they are numbers.
    """
    match = _TARGET.fullmatch(node)
    host = (match["host"] if match else node).strip("[]")
    is_address = ":" in host or not re.search("[A-Za-z]", host.rpartition(".")[2])
    names = [host] if is_address and "." in host else [host, host.partition(".")[0]]
    found = dict.fromkeys(name for name in names if re.search("[A-Za-z:.]", name))
    return tuple(name.encode(errors="surrogateescape") for name in found)


def shape_of(text: bytes, names: Sequence[bytes] = ()) -> Shape:
    """Take a text apart.

    Args:
        text: what a node printed.
        names: what it calls itself, longest first.
    """
    prepared, named = _prepared(text, names)
    parts = _VARYING.split(prepared)
    key = _VALUE.join(parts[::2])
    if b"  " + _VALUE in key:
        key = _BEFORE.sub(b" ", key)
    if _VALUE + b"  " in key:
        key = _AFTER.sub(b" ", key)
    return Shape(key, tuple(parts[1::2]), named)


def pieces(text: bytes, names: Sequence[bytes], differs: Sequence[bool]) -> Iterator[tuple[bytes, bool]]:
    """The text again, with marks for the node's name and for those values that are said to differ.

    Yields:
        What is to be shown, and whether it is a mark.
    """
    prepared, _ = _prepared(text, names)
    end = 0
    for start, after, mark in _marks(prepared, differs):
        yield from _between(prepared[end:start])
        yield mark, True
        end = after
    yield from _between(prepared[end:])


def _marks(text: bytes, differs: Sequence[bool]) -> Iterator[tuple[int, int, bytes]]:
    """The values that differ; a time as a whole if some of it does."""
    matches = _VARYING.finditer(text)
    values = [match.span() for match, differing in zip(matches, differs, strict=True) if differing]
    times = (match.span() for match in _TIME.finditer(text))
    time = next(times, None)
    done = 0
    for start, end in values:
        if start < done:
            continue
        while time is not None and time[1] <= start:
            time = next(times, None)
        if time is not None and time[0] < end:
            done = max(time[1], end)
            yield min(time[0], start), done, b"<time>"
        else:
            done = end
            yield start, end, b"<n>"


def _between(text: bytes) -> Iterator[tuple[bytes, bool]]:
    end = 0
    for match in _ESCAPED.finditer(text):
        if match[0] == _NODE:
            yield text[end : match.start()].replace(b"\0\0", b"\0"), False
            yield b"<node>", True
            end = match.end()
    yield text[end:].replace(b"\0\0", b"\0"), False


def _prepared(text: bytes, names: Sequence[bytes]) -> tuple[bytes, bool]:
    """The text with its names left out, and whether there were any."""
    named = False
    if b"\0" in text:
        text = text.replace(b"\0", b"\0\0")
    for name in names:
        parts: list[bytes] = []
        end, at = 0, text.find(name)
        while at >= 0:
            after = at + len(name)
            if (at and text[at - 1] in _ALNUM) or (after < len(text) and text[after] in _ALNUM):
                at = text.find(name, at + 1)
                continue
            parts += (text[end:at], _NODE)
            end = after
            at = text.find(name, after)
        if parts:
            named = True
            text = b"".join((*parts, text[end:]))
    return text, named
