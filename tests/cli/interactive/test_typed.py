"""What a line means."""

from __future__ import annotations

import pytest

from asynctask.cli.interactive.typed import Choose, Local, Remote, Typed, read_typed
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("", "nothing"),
        ("   ", "nothing"),
        ("help", "help"),
        (" ? ", "nodes"),
        ("=", "gather"),
        ("quit", "quit"),
        ("exit", "quit"),
        ("@Web[1-3]", Choose("@", "Web[1-3]")),
        ("@@Front", Choose("@", "@Front")),
        ("+ DB1", Choose("+", "DB1")),
        ("-x1,X2", Choose("-", "x1,X2")),
        ("!date +%H", Local("date +%H")),
        ("! date", Local("date")),
        (" Uname -r ", Remote("Uname -r")),
        ("exit 3", Remote("exit 3")),
        ("quit now", Remote("quit now")),
    ],
)
def test_a_line(line: str, typed: Typed) -> None:
    """Signs stand at its beginning; the case of letters is kept."""
    assert read_typed(line) == typed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("?x", "? stands alone; help tells what there is"),
        ("= b", "= stands alone; help tells what there is"),
        ("!", "! needs a command to run here, as !date"),
        ("@", "@ needs nodes, as @web[1-9]"),
        ("+ ", "+ needs nodes, as +web[1-9]"),
        ("-", "- needs nodes, as -web[1-9]"),
    ],
)
def test_a_line_that_makes_no_sense(line: str, message: str) -> None:
    """It says what would be right."""
    with pytest.raises(UsageError) as raised:
        read_typed(line)
    assert str(raised.value) == message
