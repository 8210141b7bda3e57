"""The program: ``asynctask.cli`` and ``python -m asynctask``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from asynctask import __version__
from tests.cli.conftest import CommandLine
from tests.cli.programs import PROGRAM, Finished, run, until

VERSION = f"asynctask {__version__}\n".encode()
NO_SPACE = b"asynctask: No space left on device\n"


def _shell(script: str, *words: str) -> Finished:
    """Run ``asynctask`` as ``"$@"`` in a shell script."""
    argv = ["/bin/sh", "-c", script, "sh", *PROGRAM, *words]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=30)
    return Finished(done.returncode, done.stdout, done.stderr)


def test_version() -> None:
    """One line."""
    assert run("--version") == (0, VERSION, b"")


@pytest.mark.parametrize(
    "code",
    [
        "import asynctask",
        "sys.argv[1:] = ['--version']; run()",
        "sys.argv[1:] = ['--help']; run()",
        "sys.argv[1:] = ['nodes', '-f', 'a1', 'a2']; run()",
        "sys.argv[1:] = ['run', '-w', 'a', '-f', '0', 'x']; run()",
    ],
)
def test_it_starts_without_what_it_does_not_need(code: str) -> None:
    """Start-up is felt at every call: no event loop, no SSH, no rich."""
    program = (
        "import sys\n"
        "def run():\n"
        "    from asynctask.cli import main\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        f"{code}\n"
        "print(sorted({'anyio', 'asyncio', 'asyncssh', 'rich', 'uvloop'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_version_alone_needs_no_click() -> None:
    """It is asked for at every completion and check."""
    program = (
        "import sys\n"
        "sys.argv[1:] = ['--version']\n"
        "import asynctask.cli\n"
        "try: asynctask.cli.main()\n"
        "except SystemExit: print('click' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert done.stdout == VERSION + b"False\n"


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-R", "exec", "-w", "n[1", "true"], "node set 'n[1': "),
        (["-R", "exec", "-w", "@nosuch", "true"], "unknown group '@nosuch', known are "),
        (["-R", "exec", "-g", "nosuch", "true"], "unknown group '@nosuch', known are "),
        (["-F", "/nonexistent/f", "-w", "n", "true"], "SSH configuration /nonexistent/f: no such file"),
        (["-R", "nosuch", "-w", "n", "true"], "unknown worker 'nosuch': choose one of exec, openssh, ssh"),
        (["--hostfile", "/nonexistent/f", "true"], "host file /nonexistent/f: No such file or directory"),
        (["-R", "exec", "-w", "n", "echo %x"], "unknown placeholder %x at character 6 of the command: "),
    ],
)
def test_errors(asynctask: CommandLine, site_groups: Path, words: list[str], message: str) -> None:
    """One clear line, exit status 1, nothing on standard output."""
    status, stdout, stderr = asynctask("run", *words)

    assert (status, stdout) == (1, b"")
    assert stderr.decode().startswith(f"asynctask: {message}")
    assert stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-w", "n"], "no command to run"),
        (["run", "true"], "no nodes: name them with -w, -g, -a or --hostfile"),
        (["run", "-w", "n", "-f", "0", "true"], "Invalid value for '-f' / '--fanout': 0 is not in the range"),
        (["rnu"], "No such command 'rnu'."),
        (["nodes"], "give exactly one of -f, -e, -c, -r, -l, -L, --index and --list-sources"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, words: list[str], message: str) -> None:
    """Exit status 2, and how to get help."""
    status, stdout, stderr = asynctask(*words)

    assert (status, stdout) == (2, b"")
    lines = stderr.decode().splitlines()
    assert lines[0].startswith("Usage: asynctask ")
    assert lines[-1].startswith(f"Error: {message}")


def test_a_sub_command(asynctask: CommandLine) -> None:
    """Its exit status is that of the program."""
    assert asynctask("nodes", "-f", "a1", "a2") == (0, b"a[1-2]\n", b"")


# -- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closing", "words", "finished"),
    [
        ("<&-", ["run", "-R", "exec", "-w", "n", "echo x; cat"], (0, b"n: x\n", b"")),
        ("2>&-", ["run", "-R", "exec", "-w", "n", "echo x; echo y >&2"], (0, b"n: x\n", b"")),
        (
            ">&-",
            ["run", "-R", "exec", "-w", "n", "echo x"],
            (1, b"", b"asynctask: standard output: Bad file descriptor\n"),
        ),
        ("<&- >&- 2>&-", ["run", "-R", "exec", "-w", "n", "echo x"], (1, b"", b"")),
        ("2>&-", ["run", "-R", "nosuch", "-w", "n", "true"], (1, b"", b"")),
        (">&-", ["--version"], (0, b"", b"")),
        (
            ">/dev/full",
            ["run", "-R", "exec", "-w", "n", "echo x"],
            (1, b"", b"asynctask: standard output: No space left on device\n"),
        ),
        (
            ">/dev/full",
            ["run", "-R", "exec", "-w", "n", "-b", "echo x"],
            (1, b"", b"asynctask: standard output: No space left on device\n"),
        ),
        (">/dev/full", ["--version"], (1, b"", NO_SPACE)),
        (">/dev/full", ["nodes", "-e", "n[1-9]"], (1, b"", NO_SPACE)),
        (">/dev/full", ["run", "--help"], (1, b"", NO_SPACE)),
        ("2>/dev/full", ["run", "-R", "exec", "-w", "n", "echo x; false"], (0, b"n: x\n", b"")),
    ],
)
def test_streams_that_are_closed_or_full(closing: str, words: list[str], finished: Finished) -> None:
    """Nothing else takes the place of a closed stream; output that cannot be written is an error."""
    assert _shell(f'exec "$@" {closing}', *words) == finished


@pytest.mark.parametrize("words", [["--version"], ["nodes", "-e", "n[1-9]"], ["--help"]])
def test_a_reader_that_leaves(words: list[str]) -> None:
    """It is quiet, and exit status 1."""
    reader, writer = os.pipe()
    os.close(reader)

    process = subprocess.Popen([*PROGRAM, *words], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, stderr = process.communicate(timeout=30)

    assert (process.returncode, stderr) == (1, b"")


def test_ctrl_c_before_anything_runs(tmp_path: Path) -> None:
    """Ends it at once, without a traceback."""
    hosts = tmp_path / "hosts"
    os.mkfifo(hosts)
    process = subprocess.Popen(
        [*PROGRAM, "run", "--hostfile", str(hosts), "true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    opened: list[int] = []

    def reads() -> bool:
        with suppress(OSError):  # until somebody opens it for reading
            opened.append(os.open(hosts, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    until(reads)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)

    os.close(opened[0])
    assert (process.returncode, stdout, stderr) == (-signal.SIGINT, b"", b"")
