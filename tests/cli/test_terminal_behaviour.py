"""``asynctask run`` in a terminal, as its user sees it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import programs
from tests.cli.emulator import Emulator
from tests.cli.programs import until

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

HERE = ("run", "-R", "exec")
CTRL_C, CTRL_Z = b"\x03", b"\x1a"
#: The program, as it is but for its patience.
IMPATIENT = """
from asynctask.cli import asking, main, screen
screen._FIRST, screen._EVERY, screen._STOPPED, asking._EVERY = 0.02, 0.02, 0.1, 0.02
main()
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PROGRAM", (sys.executable, "-c", IMPATIENT))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """A shell at its prompt, with the program as ``asynctask``."""
    program = tmp_path / "asynctask"
    program.write_text(f"#!{sys.executable}\n{IMPATIENT}")
    program.chmod(0o755)
    monkeypatch.setattr(programs, "PROGRAM", ("bash", "--norc", "--noprofile", "--noediting", "-i"))
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PS1": "$ ", "HISTFILE": ""}
    with Emulator(env=env) as emulator:
        emulator.wait_until(r"\$$")
        yield emulator


def _until_there(path: Path) -> str:
    """A command that waits for a file."""
    return f"while ! test -e {path}; do sleep 0.02; done"


def test_progress_is_shown_and_erased(tmp_path: Path) -> None:
    """Below what is shown already; in the end only output is left, and the cursor is behind it."""
    command = f"{_until_there(tmp_path / '%h')}; echo %h is done"

    with Emulator(*HERE, "-w", "n[1-3]", command) as terminal:
        terminal.wait_until(r"^asynctask: 0/3 done, 3 running")
        (tmp_path / "n2").touch()
        terminal.wait_until(r"^n2: n2 is done\nasynctask: 1/3 done, 2 running")
        (tmp_path / "n1").touch()
        terminal.wait_until(r"^n2: n2 is done\nn1: n1 is done\nasynctask: 2/3 done, 1 running")
        (tmp_path / "n3").touch()
        assert terminal.wait() == 0

    assert terminal.rows == ["n2: n2 is done", "n1: n1 is done", "n3: n3 is done"]
    assert terminal.cursor == (0, 3)


def test_long_lines(tmp_path: Path) -> None:
    """They wrap where the terminal ends; the status line below them is erased all the same."""
    command = f"printf '%%s\\n' {'x' * 50}; {_until_there(tmp_path / 'go')}; echo {'y' * 45}"

    with Emulator(*HERE, "-w", "n", command, columns=30) as terminal:
        terminal.wait_until(r"asynctask: 0/1 done")
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.rows == ["n: " + "x" * 27, "x" * 23, "n: " + "y" * 27, "y" * 18]


@pytest.mark.parametrize("columns", [5, 33])
def test_the_status_line_does_not_wrap(columns: int, tmp_path: Path) -> None:
    """However narrow the terminal is, and however long the names of nodes are."""
    nodes = ",".join(letter * 60 for letter in "abc")

    with Emulator(*HERE, "-w", nodes, _until_there(tmp_path / "go"), columns=columns) as terminal:
        terminal.wait_until(r"^async?t?")
        found = terminal.rows
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert len(found) == 1
    assert len(found[0]) < columns
    assert terminal.rows == []


def test_a_window_that_is_made_narrower(tmp_path: Path) -> None:
    """The line fits at once, and is erased in the end."""
    with Emulator(*HERE, "-w", "n[1-3]", _until_there(tmp_path / "go")) as terminal:
        terminal.wait_until(r"asynctask: 0/3 done, 3 running")
        terminal.resize(22)
        terminal.wait_until(r"asynctask: 0/3 done$")
        terminal.resize(80)
        terminal.wait_until(r"asynctask: 0/3 done, 3 running")
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.rows == []


def test_ctrl_c() -> None:
    """What is shown says who was stopped, and no status line is left."""
    with Emulator(*HERE, "-w", "n[1-2]", "echo %h begins; sleep 60") as terminal:
        terminal.wait_until(r"(n\d: n\d begins\n){2}asynctask: 0/2 done, 2 running")
        terminal.press(CTRL_C)
        assert terminal.wait() == 130

    assert terminal.rows[2:] == [
        "asynctask: SIGINT: stopping what still runs: n[1-2] (2)",
        "asynctask: n[1-2] (2): aborted",
    ]
    assert terminal.cursor == (0, 4)


def test_ctrl_c_twice() -> None:
    """The second kills what does not mind the first."""
    with Emulator(*HERE, "-w", "n", "trap '' TERM; echo begins; while :; do sleep 60; done") as terminal:
        terminal.wait_until(r"n: begins\nasynctask: 0/1 done")
        terminal.press(CTRL_C)
        terminal.wait_until(r"SIGINT: stopping what still runs: n$")
        terminal.press(CTRL_C)
        assert terminal.wait() == 130

    assert terminal.rows == [
        "n: begins",
        "asynctask: SIGINT: stopping what still runs: n",
        "asynctask: killing what is left",
        "asynctask: n: aborted",
    ]


def test_a_pager_that_is_closed(tmp_path: Path) -> None:
    """Nobody reads any more: the commands are stopped, without a word."""
    reader, writer = os.pipe()
    command = f"echo x; {_until_there(tmp_path / 'go')}; echo y; sleep 60"

    with Emulator(*HERE, "-w", "n", command, stdout=writer) as terminal:
        os.close(writer)
        terminal.wait_until(r"asynctask: 0/1 done, 1 running")
        assert os.read(reader, 100) == b"n: x\n"
        os.close(reader)
        (tmp_path / "go").touch()
        assert terminal.wait() == 1

    assert terminal.rows == []


def test_a_full_disk(tmp_path: Path) -> None:
    """It is said once, in a line of its own, and the commands are stopped."""
    full = os.open("/dev/full", os.O_WRONLY)
    command = f"{_until_there(tmp_path / 'go')}; echo x; sleep 60"

    with Emulator(*HERE, "-w", "n[1-2]", command, stdout=full) as terminal:
        os.close(full)
        terminal.wait_until(r"asynctask: 0/2 done, 2 running")
        (tmp_path / "go").touch()
        assert terminal.wait() == 1

    assert terminal.rows == ["asynctask: standard output: No space left on device"]


def test_ctrl_z_and_fg(shell: Emulator, tmp_path: Path) -> None:
    """The shell has its prompt; then the status line is back, and the run goes on to its end."""
    shell.press(
        f"asynctask run -R exec -w n '{_until_there(tmp_path / 'go')}; echo over'; echo = $?\n".encode()
    )
    shell.wait_until(r"asynctask: 0/1 done, 1 running")
    before = shell.modes()
    shell.press(CTRL_Z)
    shell.wait_until(r"Stopped.*\n(.*\n)*\$$")
    time.sleep(0.1)  # as a user would take, and longer
    shell.press(b"fg\n")
    shell.wait_until(r"Stopped(.*\n)*asynctask: 0/1 done, 1 running")
    (tmp_path / "go").touch()
    shell.wait_until(r"\nn: over\n\$$")

    assert shell.modes() == before


def test_in_the_background(shell: Emulator, tmp_path: Path) -> None:
    """There is no status line over the shell's prompt; output comes, and the run is not stopped."""
    shell.press(
        f"asynctask run -R exec -w n 'echo begins; {_until_there(tmp_path / 'go')}; echo over' &\n".encode()
    )
    shell.wait_until(r"n: begins")
    shell.press(b"echo here; jobs\n")
    shell.wait_until(r"here\n\[1\]\+ +Running")
    (tmp_path / "go").touch()
    shell.wait_until(r"n: over")
    shell.press(b"wait; echo waited\n")
    shell.wait_until(r"Done(.*\n)*waited")

    assert not re.search(r"\d/\d done", "\n".join(shell.rows))


