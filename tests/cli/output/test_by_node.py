"""Output line by line, in the order of the nodes."""

from __future__ import annotations

import pytest

from asynctask.cli.output.by_node import ByNodeView
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.output.displaying import fake_screen, over, results_of

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


async def test_by_exit_code_then_node() -> None:
    """A label in front of each line; nodes in the order of a set, those without an exit code last."""
    screen = fake_screen()
    results = results_of(
        ("n10", 0, b"1\n\n2\n"), ("n2", None, b"5"), ("n9", 0, b"3", b"e"), ("n1", 1, b"4"), ("n8", 0, b"")
    )

    await over(ByNodeView(screen, Style()), results)

    assert screen.shown == {STDOUT: b"n9: 3\nn10: 1\nn10: \nn10: 2\nn1: 4\nn2: 5\n", STDERR: b"n9: e\n"}


async def test_standard_error_that_was_shown_already() -> None:
    """Is not shown again."""
    screen = fake_screen()

    await over(ByNodeView(screen, Style(), errors=False), results_of(("a", 0, b"1", b"e")))

    assert screen.shown == {STDOUT: b"a: 1\n", STDERR: b""}


async def test_without_labels_on_a_terminal() -> None:
    """The lines alone; the terminal is not driven."""
    screen = fake_screen(STDOUT)

    await over(ByNodeView(screen, Style(label=False)), results_of(("b", 0, b"\x1b\r\nx"), ("a", 0, b"y")))

    assert screen.shown[STDOUT] == b"y\n^[\nx\n"


async def test_names_that_make_no_node_set_keep_their_order() -> None:
    """The output is shown all the same."""
    screen = fake_screen()

    await over(ByNodeView(screen, Style()), results_of(("x y", 0, b"1"), ("[", 0, b"2")))

    assert screen.shown[STDOUT] == b"x y: 1\n[: 2\n"


async def test_more_lines_than_are_made_ready_at_once() -> None:
    """All come, in order."""
    screen = fake_screen()
    lines = [b"%d" % number for number in range(10_000)]

    await over(ByNodeView(screen, Style(label=False)), results_of(("a", 0, b"\n".join(lines))))

    assert screen.shown[STDOUT].split() == lines
