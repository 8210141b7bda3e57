"""Shows what two runs have different."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.past.comparing import show_difference
from asynctask.cli.past.database import HistoryError
from asynctask.outcome import Outcome
from tests.cli.past.support import end, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Capture = pytest.CaptureFixture[bytes]


def two_runs(path: Path) -> None:
    """Run 2 is not as run 1 was."""
    targets = ["web1", "web2", "web3"]
    recorded(path, *(end(place, out=output(b"6.1.25\nup\n")) for place in range(3)), targets=targets)
    recorded(
        path,
        end(0, out=output(b"6.1.28\nup\n")),
        end(1, out=output(b"6.1.28\nup\n")),
        end(2, Outcome.TIMED_OUT, out=output(b"6.1.25\nup\n"), err=output(b"\xff\x1b[2J\n")),
        targets=[*targets, "web4"],
    )


def test_a_difference(history: Path, capfdbinary: Capture) -> None:
    """The same change of several nodes is shown once; bytes are as they are."""
    two_runs(history)

    assert show_difference("1", "last", quiet=False, color="auto")

    assert (
        capfdbinary.readouterr().out
        == b"""\
only in run 2: web4
web3: was ok, is timed out
---------------
web[1-2] (2)
---------------
--- run 1
+++ run 2
@@ -1,2 +1,2 @@
-6.1.25
+6.1.28
 up
---------------
web3
---------------
--- run 1 (standard error)
+++ run 2 (standard error)
@@ -0,0 +1 @@
+\xff\x1b[2J
"""
    )


def test_with_colours(history: Path, capfdbinary: Capture) -> None:
    """If they are asked for."""
    two_runs(history)

    assert show_difference("1", "2", quiet=False, color="always")

    assert b"m-6.1.25\x1b[0m\n" in capfdbinary.readouterr().out


def test_only_whether_there_is_one(history: Path, capfdbinary: Capture) -> None:
    """Nothing is shown."""
    two_runs(history)

    assert show_difference("1", "2", quiet=True, color="auto")
    assert not show_difference("1", "1", quiet=False, color="auto")
    assert capfdbinary.readouterr() == (b"", b"")


def test_ends_of_lines_alone(history: Path, capfdbinary: Capture) -> None:
    """They cannot be seen, so they are told."""
    recorded(history, end(0, out=output(b"a\n")))
    recorded(history, end(0, out=output(b"a\r\n")))

    assert show_difference("1", "2", quiet=False, color="auto")

    assert capfdbinary.readouterr().out.endswith(b"\n(they differ in the ends of lines alone)\n")


def test_no_such_run(history: Path) -> None:
    """It is an error."""
    recorded(history)

    with pytest.raises(HistoryError, match="no run 7 is in the history"):
        show_difference("1", "7", quiet=False, color="auto")
