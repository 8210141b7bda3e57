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
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

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
    argv = [sys.executable, "-m", "benchmarks.runner", module, prepare, json.dumps(params)]
    with tempfile.TemporaryFile() as stdout:
        _execute(argv, stdout=stdout.fileno())
        stdout.seek(0)
        return Sample(**json.load(stdout))


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
            stderr.seek(0)
            said = stderr.read().decode(errors="replace").strip().splitlines()
            raise BenchmarkError(f"exit code {process.returncode}: {said[-1] if said else 'no message'}")
    return sample


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
