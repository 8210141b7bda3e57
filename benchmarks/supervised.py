"""Process managers and what they are given: the same programs for each, in its own words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from time import monotonic, sleep

from benchmarks.measure import ROOT, BenchmarkError, descendants
from benchmarks.rows import no_program, program

_LONGEST = 120.0
_LOOK = 0.002
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Program:
    """What a manager is to keep running, at once and again at once."""

    argv: Sequence[str]
    number: int = 1
    log: Path | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A process manager."""

    name: str
    command: str
    configure: Callable[[Path, Program], Sequence[str]]
    """Writes its configuration, and gives its command line."""

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty when it can."""
        return no_program(self.command)


def _asynctask(scratch: Path, what: Program) -> Sequence[str]:
    path = scratch / "asynctask.toml"
    lines = [
        "[process.bench]",
        f"command = {_toml(what.argv)}",
        f"numprocesses = {what.number}",
        f'restart = "{"never" if what.once else "always"}"',
        "flapping = false",
        "[process.bench.stdout]" if what.log else "",
        f'path = "{what.log}"\nmax_bytes = 0' if what.log else "",
    ]
    path.write_text("\n".join(lines))
    return [program("asynctask"), "up", "-f", str(path), "--daemon", "--socket", str(scratch / "socket")]


def _toml(words: Sequence[str]) -> str:
    return "[" + ", ".join("'''" + word + "'''" for word in words) + "]"


def _supervisor(scratch: Path, what: Program) -> Sequence[str]:
    path = scratch / "supervisord.conf"
    path.write_text(
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={scratch}/supervisord.pid\n"
        "[program:bench]\n"
        f"command={join(what.argv).replace('%', '%%')}\n"
        f"numprocs={what.number}\nprocess_name=%(process_num)s\nstartsecs=0\n"
        f"autorestart={'false' if what.once else 'true'}\n"
        f"stdout_logfile={what.log or '/dev/null'}\nstdout_logfile_maxbytes=0\n"
        "stderr_logfile=/dev/null\nstderr_logfile_maxbytes=0\n"
    )
    return [program("supervisord"), "-n", "-c", str(path)]


def _circus(scratch: Path, what: Program) -> Sequence[str]:
    path = scratch / "circus.ini"
    log = "stdout_stream.class = FileStream\nstdout_stream.filename = " + str(what.log) if what.log else ""
    path.write_text(
        f"[circus]\nendpoint = ipc://{scratch}/endpoint\npubsub_endpoint = ipc://{scratch}/pubsub\n"
        "statsd = False\ncheck_delay = 0.1\n"
        "[watcher:bench]\n"
        f"cmd = {what.argv[0]}\nargs = {join(what.argv[1:])}\n"
        f"numprocesses = {what.number}\nwarmup_delay = 0\nmax_retry = -1\ncopy_env = True\n"
        f"respawn = {not what.once}\n{log}\n"
    )
    return [program("circusd"), "--log-output", "/dev/null", str(path)]


TOOLS = (
    Tool("asynctask up", "asynctask", _asynctask),
    Tool("supervisor", "supervisord", _supervisor),
    Tool("circus", "circusd", _circus),
)


@contextmanager
def managed(tool: Tool, scratch: Path, what: Program) -> Iterator[int]:
    """Have a manager run a program; gives the manager's number, and ends all of it."""
    process = subprocess.Popen(
        tool.configure(scratch, what),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield process.pid
        if process.poll() is not None:
            raise BenchmarkError(f"{tool.name} ended before its time, with {process.returncode}")
    finally:
        family = descendants(process.pid)
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something, looking at it all the time.

    Raises:
        BenchmarkError: it does not come.
    """
    end = monotonic() + _LONGEST
    while not holds():
        if monotonic() > end:
            raise BenchmarkError(f"not within {_LONGEST:.0f} s: {what}")
        sleep(_LOOK)


def children(pid: int, name: str) -> int:
    """How many descendants of a process run a program of this name."""
    found = 0
    for each in descendants(pid):
        with suppress(OSError):
            found += Path(f"/proc/{each}/comm").read_text().strip() == name
    return found


def manager_and_helpers(pid: int, name: str) -> Sequence[int]:
    """A manager with its own helpers, without the programs of this name."""
    family = [pid]
    for each in descendants(pid):
        with suppress(OSError):
            if Path(f"/proc/{each}/comm").read_text().strip() != name:
                family.append(each)
    return family


def cpu_seconds(pids: Sequence[int]) -> float:
    """What processes have computed so far."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(stat[11]) + int(stat[12])
    return total / _TICK


#: A program that notes when it begins and ends, and does nothing else.
def noting(path: Path) -> Sequence[str]:
    """The command line of a program that adds the times of its begin and end to a file, in nanoseconds."""
    code = (
        "import os,time;a=time.time_ns();"
        f"f=os.open({str(path)!r},os.O_WRONLY|os.O_APPEND|os.O_CREAT);"
        'os.write(f,b"%d %d\\n"%(a,time.time_ns()))'
    )
    return [sys.executable, "-S", "-c", code]
