"""The interactive mode as a whole, on a terminal."""

from __future__ import annotations

import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from asynctask.cli.interactive.session import _Candidates, _pool
from asynctask.cli.request import Request
from asynctask.ssh.pool import ConnectionPool
from tests.cli import programs
from tests.cli.programs import Terminal

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

# Runs commands here and shows what they print, as the real one does; Ctrl-C stops them.
_PROGRAM = """\
import sys
from asynctask import Task
from asynctask.cli.interactive.session import interact
from asynctask.cli.loop import run_loop
from asynctask.cli.request import Request
from asynctask.cli.signals import signals_handled

class Show:
    def ev_read(self, worker, node, sname, msg):
        print(f"{node}: {msg.decode()}", flush=True)

async def run(request, *, pool):
    caught = []
    task = Task()
    def stop(number):
        caught.append(number)
        task.abort()
    with signals_handled(stop):
        async with task:
            task.shell(request.command, nodes=request.targets, worker="exec", handler=Show())
            await task.run()
    return 128 + caught[0] if caught else 0

sys.exit(run_loop(interact(Request(targets=("web1", "web2"), worker="exec"), run)))
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Starts it in a terminal."""
    script = tmp_path / "shell.py"
    script.write_text(_PROGRAM)
    monkeypatch.setattr(programs, "PROGRAM", (sys.executable, str(script)))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    return Terminal


def test_a_session(shell: Callable[..., Terminal], tmp_path: Path) -> None:
    """Commands run, Ctrl-C stops the one that runs, Ctrl-D leaves, and the terminal is as before."""
    with shell() as terminal:
        modes = termios.tcgetattr(terminal._ours)
        terminal.wait_for(b"asynctask>")
        terminal.press(b"@web2\r")
        terminal.wait_for(b"asynctask>")
        terminal.press(b"echo began; exec sleep 100\r")
        terminal.wait_for(b"web2: began")
        terminal.press(b"\x03")
        terminal.wait_for(b"asynctask>")
        terminal.press(b"\x04")
        assert terminal.wait() == 0
        assert termios.tcgetattr(terminal._ours) == modes
    lines = (tmp_path / "state" / "asynctask" / "shell_history").read_text().splitlines()
    assert lines == ["@web2", "echo began; exec sleep 100"]


def test_the_window_is_closed(shell: Callable[..., Terminal]) -> None:
    """It ends."""
    with shell() as terminal:
        terminal.wait_for(b"asynctask>")
        terminal.hang_up()
        assert terminal.process.wait(20) in {0, 128 + signal.SIGHUP, 1}


def test_what_lines_may_go_on_with(
    monkeypatch: pytest.MonkeyPatch, site_groups: Path, tmp_path: Path
) -> None:
    """The targets, hosts that are known, groups and programs; each is looked up once."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text("old1 x y\n")
    found = _Candidates(Request(targets=("web1",)))

    assert found.nodes[:2] == ["web1", "old1"]
    assert {"@web", "@db"} <= set(found.groups)
    assert found.commands == []
    assert found.nodes is found.nodes


def test_the_pool() -> None:
    """Connections are kept."""
    assert isinstance(_pool(), ConnectionPool)
