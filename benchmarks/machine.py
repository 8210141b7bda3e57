"""Where the figures were taken: the machine and the versions of all parts."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import import_module, metadata
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.rows import program

_DISTRIBUTIONS = (
    "anyio",
    "asyncssh",
    "cryptography",
    "uvloop",
    "ClusterShell",
    "parallel-ssh",
    "ssh2-python",
    "pyee",
    "blinker",
    "inotify-simple",
    "watchdog",
    "watchfiles",
    "gevent",
    "supervisor",
    "circus",
    "psutil",
)
_COMMANDS = {
    "OpenSSH": (("ssh", "-V"), r"OpenSSH_(.+?),"),
    "pdsh": (("pdsh", "-V"), r"pdsh-(\S+)"),
    "xargs (GNU findutils)": (("xargs", "--version"), r"findutils\) (\S+)"),
}


def describe() -> list[tuple[str, str]]:
    """Return (part, description) pairs; what is not installed is named as missing."""
    return [
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("CPU", _first_line("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor() or "unknown"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("system", _first_line("/etc/os-release", r'PRETTY_NAME="?([^"]+)') or "unknown"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("asynctask", _ours()),
        *((name, _distribution(name)) for name in _DISTRIBUTIONS),
        *((name, _command(*how)) for name, how in _COMMANDS.items()),
    ]


class Neighbours:
    """How much of the cores other programs used since this was made: it spoils the figures."""

    def __init__(self) -> None:
        self._busy, self._total = _jiffies()
        self._own = _own_seconds()

    def share(self) -> float:
        """Return it as a part of one, about: orphans that init reaped count as others."""
        busy, total = _jiffies()
        own = (_own_seconds() - self._own) * os.sysconf("SC_CLK_TCK")
        return max(0.0, busy - self._busy - own) / max(1, total - self._total)


def _jiffies() -> tuple[int, int]:
    """Return the busy and all ticks of all cores; columns four and five are idle and waiting for I/O."""
    columns = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ticks = [int(column) for column in columns]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _own_seconds() -> float:
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _first_line(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _ours() -> str:
    """The version of the code that runs, which need not be the installed one."""
    try:
        return str(import_module("asynctask").__version__)
    except ImportError:
        return "missing"


def _distribution(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _command(argv: tuple[str, ...], pattern: str) -> str:
    try:
        done = subprocess.run(
            [program(argv[0]), *argv[1:]], capture_output=True, check=False, text=True, timeout=10
        )
    except OSError:
        return "missing"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown version"