def test_what_is_typed_is_for_the_shell(shell: Emulator, tmp_path: Path) -> None:
    """It is run after us."""
    shell.press(f"asynctask run -R exec -w n '{_until_there(tmp_path / 'go')}; echo over'\n".encode())
    shell.wait_until(r"asynctask: 0/1 done, 1 running")
    shell.press(b"echo typed ahead\n")
    (tmp_path / "go").touch()

    shell.wait_until(r"n: over\n(.*\n)*.*typed ahead\n")


@pytest.mark.parametrize("how", ["Enter", "SIGUSR1"])
def test_who_still_runs(how: str, tmp_path: Path) -> None:
    """The user asks, and goes on to see the status line; the terminal is as it was."""
    command = f"test %n = 0 && exit 3; {_until_there(tmp_path / 'go')}"

    with Emulator(*HERE, "-f2", "-w", "n[1-4]", command) as terminal:
        terminal.wait_until(r"asynctask: 1/4 done, 2 running, 1 failed, 1 waiting")
        before = terminal.modes()
        if how == "Enter":
            terminal.press(b"\n")
        else:
            terminal.send(signal.SIGUSR1)
        terminal.wait_until(
            r"asynctask: 1 of 4 done, 2 running, 1 failed, 1 waiting\n"
            r"asynctask: running for 0:0\d: n\[2-3\] \(2\)\n"
            r"asynctask: failed so far: n1\n"
            r"asynctask: 1/4 done"
        )
        assert terminal.modes() == before
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.rows[-1] == "asynctask: n1: failed with exit code 3"


def test_who_still_runs_is_not_asked_by_input(tmp_path: Path) -> None:
    """What comes through a pipe is for the commands, empty lines as well."""
    reader, writer = os.pipe()

    with Emulator(*HERE, "-w", "n", f"cat; {_until_there(tmp_path / 'go')}", stdin=reader) as terminal:
        os.close(reader)
        os.write(writer, b"\n\nx\n")
        os.close(writer)
        terminal.wait_until(r"n: x\nasynctask: 0/1")
        terminal.press(b"\n")
        (tmp_path / "go").touch()
        until(lambda: terminal.wait() == 0)

    assert terminal.rows == ["n:", "n:", "n: x"]
