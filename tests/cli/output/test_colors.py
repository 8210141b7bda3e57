"""When output is coloured, and how."""

from __future__ import annotations

import pytest

from asynctask.cli.output.colors import PLAIN, Palette, wanted

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("choice", "environ", "on_a_terminal", "in_a_pipe"),
    [
        ("auto", {}, True, False),
        ("", {}, True, False),
        ("always", {"NO_COLOR": "1"}, True, True),
        ("never", {"CLICOLOR_FORCE": "1"}, False, False),
        ("auto", {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ("auto", {"NO_COLOR": ""}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, True, False),
        ("auto", {"CLICOLOR": "0"}, False, False),
        ("auto", {"CLICOLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, False, False),
    ],
)
def test_wanted(choice: str, environ: dict[str, str], on_a_terminal: bool, in_a_pipe: bool) -> None:
    """``--color``, then NO_COLOR, CLICOLOR_FORCE and CLICOLOR, then the terminal."""
    assert wanted(choice, True, environ) is on_a_terminal
    assert wanted(choice, False, environ) is in_a_pipe


def test_colors() -> None:
    """Those of clush."""
    palette = Palette(colored=True)

    assert [
        palette.heading(b"x"),
        palette.error(b"x"),
        palette.mark(b"x"),
        palette.place(b"x"),
        palette.added(b"x"),
        palette.removed(b"x"),
    ] == [b"\x1b[%dmx\x1b[0m" % code for code in (94, 91, 1, 96, 92, 91)]


def test_nothing_is_coloured() -> None:
    """Neither without colours nor where nothing is."""
    assert [PLAIN.heading(b"x"), Palette(colored=True).heading(b"")] == [b"x", b""]
