"""Tests of asynctask.testing.shell."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
import pytest_asyncio

from asynctask.testing.shell import ShellProcess
from tests.testing.clients import exit_of, open_files, until

BLOCK = b"x" * 65536


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.outputs = {1: b"", 2: b""}
        self.has_ended = asyncio.Event()
        self.is_gone = asyncio.Event()

    def output(self, fd: int, data: bytes) -> None:
        self.outputs[fd] += data

    def exited(self, returncode: int) -> None:
        self.events.append(f"exited {returncode}")

    def ended(self) -> None:
        self.events.append("ended")
        self.has_ended.set()

    def gone(self) -> None:
        self.events.append("gone")
        self.is_gone.set()

    def stdin_full(self) -> None:
        self.events.append("full")

    def stdin_ready(self) -> None:
        self.events.append("ready")

    async def wait_ended(self) -> None:
        async with asyncio.timeout(10):
            await self.has_ended.wait()

    async def wait_gone(self) -> None:
        async with asyncio.timeout(10):
            await self.is_gone.wait()


@pytest_asyncio.fixture
async def owner() -> Owner:
    """Who watches the process."""
    return Owner()


@pytest_asyncio.fixture
async def process(owner: Owner) -> AsyncIterator[ShellProcess]:
    """A process that is not started yet; killed after the test."""
    process = ShellProcess(owner)
    yield process
    process.finish()
    if owner.events:
        await owner.wait_gone()


async def _start(process: ShellProcess, script: str, directory: Path) -> None:
    await process.spawn("/bin/sh", "-c", script, directory=directory, environment={"PATH": os.defpath})


@contextmanager
def _gate(directory: Path) -> Iterator[Callable[[], int]]:
    """A pipe named ``gate``; who reads a line from it waits until the gate is opened."""
    os.mkfifo(directory / "gate")
    fd = os.open(directory / "gate", os.O_RDWR)  # for both, so that opening does not wait
    try:
        yield lambda: os.write(fd, b"go\n")
    finally:
        os.close(fd)


def _state(pid: int) -> str | None:
    """The letter for a process's state, None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


