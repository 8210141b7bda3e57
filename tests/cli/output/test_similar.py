"""Output that is similar, once."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.output.colors import PLAIN, Palette
from asynctask.cli.output.similar import SimilarView, similar
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.output.displaying import fake_screen, over, results_of

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def _groups(*parts: tuple[str, int | None, bytes], outliers: str = "") -> list[tuple[str, bytes]]:
    return [
        (",".join(group.nodes), b"".join(piece for piece, _ in group.pieces()))
        for group in similar(results_of(*parts), outliers=outliers)
    ]


def test_names_and_numbers() -> None:
    """They are marked; what is the same stays."""
    assert _groups(
        ("web1", 0, b"web1: up 5 of 8 days"), ("web2", 0, b"web2: up 16 of 8 days\n"), ("web3", 0, b"down")
    ) == [("web1,web2", b"<node>: up <n> of 8 days"), ("web3", b"down")]


def test_the_same_output() -> None:
    """Has no marks, whosever name is in it."""
    assert _groups(("web1", 0, b"web1 leads, 5"), ("web2", 0, b"web1 leads, 5")) == [
        ("web1,web2", b"web1 leads, 5")
    ]


def test_only_one_printed_it() -> None:
    """It is shown as it is."""
    assert _groups(("web1", 0, b"web1 at 12:00")) == [("web1", b"web1 at 12:00")]


def test_a_name_that_is_a_word() -> None:
    """It does not set its node apart."""
    assert _groups(("a", 0, b"a test: 1"), ("b", 0, b"a test: 2"), ("c", 0, b"a test: 2")) == [
        ("a,b,c", b"a test: <n>")
    ]


def test_exit_codes_are_kept_apart() -> None:
    """As in gathered output, and in the same order."""
    assert _groups(("a1", 1, b"5"), ("a2", 0, b"6"), ("a3", 1, b"7")) == [("a2", b"6"), ("a1,a3", b"<n>")]


def test_outliers_first() -> None:
    """The outputs of the fewest nodes."""
    parts: list[tuple[str, int | None, bytes]] = [("a", 0, b"1"), ("b", 0, b"2"), ("c", 1, b"x")]

    assert [nodes for nodes, _ in _groups(*parts, outliers="first")] == ["c", "a,b"]


def test_ends_of_lines_make_no_difference() -> None:
    """Nor do they show."""
    assert _groups(("a", 0, b"x\r\n5\r\n"), ("b", 0, b"x\n6")) == [("a,b", b"x\n<n>")]


async def _shown(*parts: Any, screen: Any = None, **settings: Any) -> Any:
    screen = screen or fake_screen()
    style = Style(palettes=(Palette(colored=screen.is_terminal(STDOUT)), PLAIN))
    await over(SimilarView(screen, style, **settings), results_of(*parts))
    return screen.shown


async def test_the_display() -> None:
    """As gathered output; standard error likewise, unless it was shown already."""
    parts = [("a1", 0, b"5", b"e 1"), ("a2", 0, b"6", b"e 2")]
    rule = b"---------------\n"
    header = rule + b"a[1-2] (2)\n" + rule

    assert await _shown(*parts) == {STDOUT: header + b"<n>\n", STDERR: header + b"e <n>\n"}
    assert await _shown(*parts, errors=False) == {STDOUT: header + b"<n>\n", STDERR: b""}


async def test_on_a_terminal() -> None:
    """Marks are coloured; what nodes print does not drive it."""
    shown = await _shown(("a", 0, b"\x1b5"), ("b", 0, b"\x1b6"), screen=fake_screen(STDOUT))

    assert shown[STDOUT].splitlines()[-1] == b"^[\x1b[1m<n>\x1b[0m"
