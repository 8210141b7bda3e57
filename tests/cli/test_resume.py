"""``asynctask resume``, as a user sees it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.programs import PROGRAM, until

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

NODES = [f"n{place}" for place in range(200)]
FANOUT = 25
# Each node is written down; those from 100 on then wait, while there is a pipe to wait at.
COMMAND = "echo %h >>ran; case %h in n1??) [ ! -p pipe ] || read line <pipe;; esac"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    monkeypatch.chdir(tmp_path)


def _ran(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _stopped(path: Path, *words: str, number: signal.Signals, at: int) -> int:
    """Start a run, and stop it when so many nodes are written down; the exit status."""
    with subprocess.Popen([*PROGRAM, *words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(_ran(path)) >= at)
        process.send_signal(number)
        return process.wait()


def test_every_node_runs_once(asynctask: CommandLine, tmp_path: Path) -> None:
    """The controller of 200 nodes is killed in the middle, and again when it is resumed; then all is run."""
    ran, pipe = tmp_path / "ran", tmp_path / "pipe"
    os.mkfifo(pipe)
    keeps_waiting = os.open(pipe, os.O_RDWR)
    words = ("run", "-w", "n[0-199]", "-R", "exec", "-f", str(FANOUT), "-q", COMMAND)
    killed = -signal.SIGKILL
    assert _stopped(ran, *words, number=signal.SIGKILL, at=100 + FANOUT) == killed
    assert _stopped(ran, "resume", number=signal.SIGKILL, at=100 + 2 * FANOUT) == killed
    pipe.unlink()
    os.close(keeps_waiting)  # whoever was left behind comes to its end

    listed = asynctask("history")
    resumed = asynctask("resume")
    nothing = asynctask("resume", "1")
    again = asynctask("resume", "--dry-run", "--again")

    assert b"  broken off  n[0-199]  " in listed.stdout
    assert Counter(_ran(ran)) == Counter(NODES)
    left_out, left = resumed.stderr.decode().splitlines()
    assert left_out.startswith("asynctask: run 1: left out, for it was started there, and nobody knows ")
    assert left == "asynctask: run 1: left to be run: n[150-199] (50)"
    assert nothing.stderr.decode().splitlines() == [left_out, "asynctask: run 1: nothing is left to be run"]
    assert {resumed.status, nothing.status, again.status} == {0}
    assert b"n[100-149] (50)" in again.stdout
    assert len(asynctask("history").stdout.splitlines()) == 2  # it is one run


def test_after_an_interruption(asynctask: CommandLine, tmp_path: Path) -> None:
    """What was stopped is left out, what never began is run."""
    ran = tmp_path / "ran"
    words = ("run", "-w", "web[1-4]", "-R", "exec", "-f", "1", "-q", "echo %h >>ran; [ -e go ] || sleep 60")
    assert _stopped(ran, *words, number=signal.SIGINT, at=1) == 130
    (tmp_path / "go").touch()

    resumed = asynctask("resume")
    again = asynctask("resume", "--again", "-v")

    assert _ran(ran) == ["web1", "web2", "web3", "web4", "web1"]
    assert resumed.stderr.decode().endswith("asynctask: run 1: left to be run: web[2-4] (3)\n")
    assert again.stderr.decode().endswith("asynctask: 1 ok\n")


def test_no_history(asynctask: CommandLine) -> None:
    """There is nothing to resume."""
    assert asynctask("resume") == (1, b"", b"asynctask: history: no runs are recorded yet\n")
