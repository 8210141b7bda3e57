"""Tests of asynctask.processes: output, input, pausing."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from asynctask import processes as module
from asynctask.processes import Spawner
from tests.running import PATIENCE, Running, Start
from tests.support import turns

NUMBERS = b"".join(b"%d\n" % number for number in range(1, 150_001))
PRINT_NUMBERS = "seq 1 150000"  # about 1 MB, more than a pipe holds


# -- output and exit status ---------------------------------------------------------------------


async def test_output_is_exact(start: Start) -> None:
    """Byte for byte, without a last newline, with what is not text."""
    running = start(r"printf 'a\r\0\377\n\r\nend'")
    assert await running.process.wait() == 0
    assert running.output == {"stdout": b"a\r\0\xff\n\r\nend", "stderr": b""}


async def test_much_output_is_complete(start: Start) -> None:
    """More than a pipe holds."""
    running = start(PRINT_NUMBERS)
    assert await running.process.wait() == 0
    assert running.stdout == NUMBERS


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
async def test_the_exit_status_is_told(start: Start, code: int) -> None:
    """As the process gave it."""
    running = start(f"exit {code}")
    assert await running.process.wait() == code
    assert running.process.returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV])
async def test_a_signal_is_told_as_a_negative_number(start: Start, number: int) -> None:
    """As subprocess has it."""
    assert await start(f"ulimit -c 0; kill -{number} $$").process.wait() == -number


async def test_standard_error_is_part_of_standard_output(start: Start) -> None:
    """In the order of writing, since it is one pipe."""
    running = start("echo 1; echo 2 >&2; echo 3")
    await running.process.wait()
    assert running.output == {"stdout": b"1\n2\n3\n", "stderr": b""}


async def test_standard_error_can_be_kept_apart(start: Start) -> None:
    """Each stream has its own bytes."""
    running = start("echo 1; echo 2 >&2; echo 3; echo 4 >&2", separate_stderr=True)
    await running.process.wait()
    assert running.output == {"stdout": b"1\n3\n", "stderr": b"2\n4\n"}


async def test_a_stream_that_is_closed_early_does_not_end_the_other(start: Start) -> None:
    """It is over when both have ended."""
    running = start("exec >&-; echo 2 >&2; exit 4", separate_stderr=True)
    assert await running.process.wait() == 4
    assert running.output == {"stdout": b"", "stderr": b"2\n"}


async def test_a_process_that_closes_its_output_is_not_over(start: Start) -> None:
    """The end of the output is not the exit."""
    running = start("exec >&- 2>&-; kill -STOP $$; exit 5")
    await running.reached("T")
    waiter = asyncio.create_task(running.process.wait())
    await asyncio.wait([waiter], timeout=0.1)
    assert not waiter.done()
    running.process.signal_group(signal.SIGCONT)
    assert await waiter == 5


async def test_a_hundred_at_once(start: Start) -> None:
    """Each has its own status and output."""
    all_running = [start(f"echo {number}; exit {number}") for number in range(100)]
    assert await asyncio.gather(*(running.process.wait() for running in all_running)) == list(range(100))
    assert [running.stdout for running in all_running] == [b"%d\n" % number for number in range(100)]


async def test_waiting_again_gives_the_same(start: Start) -> None:
    """A cancelled wait leaves the process as it is."""
    running = start("kill -STOP $$; echo on; exit 6")
    await running.reached("T")
    waiter = asyncio.create_task(running.process.wait())
    await turns(3)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    running.process.signal_group(signal.SIGCONT)
    assert [await running.process.wait(), await running.process.wait()] == [6, 6]
    assert running.stdout == b"on\n"


async def test_it_leads_a_session_of_its_own(start: Start) -> None:
    """No terminal, and a group to be ended as one."""
    running = start("read line", stdin=True)
    pid = running.process.pid
    assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)
    assert os.getsid(0) != pid
    running.stdin.close()
    assert await running.process.wait() == 1


async def test_no_descriptor_of_ours_is_inherited(start: Start, tmp_path: Path) -> None:
    """Neither another process's pipe nor one that somebody left inheritable."""
    start("read line", stdin=True, separate_stderr=True)
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        running = start("ls /proc/$$/fd", stdin=True, separate_stderr=True)
        await running.process.wait()
    assert running.stdout.split() == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (("/nonexistent/program",), FileNotFoundError),
        (("/",), PermissionError),
        (("echo", "x" * 1_000_000), OSError),
        (("echo", "nul\0byte"), ValueError),
    ],
)
async def test_what_cannot_be_started_leaves_nothing(argv: tuple[str, ...], error: type[Exception]) -> None:
    """The error of the system reaches the caller, and every descriptor is closed again."""
    spawner = Spawner()
    await Running(spawner, ("true",)).process.wait()  # opens what all share
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    with pytest.raises(error):
        Running(spawner, argv, stdin=True, separate_stderr=True)
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
    await spawner.aclose()