async def test_output_and_exit(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """Both outputs arrive byte by byte, then the exit code, then the end."""
    await _start(process, r"printf 'a\r\377'; printf 'b\n' >&2; exit 7", tmp_path)
    process.write_eof()
    await owner.wait_ended()
    assert owner.outputs == {1: b"a\r\xff", 2: b"b\n"}
    assert [event for event in owner.events if event != "ready"] == ["exited 7", "ended"]


async def test_end_by_a_signal(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """A signal that ends the process is a negative exit code."""
    await _start(process, "sleep 1000", tmp_path)
    process.signal(signal.SIGTERM)
    await until(lambda: "exited -15" in owner.events)


async def test_streams_are_pipes(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """A command can open its own standard streams by name, as on a real node."""
    await _start(process, "echo hello | tee /dev/stderr", tmp_path)
    process.write_eof()
    await owner.wait_ended()
    assert owner.outputs == {1: b"hello\n", 2: b"hello\n"}


async def test_runs_in_its_directory_and_environment(
    owner: Owner, process: ShellProcess, tmp_path: Path
) -> None:
    """Nothing of this process's environment is passed on."""
    await process.spawn("/bin/sh", "-c", "pwd; env", directory=tmp_path, environment={"ONLY": "this"})
    process.write_eof()
    await owner.wait_ended()
    lines = owner.outputs[1].decode().splitlines()
    assert lines[0] == str(tmp_path)
    assert {line for line in lines[1:] if not line.startswith(("PWD=", "_=", "OLDPWD=", "SHLVL="))} == {
        "ONLY=this"
    }


async def test_what_cannot_be_started(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """The error is raised, and no pipe stays open."""
    before = open_files("pipe:")
    with pytest.raises(FileNotFoundError):
        await process.spawn("/no/such/shell", directory=tmp_path, environment={})
    await until(lambda: open_files("pipe:") == before)
    assert owner.events == []


async def test_the_process_id_is_kept_until_the_finish(
    owner: Owner, process: ShellProcess, tmp_path: Path
) -> None:
    """A process that exited is reaped last, so that no signal can reach a stranger with its id."""
    await _start(process, "echo $$", tmp_path)
    await owner.wait_ended()
    pid = int(owner.outputs[1])
    assert _state(pid) == "Z"
    process.finish()
    await owner.wait_gone()
    assert _state(pid) is None


@pytest.mark.parametrize("error", [AttributeError(), OSError(errno.EMFILE, "Too many open files")])
async def test_the_end_is_seen_without_pidfd(
    owner: Owner, process: ShellProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where there is no pidfd, or none left, a thread waits for the process."""
    monkeypatch.setattr(os, "pidfd_open", Mock(side_effect=error))
    await _start(process, "exit 7", tmp_path)
    await owner.wait_ended()
    process.finish()
    await owner.wait_gone()
    assert [event for event in owner.events if event != "ready"] == ["exited 7", "ended", "gone"]


async def test_children_that_let_go_of_the_output_do_not_hold_it(
    owner: Owner, process: ShellProcess, tmp_path: Path
) -> None:
    """A background process with its own streams does not keep the command from ending."""
    await _start(process, "sleep 1000 </dev/null >/dev/null 2>&1 &", tmp_path)
    await owner.wait_ended()


async def test_what_comes_early_waits(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """Input before the process runs is kept, and its source is asked to wait."""
    process.write(b"early\n")
    process.write_eof()
    assert owner.events == ["full"]
    await _start(process, "cat", tmp_path)
    await owner.wait_ended()
    assert owner.outputs[1] == b"early\n"
    assert owner.events[:2] == ["full", "ready"]


async def test_a_full_stdin_is_reported(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """A process that does not read stops its source, one that reads again starts it again."""
    with _gate(tmp_path) as open_gate:
        await _start(process, "read go <gate; cat >/dev/null", tmp_path)
        while owner.events[-1] != "full":
            process.write(BLOCK)
        open_gate()
        await until(lambda: owner.events[-1] == "ready")


async def test_all_input_arrives(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """Closing stdin does not cut off what was written before."""
    await _start(process, "wc -c", tmp_path)
    for _ in range(100):
        process.write(BLOCK)
    process.write_eof()
    await owner.wait_ended()
    assert int(owner.outputs[1]) == 100 * len(BLOCK)


async def test_input_after_stdin_was_closed_is_dropped(
    owner: Owner, process: ShellProcess, tmp_path: Path
) -> None:
    """A process that closed its stdin is not disturbed by more input, nor is its source stopped."""
    with _gate(tmp_path) as open_gate:
        await _start(process, "exec <&-; echo closed; read go <gate", tmp_path)
        await until(lambda: owner.outputs[1])
        for _ in range(8):
            process.write(BLOCK)
            await until(lambda: owner.events[-1] == "ready")
        open_gate()
        await owner.wait_ended()
    assert "exited 0" in owner.events


async def test_paused_output_blocks_the_process(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """While its output is paused, the process gets no further than its pipe is long."""
    await _start(process, "read go; printf x; : >begun; head -c 1000000 /dev/zero; : >written", tmp_path)
    process.pause_output()
    process.write(b"\n")
    await until((tmp_path / "begun").exists)
    assert owner.outputs[1] == b""
    assert not (tmp_path / "written").exists()
    process.resume_output()
    process.write_eof()
    await owner.wait_ended()
    assert len(owner.outputs[1]) == 1_000_001
    assert (tmp_path / "written").exists()


async def test_signals_reach_the_whole_group(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """Children of the shell get the signal too."""
    await _start(process, "sleep 1000 & echo $!; wait", tmp_path)
    await until(lambda: owner.outputs[1].endswith(b"\n"))
    process.signal(signal.SIGTERM)
    await exit_of(int(owner.outputs[1]))


async def test_finish_kills_the_whole_group(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """What ignores TERM and what the shell has left behind is killed."""
    await _start(process, "trap '' TERM; sleep 1000 & echo $!; exit", tmp_path)
    await until(lambda: "exited 0" in owner.events)
    await until(lambda: owner.outputs[1].endswith(b"\n"))
    assert "ended" not in owner.events
    process.finish()
    await exit_of(int(owner.outputs[1]))
    await owner.wait_gone()


async def test_finish_before_the_start(owner: Owner, process: ShellProcess, tmp_path: Path) -> None:
    """A process that nobody wants any more is killed as soon as it is there."""
    process.finish()
    await _start(process, "sleep 1000", tmp_path)
    await owner.wait_gone()
    assert [event for event in owner.events if event != "ready"] == ["exited -9", "gone"]


async def test_finish_does_not_wait_for_unread_input(
    owner: Owner, process: ShellProcess, tmp_path: Path
) -> None:
    """Input that nobody reads, not even an escaped grandchild, keeps no pipe open."""
    script = "(exec setsid sleep 1000) <&0 >/dev/null 2>&1 & echo $!; wait"
    await _start(process, script, tmp_path)
    await until(lambda: owner.outputs[1].endswith(b"\n"))
    grandchild = int(owner.outputs[1])
    try:
        while "full" not in owner.events:
            process.write(BLOCK)
        process.write_eof()
        process.finish()
        await owner.wait_gone()
    finally:
        os.kill(grandchild, signal.SIGKILL)
    await exit_of(grandchild)
