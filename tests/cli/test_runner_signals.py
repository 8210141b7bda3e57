"""``asynctask run`` that is told to end."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from asynctask.cli.prompting import Asker
from asynctask.cli.request import Request
from asynctask.cli.runner import Execution
from tests.cli.programs import PROGRAM, Terminal, until

HERE = ("run", "-R", "exec")
CTRL_C = b"\x03"


def _block(nodes: str, text: str) -> bytes:
    return f"---------------\n{nodes}\n---------------\n{text}\n".encode()


def _started(directory: Path, count: int) -> None:
    """Wait until so many commands have made a file."""
    until(lambda: len(list(directory.iterdir())) == count)


def test_ctrl_c(tmp_path: Path) -> None:
    """Who still runs is named and stopped, what was gathered is shown, and the exit status is 130."""
    command = f"echo %h begins; touch {tmp_path}/%h; test %n = 0 || sleep 60"

    with Terminal(*HERE, "-q", "-b", "-f3", "-w", "n[1-4]", command) as terminal:
        _started(tmp_path, 4)
        terminal.press(CTRL_C)
        status = terminal.wait()

    assert status == 130
    assert terminal.shown == (
        b"asynctask: SIGINT: stopping what still runs: n[2-4] (3)\n"
        + _block("n1", "n1 begins")
        + _block("n2", "n2 begins")
        + _block("n3", "n3 begins")
        + _block("n4", "n4 begins")
        + b"asynctask: n[2-4] (3): aborted\n"
    )


def test_ctrl_c_while_some_wait_for_their_turn() -> None:
    """They never start, and that is said."""
    with Terminal(*HERE, "-q", "-S", "-f1", "-w", "n[1-3]", "echo x; sleep 60") as terminal:
        terminal.wait_for(b"n1: x\n")
        terminal.press(CTRL_C)
        status = terminal.wait()

    # -qS leaves out who did not end well
    assert (status, terminal.shown) == (130, b"asynctask: SIGINT: stopping what still runs: n1\n")


def test_ctrl_c_over_the_status_line() -> None:
    """It is erased first, and gone at the end."""
    with Terminal(*HERE, "-f1", "-w", "n[1-2]", "sleep 60") as terminal:
        terminal.wait_for(b" running")
        terminal.press(CTRL_C)
        status = terminal.wait()

    assert (status, terminal.lines) == (
        130,
        [
            b"asynctask: SIGINT: stopping what still runs: n1",
            b"asynctask: n1: aborted",
            b"asynctask: n2: never started",
            b"asynctask: 1 aborted: n1, 1 never started: n2",
            b"",
        ],
    )


def test_a_second_ctrl_c(tmp_path: Path) -> None:
    """It kills what does not mind the first, at once; what was gathered is shown all the same."""
    command = f"trap '' TERM; echo x; touch {tmp_path}/%h; while :; do sleep 60; done"

    with Terminal(*HERE, "-q", "-b", "-w", "n[1-2]", command) as terminal:
        _started(tmp_path, 2)
        terminal.press(CTRL_C)
        terminal.wait_for(b"n[1-2] (2)\n")
        terminal.press(CTRL_C)
        terminal.wait_for(b"killing what is left\n")
        status = terminal.wait()

    assert (status, terminal.shown) == (
        130,
        _block("n[1-2]", "x") + b"asynctask: n[1-2] (2): aborted\n",
    )


def test_a_third_ctrl_c_where_somebody_reads(tmp_path: Path) -> None:
    """It leaves nothing out: it is for output that nobody reads."""
    command = f"trap '' TERM; echo x; touch {tmp_path}/%h; while :; do sleep 60; done"

    with Terminal(*HERE, "-q", "-b", "-w", "n[1-2]", command) as terminal:
        _started(tmp_path, 2)
        terminal.press(CTRL_C)
        terminal.wait_for(b"n[1-2] (2)\n")
        terminal.press(CTRL_C)
        terminal.wait_for(b"killing what is left\n")
        terminal.press(CTRL_C)
        status = terminal.wait()

    assert (status, terminal.shown) == (
        130,
        _block("n[1-2]", "x") + b"asynctask: n[1-2] (2): aborted\n",
    )


def test_the_grace_of_one_ctrl_c() -> None:
    """A command may clean up before it goes, and is heard."""
    command = "exec 2>/dev/null; trap 'echo cleaned; exit' TERM; echo x; while :; do sleep 0.05; done"

    with Terminal(*HERE, "-q", "-w", "n", command) as terminal:
        terminal.wait_for(b"n: x\n")
        terminal.press(CTRL_C)
        status = terminal.wait()

    assert (status, terminal.shown) == (
        130,
        b"asynctask: SIGINT: stopping what still runs: n\nn: cleaned\nasynctask: n: aborted\n",
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals(number: signal.Signals, status: int) -> None:
    """Each in order, each with the exit status that shells know it by."""
    with Terminal(*HERE, "-q", "-S", "-w", "n", "echo x; sleep 60") as terminal:
        terminal.wait_for(b"n: x\n")
        terminal.send(number)
        assert terminal.wait() == status

    assert terminal.shown == f"asynctask: {number.name}: stopping what still runs: n\n".encode()


@pytest.mark.one_loop("the command line runs on its own loop")
@pytest.mark.parametrize("most", [None, 0])
async def test_ctrl_c_at_a_prompt(capfdbinary: pytest.CaptureFixture[bytes], most: int | None) -> None:
    """Nothing is run, no record is begun, and nothing more is asked."""
    asked: list[str] = []

    class Interrupted(Asker):
        async def ask(self, text: str, *, echo: bool = False) -> str | None:
            asked.append(text)
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.01)  # it is heard on the loop
            return None

        async def password(self, option: str, text: str) -> str | None:
            return await self.ask(text)

    request = Request(
        targets=("n",), command="echo x", worker="exec", history=False, password_prompt=True, json=True
    )

    assert await Execution(request, asker=Interrupted(), most=most).run() == 143
    assert len(asked) == 1
    assert capfdbinary.readouterr() == (b"", b"asynctask: SIGTERM: stopping\n")


def test_the_terminal_goes_away() -> None:
    """As when its window is closed: the commands are stopped."""
    with Terminal(*HERE, "-w", "n[1-2]", "echo x; sleep 60") as terminal:
        terminal.wait_for(b": x\n")
        terminal.hang_up()
        assert terminal.wait() == 129


def test_nohup(tmp_path: Path) -> None:
    """A signal that is ignored from the start stays ignored."""
    command = f"touch {tmp_path}/started; while ! test -e {tmp_path}/go; do sleep 0.05; done; echo survived"
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" HUP INT; exec "$@"', "sh", *PROGRAM, *HERE, "-w", "n", command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _started(tmp_path, 1)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    (tmp_path / "go").touch()
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout, stderr) == (0, b"n: survived\n", b"")


def test_output_that_nobody_reads() -> None:
    """The third Ctrl-C gives up on it; the first two would wait for a reader."""
    reader, writer = os.pipe()
    with Terminal(*HERE, "-q", "-w", "n", "echo x >&2; yes", stdout=writer, stderr=writer) as terminal:
        until(lambda: not select.select([], [writer], [], 0)[1])
        for _ in range(3):
            terminal.send(signal.SIGINT)
            until(lambda: not _pending(terminal.process.pid, signal.SIGINT))
        status = terminal.wait()
    os.close(reader)
    os.close(writer)

    assert status == 130


def _pending(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    pending = int(status.partition("ShdPnd:")[2].split()[0], 16)
    return bool(pending >> (number - 1) & 1)
