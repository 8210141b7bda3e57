"""One measured run, in a process of its own: wall time, CPU of the process and of its children, peak memory.

A library is measured inside its process, round the work alone (`runner`), so its imports do not count.
A command line is measured from outside, from its start to its exit.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LONGEST_RUN = 300.0
"""Seconds after which a measured program is killed and its row says so."""

_TICK = os.sysconf("SC_CLK_TCK")
_STAT_UTIME = 11
"""Index of `utime` in /proc/PID/stat behind the command's name; stime, cutime and cstime follow."""


class BenchmarkError(Exception):
    """A measured program failed, took too long, or did not do the work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took: seconds, and bytes of resident memory above those held before the work."""

    wall: float
    cpu_self: float
    cpu_children: float
    peak: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """CPU seconds of the program and of the children it waited for."""
        return self.cpu_self + self.cpu_children


def run_library(module: str, prepare: str, **params: object) -> Sample:
    """Run `benchmarks.<module>.<prepare>(**params)` in a fresh interpreter, which measures its own work."""
    with tempfile.TemporaryFile() as stdout:
        _execute(library_argv(module, prepare, **params), stdout=stdout.fileno())
        stdout.seek(0)
        return Sample(**json.load(stdout))


def library_argv(module: str, prepare: str, **params: object) -> list[str]:
    """Return the command line of `run_library`."""
    return [sys.executable, "-m", "benchmarks.runner", module, prepare, json.dumps(params)]


def run_command(
    argv: Sequence[str],
    *,
    stdin: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: Callable[[Path], None] | None = None,
) -> Sample:
    """Run a command line; `check` is given the file with its output and raises when the work was not done."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "stdout")
        with output.open("wb") as stdout:
            sample = _execute(argv, stdin=stdin, stdout=stdout.fileno(), env=env)
        if check is not None:
            check(output)
    return sample


def run_held(argv: Sequence[str], held: Callable[[], bool], end: Callable[[], None]) -> Sample:
    """Run a command line until `held`, read the memory of all its processes, and kill them.

    Before, `end` ends what it holds: later nobody would know whose it was. The sample's `peak` is the whole
    of their memory, not what is above a base.
    """
    with tempfile.TemporaryFile() as stderr:
        started = perf_counter()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"},
            start_new_session=True,
        )
        try:
            while not held():
                if process.poll() is not None:
                    raise BenchmarkError(f"ended before its time: {_last_line(stderr)}")
                if perf_counter() - started > LONGEST_RUN:
                    raise BenchmarkError(f"not ready after {LONGEST_RUN:.0f} s, killed")
                sleep(0.2)
            wall = perf_counter() - started
            memory = sum(resident(pid) for pid in (process.pid, *descendants(process.pid)))
        finally:
            family = [process.pid, *descendants(process.pid)]
            end()
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
    return Sample(wall, 0, 0, memory)


def resident(pid: int) -> int:
    """Bytes of memory, of what is shared its part; 0 for a process that has gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def expect_lines(count: int) -> Callable[[Path], None]:
    """Return a check that the output has exactly `count` lines."""

    def check(output: Path) -> None:
        with output.open("rb") as lines:
            found = sum(1 for _ in lines)
        if found != count:
            raise BenchmarkError(f"printed {found} lines instead of {count}")

    return check


def _execute(
    argv: Sequence[str],
    *,
    stdout: int,
    stdin: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Sample:
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"} | dict(
        env or {}
    )
    with tempfile.TemporaryFile() as stderr, (stdin or Path(os.devnull)).open("rb") as source:
        started = perf_counter()
        process = subprocess.Popen(
            argv,
            stdin=source,
            stdout=stdout,
            stderr=stderr,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        sample = _wait(process, started)
        if process.returncode != 0:
            raise BenchmarkError(f"exit code {process.returncode}: {_last_line(stderr)}")
    return sample


def _last_line(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    said = stderr.read().decode(errors="replace").strip().splitlines()
    return said[-1] if said else "no message"


def _wait(process: subprocess.Popen[bytes], started: float) -> Sample:
    """Wait for the exit and read the CPU times while the zombie still has them apart."""
    pidfd = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([pidfd], [], [], LONGEST_RUN)
        wall = perf_counter() - started
        if not ready:
            raise BenchmarkError(f"still running after {LONGEST_RUN:.0f} s, killed")
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        os.close(pidfd)
        process.wait()
    ticks = [int(value) for value in stat[_STAT_UTIME : _STAT_UTIME + 4]]
    return Sample(wall, (ticks[0] + ticks[1]) / _TICK, (ticks[2] + ticks[3]) / _TICK)


def descendants(pid: int) -> list[int]:
    """Return the children of a process, theirs, and so on."""
    found = []
    for task in _entries(Path(f"/proc/{pid}/task")):
        with suppress(OSError):
            children = [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
            found += children + [grandchild for child in children for grandchild in descendants(child)]
    return found


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []
