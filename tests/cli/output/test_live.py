"""Output as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from asynctask.cli.output.colors import PLAIN, Palette
from asynctask.cli.output.live import LiveView
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.lines import PartialLine
from tests.cli.output.displaying import NO_WORKER, fake_screen

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


async def _live(screen: Any, *calls: tuple[str, str, Sequence[bytes]], style: Style | None = None) -> None:
    view = LiveView(screen, style or Style())
    for node, stream, lines in calls:
        await view._ev_lines(NO_WORKER, node, stream, list(lines))


async def test_lines_have_their_node_in_front() -> None:
    """Each stream goes to its own; what comes together is written together."""
    screen = fake_screen()

    await _live(screen, ("a", "stdout", [b"1", b"", b"2"]), ("b", "stderr", [b"3"]), ("b", "stdout", [b"4"]))

    assert screen.writes == [(STDOUT, b"a: 1\na: \na: 2\n"), (STDERR, b"b: 3\n"), (STDOUT, b"b: 4\n")]


async def test_without_labels() -> None:
    """The lines alone."""
    screen = fake_screen()

    await _live(screen, ("a", "stdout", [b"1", b"2"]), ("b", "stdout", [b"3"]), style=Style(label=False))

    assert screen.shown[STDOUT] == b"1\n2\n3\n"


async def test_a_terminal_is_not_driven() -> None:
    """Neither by a line nor by the name of a node; the other stream, a pipe, gets all bytes."""
    screen = fake_screen(STDERR)

    await _live(screen, ("a\x1b", "stderr", [b"\x1b[2J\xff\r"]), ("a\udcff", "stdout", [b"\x1b[2J\xff\r"]))

    assert screen.shown == {
        STDERR: "a^[: ^[[2J\ufffd^M\n".encode(),
        STDOUT: b"a\xff: \x1b[2J\xff\r\n",
    }


async def test_colours() -> None:
    """The label has them, not what the node prints."""
    screen = fake_screen(STDERR)

    await _live(
        screen,
        ("a", "stderr", [b"\x1b[0m", b"2"]),
        ("a", "stdout", [b"3"]),
        style=Style(palettes=(PLAIN, Palette(colored=True))),
    )

    assert screen.shown == {
        STDERR: b"\x1b[91ma: \x1b[0m^[[0m\n\x1b[91ma: \x1b[0m2\n",
        STDOUT: b"a: 3\n",
    }


@pytest.mark.parametrize("terminals", [(), (STDOUT,)])
@pytest.mark.parametrize(
    ("calls", "shown"),
    [
        ([("a", [PartialLine(b"1"), b"2", b"3"])], b"a: 12\na: 3\n"),
        ([("a", [PartialLine(b"1")]), ("a", [PartialLine(b"2")]), ("a", [b"3", b"4"])], b"a: 123\na: 4\n"),
        ([("a", [PartialLine(b"1")]), ("b", [b"x"]), ("a", [b"2"])], b"a: 1\nb: x\na: 2\n"),
        (
            [("a", [PartialLine(b"1")]), ("b", [PartialLine(b"x")]), ("b", [b"y"]), ("a", [b"2"])],
            b"a: 1\nb: xy\na: 2\n",
        ),
    ],
)
async def test_pieces_of_a_long_line(
    calls: list[tuple[str, list[bytes]]], shown: bytes, terminals: tuple[int, ...]
) -> None:
    """They make one line again, unless another node's comes between: then that one is kept whole."""
    screen = fake_screen(*terminals)

    await _live(screen, *[(node, "stdout", lines) for node, lines in calls])

    assert screen.shown[STDOUT] == shown


async def test_pieces_on_two_streams() -> None:
    """A line in the middle on one stream does not matter to the other."""
    screen = fake_screen()

    await _live(
        screen,
        ("a", "stdout", [PartialLine(b"1")]),
        ("a", "stderr", [b"x"]),
        ("a", "stdout", [b"2"]),
        style=Style(label=False),
    )

    assert screen.shown == {STDOUT: b"12\n", STDERR: b"x\n"}
