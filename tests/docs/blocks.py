"""Takes the fenced code blocks out of a page and joins those that belong together to examples.

What a block is for stands in its language and in marks, HTML comments on the lines before it, so that
a reader sees neither:

=========================  ============================================================================
``<!-- not run: why -->``  it cannot be run here; ``test_examples.py`` counts these
``<!-- continued -->``     it goes on from the block before it: same names, same directory
``<!-- file: name -->``    it is the text of a file, in the current directory or, with ``~/``, at home
``<!-- any order -->``     the lines of its output may come in any order
``<!-- needs: name -->``   it runs where that program is installed; in CI it must be
=========================  ============================================================================

An ``output`` block is what the ``python`` block before it prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("Block", "Example", "PageError", "examples", "read_blocks")

RUN = ("python", "console")
#: Shown, not run: what a program prints elsewhere, configuration.
SHOWN = ("text", "toml", "ini", "yaml")
_MARKS = {
    "not run": True,
    "continued": False,
    "file": True,
    "any order": False,
    "needs": True,
}  # whether it has a value

_FENCE = re.compile(r"(\s*)(```+|~~~+)\s*(\S*)")
_COMMENT = re.compile(r"<!--\s*([^:]*?)\s*(?::\s*(.*?)\s*)?-->")


class PageError(Exception):
    """A page with a block that the tests could not account for."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    """The line of its first fence, from 1."""
    language: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The place, as an editor opens it."""
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Example:
    """Blocks that are run one after the other."""

    blocks: list[Block]

    @property
    def where(self) -> str:
        """Where it begins."""
        return self.blocks[0].where


def read_blocks(page: Path) -> list[Block]:
    """All blocks of a page but the directives of Sphinx.

    Raises:
        PageError: a fence is not at the start of its line, has no end or an unknown mark.
    """
    lines = page.read_text().splitlines()
    blocks = []
    numbers = iter(range(len(lines)))
    for number in numbers:
        fence = _FENCE.match(lines[number])
        if fence is None:
            continue
        where = f"{page.name}:{number + 1}"
        if fence[1] or fence[2] != "```":
            raise PageError(f"{where}: only a fence of three backticks at the start of a line is seen")
        body = []
        for inside in numbers:
            if lines[inside].startswith("```"):
                break
            body.append(lines[inside] + "\n")
        else:
            raise PageError(f"{where}: the block has no end")
        if not fence[3].startswith("{"):
            marks = dict(_marks(lines, number, where))
            blocks.append(Block(page, number + 1, fence[3], "".join(body), marks))
    return blocks


def _marks(lines: list[str], fence: int, where: str) -> Iterator[tuple[str, str]]:
    for line in reversed(lines[:fence]):
        comment = _COMMENT.fullmatch(line)
        if comment is None:
            return
        name, value = comment[1], comment[2]
        if name not in _MARKS or _MARKS[name] is not bool(value):
            raise PageError(f"{where}: unknown mark {line}")
        yield name, value or ""


def examples(blocks: list[Block]) -> list[Example]:
    """What is to be run.

    Raises:
        PageError: a block has a language that says nothing about what to do with it, or goes on from nothing.
    """
    found: list[Example] = []
    previous: Block | None = None
    for block in blocks:
        if "not run" in block.marks:
            previous = None
            continue
        if block.language == "output":
            if previous is None or previous.language != "python":
                raise PageError(f"{block.where}: the output of nothing")
            found[-1].blocks.append(block)
        elif "continued" in block.marks:
            if not found:
                raise PageError(f"{block.where}: nothing to go on from")
            found[-1].blocks.append(block)
        elif block.language in RUN or "file" in block.marks:
            found.append(Example([block]))
        elif block.language not in SHOWN:
            raise PageError(
                f"{block.where}: is {block.language!r} to be run? Mark it `not run` or see {__name__}"
            )
        previous = block
    return found
