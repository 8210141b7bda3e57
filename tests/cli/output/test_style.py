"""What all displays have in common."""

from __future__ import annotations

import pytest

from asynctask.cli.output.colors import Palette
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.style import Pen, Style, labelled
from asynctask.cli.request import Request
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.output.displaying import fake_screen

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

COLORED = Style(palettes=(Palette(colored=True), Palette(colored=True)))


def test_from_a_request() -> None:
    """Colours for each stream as it is one of a terminal or not; no count if it is to be quiet."""
    style = Style.of(Request(targets=("a",), no_label=True, verbosity=0, color="auto"), fake_screen(STDERR))

    assert (style.label, style.titles.of(["a1", "a2"])) == (False, "a[1-2]")
    assert style.palettes[0].colored is False


def test_a_header() -> None:
    """The title between two rules; none without labels."""
    assert Pen(fake_screen(), STDOUT, Style()).header("a") == b"---------------\na\n---------------\n"
    assert Pen(fake_screen(), STDOUT, Style(label=False)).header("a") == b""


def test_colours() -> None:
    """The header as a whole; the label of standard error has one of its own."""
    assert (
        Pen(fake_screen(), STDOUT, COLORED).header("a")
        == b"\x1b[94m---------------\na\n---------------\x1b[0m\n"
    )
    assert Pen(fake_screen(), STDERR, COLORED).label("a") == b"\x1b[91ma: \x1b[0m"
    assert Pen(fake_screen(), STDOUT, COLORED).label("a") == b"\x1b[94ma: \x1b[0m"


def test_a_name_cannot_drive_a_terminal() -> None:
    """It is written out before colours are added; into a pipe it goes as it is."""
    assert Pen(fake_screen(STDOUT), STDOUT, COLORED).label("a\x1b") == b"\x1b[94ma^[: \x1b[0m"
    assert Pen(fake_screen(), STDOUT, Style()).header("a\x1b").splitlines()[1] == b"a\x1b"


def test_lines_for_a_terminal() -> None:
    """As many as there were."""
    pen = Pen(fake_screen(STDOUT), STDOUT, Style())

    assert [pen.safe_lines([b"\x1b", b"", b"x"]), pen.safe_lines([]), pen.safe_lines([b""])] == [
        [b"^[", b"", b"x"],
        [],
        [b""],
    ]


def test_labelled() -> None:
    """Each line gets its label and its end."""
    assert labelled([b"1", b"", b"2"], b"a: ") == b"a: 1\na: \na: 2\n"


async def test_few_writes() -> None:
    """What is put is written in large pieces, and the rest at the end."""
    screen = fake_screen()
    pen = Pen(screen, STDOUT, Style())

    for _ in range(100):
        await pen.put(b"x" * 1000, b"\n")
    assert [len(data) for _, data in screen.writes] == [66 * 1001]
    await pen.flush()
    await pen.flush()

    assert [len(data) for _, data in screen.writes] == [66 * 1001, 34 * 1001]


@pytest.mark.usefixtures("site_groups")
async def test_a_problem_with_groups_is_said_once() -> None:
    """With the option that asked for them."""
    screen = fake_screen()
    style = Style(titles=Titles(regroup=True, source="nosuch"))

    await style.ready_for(screen, ["a1"])
    await style.ready(screen, [])

    assert [text.split(";")[0] for text in screen.said] == [
        "asynctask: -r: the list of groups: unknown group source 'nosuch'"
    ]