def _open_descriptors(limit: int) -> set[int]:
    """Those below the limit; asking needs none itself."""
    found = set()
    for fd in range(limit):
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_GETFD)
            found.add(fd)
    return found


@pytest.fixture
def descriptor_limit() -> Iterator[int]:
    """A limit not far above what is open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(int(name) for name in os.listdir("/proc/self/fd")) + 30  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_running_out_of_descriptors_leaves_nothing_open(start: Start, descriptor_limit: int) -> None:
    """Wherever on the way it happens; with just enough, the process runs."""
    await start("true").process.wait()  # opens what all share
    taken: list[int] = []
    with suppress(OSError):
        while True:
            taken.append(os.dup(0))
    failed = 0
    try:
        while True:
            before = _open_descriptors(descriptor_limit)
            try:
                running = start("exec 2>&-; echo hi; exec >&-; exit 3", stdin=True, separate_stderr=True)
                break
            except OSError as exc:
                assert exc.errno == errno.EMFILE
            assert _open_descriptors(descriptor_limit) == before
            failed += 1
            os.close(taken.pop())
        assert await running.process.wait() == 3
        assert running.stdout == b"hi\n"
    finally:
        for fd in taken:
            os.close(fd)
    assert failed == 8  # three pipes, and the one that tells of a failing exec


# -- pausing ------------------------------------------------------------------------------------


async def test_pausing_and_resuming_loses_nothing(start: Start) -> None:
    """Even if every chunk pauses."""
    running = start(PRINT_NUMBERS)
    loop = asyncio.get_running_loop()

    def pause() -> None:
        running.process.pause_reading()
        loop.call_soon(running.process.resume_reading)

    running.on_chunk = pause
    assert await running.process.wait() == 0
    assert running.stdout == NUMBERS
    assert running.chunks > 10


async def test_a_paused_process_waits(start: Start) -> None:
    """Its pipe fills and it goes on when reading goes on."""
    running = start(PRINT_NUMBERS, separate_stderr=True)
    running.process.pause_reading()
    await asyncio.sleep(0.1)
    assert (running.chunks, running.process.returncode) == (0, None)
    running.process.resume_reading()
    assert await running.process.wait() == 0
    assert running.stdout == NUMBERS


async def test_one_that_exits_while_paused_is_over_when_its_output_is_read(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow reader loses nothing, however long after the exit it reads."""
    monkeypatch.setattr(module, "PIPE_GRACE", 0.02)
    running = start("echo last words")
    running.process.pause_reading()
    await running.process.wait_exit()
    waiter = asyncio.create_task(running.process.wait())
    await asyncio.wait([waiter], timeout=0.1)
    assert (waiter.done(), running.stdout) == (False, b"")
    running.process.resume_reading()
    assert await waiter == 0
    assert running.stdout == b"last words\n"


async def test_pausing_twice_is_pausing_once(start: Start) -> None:
    """And so is resuming."""
    running = start("echo hi")
    for _ in range(2):
        running.process.pause_reading()
    for _ in range(2):
        running.process.resume_reading()
    assert await running.process.wait() == 0
    assert running.stdout == b"hi\n"


# -- somebody holds the pipe -------------------------------------------------------------------


async def test_a_grandchild_that_holds_the_pipe_is_given_a_moment(start: Start) -> None:
    """Then it is over, half a second after the exit."""
    running = start("sleep 60 & echo done")
    await running.process.wait_exit()
    exited = time.monotonic()
    assert await running.process.wait() == 0
    assert time.monotonic() - exited >= module.PIPE_GRACE - 0.15  # the exit is noticed up to 0.1 s late
    assert running.stdout == b"done\n"


