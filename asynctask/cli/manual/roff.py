"""Text for ``man``: the few things of roff that a manual page needs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

__all__ = ("bold", "escaped", "italic", "paragraphs", "section", "subsection", "tagged", "title")

# A plain - becomes a hyphen, which cannot be pasted into a shell; the same goes for these quotes and accents.
_ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPES)))
#: What click takes for a paragraph that must stay as it is.
_VERBATIM = "\b"


def escaped(text: str) -> str:
    """Text that means itself."""
    text = _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)
    text = re.sub(r"[^\x00-\x7f]", lambda match: rf"\[u{ord(match[0]):04X}]", text)
    return re.sub(r"^(?=\.)", r"\\&", text, flags=re.MULTILINE)  # a dot in front would be a request


def bold(text: str) -> str:
    """What is to be typed as it is; escaped here."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """What stands for something else; escaped here."""
    return rf"\fI{escaped(text)}\fR"


def title(name: str, version: str) -> str:
    """How a page begins: words are not divided, since many are to be typed."""
    return f'.TH {escaped(name.upper())} 1 "" "asynctask {escaped(version)}" "asynctask manual"\n.nh\n.ad l\n'


def section(name: str) -> str:
    """The heading of a section."""
    return f".SH {escaped(name.upper())}\n"


def subsection(name: str) -> str:
    """A heading within a section."""
    return f".SS {escaped(name)}\n"


def tagged(tag: str, text: str) -> str:
    """A tag, in roff already, and behind it what it means, which is escaped here."""
    return f".TP\n{tag}\n{escaped(' '.join(text.split()))}\n"


def paragraphs(text: str) -> Iterator[tuple[str, str]]:
    r"""The paragraphs of a help text as roff, each with its heading, if it is one of examples or the like.

    Paragraphs begin as click has it: with a line ``\b`` their lines stay as they are.
    """
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if not paragraph.strip():
            continue
        if not paragraph.startswith(_VERBATIM):
            yield "", f".PP\n{escaped(' '.join(paragraph.split()))}\n"
            continue
        lines = paragraph.removeprefix(_VERBATIM).strip("\n").splitlines()
        heading = ""
        if re.fullmatch(r"[A-Z][\w ]*:", lines[0].strip()):
            heading = lines.pop(0).strip().removesuffix(":")
        body = "\n".join(map(escaped, inspect.cleandoc("\n".join(["", *lines])).splitlines()))
        yield heading, f".PP\n.nf\n{body}\n.fi\n"
