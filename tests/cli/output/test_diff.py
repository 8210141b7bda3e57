"""How outputs differ from the reference."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.output.colors import Palette
from asynctask.cli.output.diff import DiffView, compared, unified
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.output.displaying import fake_screen, over, results_of

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Part = tuple[str, int | None, bytes]


def test_unified() -> None:
    """As ``diff -u`` has it, with the names of both."""
    assert unified("old", [b"a", b"b", b"c"], "new", [b"a", b"x", b"c"]) == (
        b"--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"
    )


def test_no_difference() -> None:
    """Nothing is shown, neither names."""
    assert unified("old", [b"a"], "new", [b"a"]) == b""


def test_bytes_that_are_no_text() -> None:
    """They differ from other bytes that are none; on a terminal they are written out."""
    assert unified("\udcff", [b"\xff"], "n", [b"\xfe\x1b"]) == (
        b"--- \xff\n+++ n\n@@ -1 +1 @@\n-\xff\n+\xfe\x1b\n"
    )
    assert unified("\x1b", [b"\xff"], "n", [b"\xfe\x1b"], safe=True) == (
        "--- ^[\n+++ n\n@@ -1 +1 @@\n-\ufffd\n+\ufffd^[\n".encode()
    )


def test_colours() -> None:
    """A line that is removed is one, also if it looks like a header."""
    shown = unified("o", [b"-- x", b"b"], "n", [b"b", b"\x1b"], Palette(colored=True), safe=True)

    assert shown == (
        b"\x1b[1m--- o\x1b[0m\n\x1b[1m+++ n\x1b[0m\n\x1b[96m@@ -1,2 +1,2 @@\x1b[0m\n"
        b"\x1b[91m--- x\x1b[0m\n b\n\x1b[92m+^[\x1b[0m\n"
    )


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (
            [("a", 1, b"x"), ("b", 0, b"y"), ("c", 0, b"z"), ("d", 0, b"z")],
            [("c,d", b"z"), ("b", b"y"), ("a", b"x")],
        ),
        ([("a", 0, b""), ("b", 0, b"y"), ("c", 1, b"")], [("b", b"y"), ("a", b""), ("c", b"")]),
        ([("a", 0, b""), ("b", 1, b"y"), ("c", 1, b"z")], [("b", b"y"), ("a", b""), ("c", b"z")]),
        ([("a", None, b"x"), ("b", 2, b"y")], [("b", b"y"), ("a", b"x")]),
        ([("a", 0, b""), ("b", 1, b"")], []),
    ],
)
def test_what_is_compared(parts: list[Part], found: list[tuple[str, bytes]]) -> None:
    """With the lowest exit code's output of the most nodes; silent nodes count as having printed nothing."""
    texts = compared(results_of(*parts))

    assert [(",".join(text.nodes), bytes(text.message)) for text in texts] == found


async def _shown(*parts: Any, screen: Any = None, style: Style | None = None, **settings: Any) -> Any:
    screen = screen or fake_screen()
    await over(DiffView(screen, style or Style(), **settings), results_of(*parts))
    return screen.shown


async def test_against_the_reference() -> None:
    """Each other output, in the order of gathered output."""
    shown = await _shown(("n1", 0, b"a\nb\n"), ("n2", 0, b"a\nb"), ("n3", 0, b""), ("n10", 0, b"b"))

    assert shown == {
        STDOUT: b"--- n[1-2] (2)\n+++ n10\n@@ -1,2 +1 @@\n-a\n b\n"
        b"--- n[1-2] (2)\n+++ n3\n@@ -1,2 +0,0 @@\n-a\n-b\n",
        STDERR: b"",
    }


async def test_all_the_same() -> None:
    """Nothing is shown."""
    assert (await _shown(("a", 0, b"x\n"), ("b", 1, b"x\r\n")))[STDOUT] == b""
    assert (await _shown(("a", 0, b"")))[STDOUT] == b""


async def test_without_counts_on_a_terminal() -> None:
    """Names and lines do not drive it."""
    shown = await _shown(
        ("a", 0, b"1"),
        ("b", 0, b"1"),
        ("c\x1b", 0, b"\x1b"),
        screen=fake_screen(STDOUT),
        style=Style(titles=Titles(count=False)),
    )

    assert shown[STDOUT] == b"--- a,b\n+++ c^[\n@@ -1 +1 @@\n-1\n+^[\n"


async def test_standard_error_is_gathered() -> None:
    """Unless it was shown already."""
    parts = ("a", 0, b"x", b"e")

    assert (await _shown(parts))[STDERR] == b"---------------\na\n---------------\ne\n"
    assert (await _shown(parts, errors=False))[STDERR] == b""
