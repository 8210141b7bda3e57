"""A controller that is killed in the middle: no node gets its command twice, none is forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asynctask.cli.past.controller import Controller
from asynctask.outcome import Outcome
from tests.cli.past.support import nodes_of, opened
from tests.cli.programs import until

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

NODES = [f"n{place}" for place in range(200)]
FANOUT = 20
# Each node is written down; those from 100 on then wait, while there is a pipe to wait at.
COMMAND = "echo %h >>ran; case %h in n1??) [ ! -p pipe ] || read line <pipe;; esac"


@contextmanager
def _driver(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.cli.past.driver", *words]
    root = Path(__file__).parent.parent.parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _kill_at(process: subprocess.Popen[bytes], ran: Path, count: int) -> None:
    """Kill the controller when so many nodes are written down, and the last of them wait."""
    until(lambda: len(_lines(ran)) == count)
    process.kill()
    process.wait()


@pytest.mark.usefixtures("history")
def test_every_node_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: Path) -> None:
    """Of 200, killed twice in the middle: those that were at work are named, the others are completed."""
    monkeypatch.chdir(tmp_path)
    ran, pipe = tmp_path / "ran", tmp_path / "pipe"
    os.mkfifo(pipe)
    keeps_waiting = os.open(pipe, os.O_RDWR)

    with _driver("n[0-199]", COMMAND) as process:
        _kill_at(process, ran, 100 + FANOUT)
    first = [node for node in nodes_of(history, 1) if node.outcome is None and node.started is not None]
    with _driver("--resume", "1") as process:
        _kill_at(process, ran, 100 + 2 * FANOUT)
    pipe.unlink()
    os.close(keeps_waiting)  # whoever was left behind comes to its end
    with _driver("--resume", "1") as process:
        unknown = process.communicate()[0].decode().split()

    assert Counter(_lines(ran)) == Counter(NODES)
    assert {f"n{place}" for place in range(100, 120)} <= {node.node for node in first}
    assert {f"n{place}" for place in range(100, 140)} <= set(unknown)
    ended = {node.node for node in nodes_of(history, 1) if node.outcome is Outcome.OK}
    assert ended.isdisjoint(unknown)
    assert sorted([*ended, *unknown]) == sorted(NODES)

    with opened(history) as store:
        left = store.take_over(1, Controller.me(), again=False)
    assert left.left == ()
    assert sorted(node.node for node in left.unknown) == sorted(unknown)
