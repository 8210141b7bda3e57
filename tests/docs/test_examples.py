"""Every example of the documentation does what the page says."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.blocks import Example, examples, read_blocks
from tests.docs.running import run_example
from tests.docs.site import ROOT, open_site
from tests.support import unable

#: Written by a program, not by hand: what is in it is not meant to be run.
GENERATED = "benchmarks.md"
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.name != GENERATED
]
BLOCKS = {page.name: read_blocks(page) for page in PAGES}
EXAMPLES = [example for blocks in BLOCKS.values() for example in examples(blocks)]

#: How many blocks of a page are not run, each with its reason in its mark: change it with the page.
NOT_RUN = {"README.md": 2, "pollers.md": 1}


@pytest.mark.one_loop("what a page says is so on the loop that its reader has")
@pytest.mark.parametrize("example", EXAMPLES, ids=[example.where for example in EXAMPLES])
async def test_an_example_does_what_the_page_says(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs on the site of the documentation and prints what stands below it."""
    _check_needs(example)
    async with open_site(tmp_path, monkeypatch) as site:
        await run_example(example, site)


def _check_needs(example: Example) -> None:
    for block in example.blocks:
        program = block.marks.get("needs")
        if program and shutil.which(program) is None:
            unable(f"{program} is not installed")


def test_the_blocks_that_are_not_run_are_known() -> None:
    """None is left out by mistake."""
    marked = Counter(name for name, blocks in BLOCKS.items() for block in blocks if "not run" in block.marks)

    assert marked == NOT_RUN
