"""What counts as a block, and that none escapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import PageError, examples, read_blocks


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page yet to be written."""
    return tmp_path / "page.md"


def _fenced(language: str, text: str = "…", *marks: str) -> str:
    return "".join(f"<!-- {mark} -->\n" for mark in marks) + f"```{language}\n{text}\n```\n"


def test_a_block_knows_its_place_and_its_marks(page: Path) -> None:
    """Marks stand right before the fence, each on a line of its own."""
    page.write_text("text\n" + _fenced("console", "$ true", "continued", "file: a b: c"))

    (block,) = read_blocks(page)

    assert (block.where, block.language, block.text) == ("page.md:4", "console", "$ true\n")
    assert block.marks == {"continued": "", "file": "a b: c"}


@pytest.mark.parametrize(
    "text",
    [
        "  ```python\n  1\n  ```\n",
        "~~~python\n1\n~~~\n",
        "````python\n1\n````\n",
        "```python\n1\n",
        _fenced("python", "1", "not run"),
        _fenced("python", "1", "continued: twice"),
        _fenced("python", "1", "norun: a slip"),
    ],
    ids=["indented", "tildes", "four backticks", "no end", "no reason", "a value too many", "unknown mark"],
)
def test_what_could_escape_is_refused(page: Path, text: str) -> None:
    """A block that would not be seen, or not be seen as it is meant, fails its page."""
    page.write_text(text)

    with pytest.raises(PageError, match=r"^page\.md:\d"):
        read_blocks(page)


def test_directives_of_sphinx_are_no_blocks(page: Path) -> None:
    """They are Sphinx's to check."""
    page.write_text(_fenced("{eval-rst}"))

    assert read_blocks(page) == []


def test_blocks_that_belong_together_are_one_example(page: Path) -> None:
    """Output goes with its program, what is continued with what is before it."""
    page.write_text(
        _fenced("python")
        + _fenced("output")
        + _fenced("text")
        + _fenced("console", "…", "continued")
        + _fenced("toml", "…", "file: x.toml")
        + _fenced("python", "…", "not run: why")
        + _fenced("python")
    )

    found = examples(read_blocks(page))

    assert [[block.language for block in example.blocks] for example in found] == [
        ["python", "output", "console"],
        ["toml"],
        ["python"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        _fenced("output"),
        _fenced("python", "…", "not run: why") + _fenced("output"),
        _fenced("console", "…", "continued"),
        _fenced("sh"),
        _fenced(""),
    ],
    ids=["output first", "output of what is not run", "nothing to continue", "sh", "no language"],
)
def test_a_block_that_cannot_be_accounted_for_is_refused(page: Path, text: str) -> None:
    """It is run, shown, or marked; nothing else."""
    page.write_text(text)

    with pytest.raises(PageError, match=r"^page\.md:\d"):
        examples(read_blocks(page))
