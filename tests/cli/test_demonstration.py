"""The demo as a program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.programs import PROGRAM, Terminal, run

STARTED = "Starting 5 SSH nodes in this process …\n".encode()
SCENES = """
Each line as it comes, with its node in front:

$ asynctask run -w 'node[1-5]' hostname
node1: node1
node2: node2
node3: node3
node4: node4
node5: node5

-b shows the same output once, with all who printed it. One node is odd:

$ asynctask run -w 'node[1-5]' -b 'test "$(hostname)" = node3 && echo version 1.9 || echo version 2.0'
---------------
node[1-2,4-5] (4)
---------------
version 2.0
---------------
node3
---------------
version 1.9

A node where the command fails is named, with its exit code; the others are not held up:

$ asynctask run -w 'node[1-5]' -b 'test "$(hostname)" != node2 || { echo disk is full; exit 3; }; echo done'
---------------
node[1,3-5] (4)
---------------
done
---------------
node2
---------------
disk is full
asynctask: node2: failed with exit code 3

-u limits the time. What a slow node printed until then is kept, and its command is gone:

$ asynctask run -w 'node[1-5]' -b -u 1 'echo started; test "$(hostname)" != node5 || sleep 60'
---------------
node[1-4] (4)
---------------
started
---------------
node5
---------------
started
asynctask: node5: timed out
"""
HOW_TO_GO_ON = """
The nodes are gone again. To go on:

  asynctask demo --keep            the same, and the nodes stay for commands of your own
  asynctask run -w NODES COMMAND   on your own nodes, wherever ssh gets you in
  asynctask run --help             everything that run can do

and in Python:

  result = await asynctask.run("uname -r", nodes="web[1-100]")
  for output, nodes in result.iter_buffers():
      print(asynctask.NodeSet.fromlist(nodes), output)
"""


@pytest.fixture(autouse=True)
def tmpdir_is_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's files go where the test can see that none is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def _nothing_left(directory: Path) -> bool:
    return list(directory.iterdir()) == []


def test_what_it_shows(tmp_path: Path) -> None:
    """Live output, an odd node, a failure, a time-out, and how to go on; nothing is left behind."""
    status, stdout, stderr = run("demo", "-n", "5")

    assert (status, stderr) == (0, b"")
    assert stdout.decode() == STARTED.decode() + SCENES + HOW_TO_GO_ON
    assert _nothing_left(tmp_path)


def test_nodes_that_stay(tmp_path: Path) -> None:
    """With --keep the command lines that it prints work, until Ctrl-C."""
    with Terminal("demo", "-n", "5", "--keep") as terminal:
        terminal.wait_for(SCENES.encode())
        shown = terminal.wait_for(b" uptime\n  ssh").decode()
        found = re.fullmatch(
            r"\nThe nodes stay until Ctrl-C\. In another terminal:\n\n"
            r"  asynctask run -F (\S+/ssh_config) -w 'node\[1-5\]' -b uptime\n  ssh",
            shown,
        )
        assert found is not None
        terminal.wait_for(f" -F {found[1]} node1 uptime\n".encode())
        finished = run("run", "-F", found[1], "-w", "node[1-2]", "-N", "-b", "echo there")
        terminal.press(b"\x03")
        status = terminal.wait()

    assert finished == (0, b"there\n", b"")
    assert (status, terminal.shown) == (0, b"")
    assert _nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_it_is_stopped_while_a_command_runs(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """In order: what the command printed is shown, commands and files are gone."""
    with Terminal("demo", "-n", "5") as terminal:
        terminal.wait_for(b"sleep 60'\n")
        terminal.send(number)
        assert terminal.wait() == status

    assert re.search(rb"(?m)^asynctask: node\S*5\S*( \(\d\))?: aborted\n", terminal.shown)
    assert b"To go on" not in terminal.shown
    assert b"Traceback" not in terminal.shown
    assert _nothing_left(tmp_path)


def test_it_is_stopped_at_once(tmp_path: Path) -> None:
    """Before the nodes are there."""
    with Terminal("demo", "-n", "5", "--keep") as terminal:
        terminal.wait_for(STARTED)
        terminal.press(b"\x03")
        status = terminal.wait()

    assert status == 130
    assert _nothing_left(tmp_path)


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """As ``| head -1``: quiet, exit status 1, nothing left behind."""
    process = subprocess.Popen([*PROGRAM, "demo", "-n", "5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()

    assert (process.wait(30), first, stderr) == (1, STARTED, b"")
    assert _nothing_left(tmp_path)


def test_a_full_disk(tmp_path: Path) -> None:
    """One clear line."""
    full = os.open("/dev/full", os.O_WRONLY)
    with subprocess.Popen([*PROGRAM, "demo"], stdout=full, stderr=subprocess.PIPE) as process:
        _, stderr = process.communicate(timeout=30)
    os.close(full)

    assert (process.returncode, stderr) == (1, b"asynctask: standard output: No space left on device\n")
    assert _nothing_left(tmp_path)
