"""``asynctask run`` in a terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.programs import ERASE, Terminal

HERE = ("run", "-R", "exec")
WILD = r"printf '\033[31m\a\rx\n\233y\302\233z\342\200\256w\n'"
TAMED = [b"^[[31m^G^Mx", "\ufffdy\\x9bz\\u202ew".encode()]


def _shown(*words: str, stdout: int | None = None) -> bytes:
    with Terminal(*words, stdout=stdout) as terminal:
        assert terminal.wait() == 0
        return terminal.shown


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["-L"], [b"n: " + line for line in TAMED]),
        (["-b", "-N"], TAMED),
        (["-q"], [b"n: " + line for line in TAMED]),
        (["-B", "-N"], TAMED),
    ],
)
def test_output_cannot_drive_the_terminal(options: list[str], lines: list[bytes]) -> None:
    """Escape, return, C1 controls in both spellings and changes of direction are written out."""
    assert _shown(*HERE, *options, "-w", "n", WILD).splitlines() == lines


@pytest.mark.parametrize("options", [["-q"], ["-b", "-N"]])
def test_nor_can_standard_error(options: list[str]) -> None:
    """The same for the other stream; the one that goes to a file is untouched."""
    reader, writer = os.pipe()

    shown = _shown(*HERE, *options, "-N", "-w", "n", f"{WILD}; {WILD} >&2", stdout=writer)

    os.close(writer)
    piped = os.read(reader, 65536)
    os.close(reader)
    assert shown.splitlines() == TAMED
    assert piped == b"\x1b[31m\a\rx\n\x9by\xc2\x9bz\xe2\x80\xaew\n"


def test_nor_can_the_name_of_a_node() -> None:
    """Wherever it is shown."""
    with Terminal(*HERE, "-w", "n\x1b", "echo x; exit 1") as terminal:
        assert terminal.wait() == 0

    assert terminal.shown == b"n^[: x\nasynctask: n^[: failed with exit code 1\n"


def test_standard_input_is_not_read() -> None:
    """What is typed is for the shell; commands find the end."""
    with Terminal(*HERE, "-w", "n", "cat; echo over") as terminal:
        terminal.press(b"typed\n")
        assert terminal.wait() == 0

    assert terminal.shown == b"n: over\n"


def test_the_status_line(tmp_path: Path) -> None:
    """It comes when a run takes longer, leaves for output, and is gone at the end."""
    command = f"while ! test -e {tmp_path}/%h; do sleep 0.05; done; echo %h; exit %n"

    with Terminal(*HERE, "-w", "n[1-3]", command) as terminal:
        assert terminal.wait_for(b" running") == ERASE + b"asynctask: 0/3 done, 3 running"
        (tmp_path / "n1").touch()
        terminal.wait_for(ERASE + b"asynctask: 1/3 done, 2 running")
        (tmp_path / "n2").touch()
        terminal.wait_for(ERASE + b"asynctask: 2/3 done, 1 running, 1 failed")
        (tmp_path / "n3").touch()
        assert terminal.wait() == 0

    assert terminal.lines == [
        b"n1: n1",
        b"n2: n2",
        b"n3: n3",
        b"asynctask: n2: failed with exit code 1",
        b"asynctask: n3: failed with exit code 2",
        b"asynctask: 1 ok, 1 failed (rc 1): n2, 1 failed (rc 2): n3",
        b"",
    ]


def test_the_status_line_names_the_last(tmp_path: Path) -> None:
    """When nine of ten are done."""
    command = f"test %n -lt 10 || while ! test -e {tmp_path}/go; do sleep 0.05; done"

    with Terminal(*HERE, "-w", "n[1-10],z", command) as terminal:
        terminal.wait_for(ERASE + b"asynctask: 10/11 done, 1 running: z")
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.lines == [b""]


def test_a_narrow_terminal(tmp_path: Path) -> None:
    """A line that wraps could not be erased."""
    command = f"while ! test -e {tmp_path}/go; do sleep 0.05; done"

    with Terminal(*HERE, "-w", "n[1-3]", command, columns=20) as terminal:
        assert terminal.wait_for(b"done") == ERASE + b"asynctask: 0/3 done"
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.lines == [b""]
    assert max(map(len, terminal.shown.split(ERASE))) < 20


def test_no_status_line() -> None:
    """With -q."""
    with Terminal(*HERE, "-q", "-u", "1.2", "-w", "n", "sleep 60") as terminal:
        assert terminal.wait() == 0

    assert terminal.shown == b"asynctask: n: timed out\n"
