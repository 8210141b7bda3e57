"""Runs an example and compares what it prints with what the page says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from difflib import ndiff
from typing import Any

from tests.docs.blocks import Block, Example
from tests.docs.site import Site

__all__ = ("run_example",)

_TIMEOUT = 30.0
_SEPARATOR = "--- the next command ---"
_DURATION = re.compile(r"in \d+\.\d\ds")


async def run_example(example: Example, site: Site) -> None:
    """Run the blocks in order.

    Raises:
        AssertionError: one printed something else than the page says.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    blocks = example.blocks
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if "file" in block.marks:
            path = site.path(block.marks["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "python":
            output = following if following is not None and following.language == "output" else None
            await _run_python(block, output, names, site)
        elif block.language == "console":
            await _run_console(block, site)


async def _run_python(block: Block, output: Block | None, names: dict[str, Any], site: Site) -> None:
    """Top-level ``await`` works, as in ``python -m asyncio``."""
    source = "\n" * block.line + block.text  # so that a traceback names lines of the page
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, block.page, "exec", flags, dont_inherit=True)
    with redirect_stdout(io.StringIO()) as printed:
        outcome = eval(code, names)
        if inspect.isawaitable(outcome):
            await outcome
    _compare(
        block if output is None else output, printed.getvalue(), "" if output is None else output.text, site
    )


async def _run_console(block: Block, site: Site) -> None:
    """One shell for the block, so that ``$?`` is what a reader expects."""
    steps = list(_steps(block))
    script = ["exec 2>&1"]
    for command, _ in steps:
        script += [command, f"status=$?; echo '{_SEPARATOR}'; (exit $status)"]
    finished = await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", "-c", "\n".join(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT,
        check=False,
    )
    printed = finished.stdout.decode().split(f"{_SEPARATOR}\n")
    for (command, expected), text in zip(steps, printed, strict=False):
        _compare(block, text, expected, site, command)
    assert len(printed) == len(steps) + 1, f"{block.where}: the shell ended early: {printed}"


def _steps(block: Block) -> Iterator[tuple[str, str]]:
    """The commands, each with what it is said to print."""
    assert block.text.startswith("$ "), f"{block.where}: a console block begins with a command"
    for text in block.text.removeprefix("$ ").split("\n$ "):
        lines = text.removesuffix("\n").splitlines(keepends=True)
        last = next(place for place, line in enumerate(lines) if not line.endswith("\\\n"))
        expected = "".join(lines[last + 1 :])
        yield "".join(lines[: last + 1]), expected + "\n" if expected else ""


def _compare(block: Block, printed: str, expected: str, site: Site, command: str = "") -> None:
    printed, expected = (_DURATION.sub("in 0.00s", site.plain(text)) for text in (printed, expected))
    if "any order" in block.marks:
        printed, expected = ("".join(sorted(text.splitlines(keepends=True))) for text in (printed, expected))
    if printed != expected:
        difference = "".join(ndiff(expected.splitlines(keepends=True), printed.splitlines(keepends=True)))
        raise AssertionError(
            f"{block.where}: prints something else than the page says\n{command}{difference}"
        )