async def test_all_that_the_process_wrote_is_delivered_though_the_pipe_is_held(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the last pipe full of it."""
    monkeypatch.setattr(module, "PIPE_GRACE", 0.02)
    running = start(f"sleep 60 & {PRINT_NUMBERS}")
    assert await running.process.wait() == 0
    assert running.stdout == NUMBERS


async def test_what_the_grandchild_writes_in_time_is_delivered(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And if it ends in time nobody waits any longer."""
    monkeypatch.setattr(module, "PIPE_GRACE", PATIENCE)
    running = start("(sleep 0.1; echo later) & echo first; exit 3")
    assert await running.process.wait() == 3
    assert running.stdout == b"first\nlater\n"


async def test_a_grandchild_that_never_stops_writing_is_cut_off(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look takes a bounded amount."""
    monkeypatch.setattr(module, "PIPE_GRACE", 0.05)
    running = start("while :; do echo y; done & sleep 0.01")
    assert await running.process.wait() == 0
    assert running.stdout.startswith(b"y\ny\n")
    assert running.process._readers == {}


# -- input --------------------------------------------------------------------------------------


async def test_without_input_it_finds_the_end_at_once(start: Start) -> None:
    """A command that reads does not hang."""
    running = start("cat; echo end")
    assert await running.process.wait() == 0
    assert running.stdout == b"end\n"


async def test_input_is_written_and_ended(start: Start) -> None:
    """Byte for byte."""
    running = start("cat", stdin=True)
    await running.stdin.write(b"a\0\xff")
    await running.stdin.write(b"")
    await running.stdin.write(b"\nb")
    running.stdin.close()
    running.stdin.close()
    assert await running.process.wait() == 0
    assert running.stdout == b"a\0\xff\nb"


async def test_writing_waits_for_the_reader(start: Start) -> None:
    """Nothing piles up here when the process does not read."""
    running = start("kill -STOP $$; wc -c", stdin=True)
    await running.reached("T")
    writer = asyncio.create_task(running.stdin.write(bytes(1 << 20)))
    await asyncio.wait([writer], timeout=0.05)
    assert not writer.done()
    running.process.signal_group(signal.SIGCONT)
    await writer
    running.stdin.close()
    await running.process.wait()
    assert running.stdout.strip() == b"1048576"


async def test_a_reader_that_goes_away_breaks_the_pipe(start: Start) -> None:
    """Whether the writer waits at that time or writes after it."""
    running = start("read line", stdin=True)
    with pytest.raises(BrokenPipeError):
        await running.stdin.write(b"x\n" * (1 << 20))
    with pytest.raises(BrokenPipeError):
        await running.stdin.write(b"x")
    assert await running.process.wait() == 0


async def test_writing_to_what_was_closed_is_refused(start: Start) -> None:
    """It says so."""
    running = start("cat", stdin=True)
    running.stdin.close()
    with pytest.raises(BrokenPipeError, match=r"^standard input is closed$"):
        await running.stdin.write(b"x")
    await running.process.wait()


async def test_closing_while_a_write_waits_ends_the_write(start: Start) -> None:
    """Nobody waits for ever."""
    running = start("kill -STOP $$", stdin=True)
    writer = asyncio.create_task(running.stdin.write(bytes(1 << 20)))
    await turns(2)
    await running.reached("T")
    assert not writer.done()
    running.stdin.close()
    with pytest.raises(BrokenPipeError, match=r"^standard input is closed$"):
        await asyncio.wait_for(writer, PATIENCE)


async def test_a_write_can_be_cancelled(start: Start) -> None:
    """It may be half written, and the pipe can still be closed."""
    running = start("kill -STOP $$; wc -c", stdin=True)
    writer = asyncio.create_task(running.stdin.write(bytes(1 << 20)))
    await turns(2)
    await running.reached("T")
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    running.stdin.close()
    running.process.signal_group(signal.SIGCONT)
    assert await running.process.wait() == 0
    assert 0 < int(running.stdout) < 1 << 20
