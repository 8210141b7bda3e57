"""``asynctask up``: its words and options, and real processes under a terminal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.programs import PROGRAM, Terminal
from tests.sshd import OpenSSHServer

pytestmark = pytest.mark.one_loop("the command line has its own")

CTRL_C = b"\x03"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one; what is run there is not seen elsewhere."""
    (tmp_path / "Procfile").write_text("web: serve\nworker: work\n")
    monkeypatch.setenv("ASYNCTASK_SOCKET", str(tmp_path / "s"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-e", "a", "--no-env"], "-e and --no-env exclude each other"),
        (["--daemon", "--abort-on-exit"], "--daemon excludes --exit-with and --abort-on-exit"),
        (["--scale", "web"], "'web': NAME=N is expected, as web=2"),
        (["--scale", "web=1,worker=x"], "'worker=x': NAME=N is expected, as web=2"),
        (["--http", "web:"], "'web:': PORT or HOST:PORT is expected"),
        (["--port", "0"], "Invalid value for '-p' / '--port'"),
        (["--file", ""], "--file is empty"),
        (["--socket", ""], "--socket is empty"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, directory: Path, words: list[str], message: str) -> None:
    """It is told, and the exit status is 2."""
    status, stdout, stderr = asynctask("up", *words)
    assert (status, stdout) == (2, b"")
    assert message in stderr.decode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-f", "/no/such/Procfile"], "/no/such/Procfile: No such file or directory"),
        (["-d", "/dev"], "/dev: there is neither asynctask.toml nor Procfile: name a file with -f"),
        (["nothing"], "no template 'nothing'; there are: web, worker"),
        (["--scale", "wbe=1"], "--scale wbe: there is no such template; there are: web, worker"),
        (["-F", "/no/such"], "SSH configuration /no/such: no such file"),
        (["--socket", "/no/such/s" + 120 * "x"], "a socket's path may have 107 bytes"),
        (["--name", "a b"], "a name has letters, digits"),
    ],
)
def test_what_can_never_work(asynctask: CommandLine, directory: Path, words: list[str], message: str) -> None:
    """One clear line, and the exit status is 1."""
    status, stdout, stderr = asynctask("up", *words)
    assert (status, stdout, stderr.count(b"\n")) == (1, b"", 1)
    assert stderr.decode().startswith("asynctask: ")
    assert message in stderr.decode()


def test_a_file_that_is_wrong(asynctask: CommandLine, directory: Path) -> None:
    """It is told which line."""
    (directory / "Procfile").write_text("web: serve\nhow?\n")
    status, _, stderr = asynctask("up")
    assert (status, stderr) == (1, b"asynctask: Procfile:2: a line is NAME: COMMAND\n")


def test_a_dry_run(asynctask: CommandLine, directory: Path) -> None:
    """It tells what would run, as the options have it."""
    status, stdout, stderr = asynctask("up", "--check", "--scale", "web=2,worker=0", "-p", "80", "web")
    assert (status, stderr) == (1, b"asynctask: --scale worker: there is no such template; there are: web\n")
    status, stdout, stderr = asynctask("up", "--check", "--scale", "web=2", "-p", "80", "web")
    assert (status, stderr) == (0, b"")
    assert stdout.decode() == (
        "web: 2 processes here\n"
        "  runs: serve (by a shell)\n"
        f"  in: {directory}\n"
        "  PORT: 80 to 81\n"
        "  started again when it ends, stopped by TERM, KILL after 10 s\n"
    )


def test_help(asynctask: CommandLine) -> None:
    """It has examples, and says what the exit status means."""
    status, stdout, _ = asynctask("up", "-h")
    assert status == 0
    assert b"asynctask up --scale web=3,worker=0" in stdout
    assert b"The exit status is 0 when it was stopped" in stdout


def up(*words: str, env: Mapping[str, str] | None = None) -> Terminal:
    """A run under a terminal."""
    return Terminal("up", *words, env=env)


def _plain(shown: bytes) -> str:
    return re.sub(r"\(pid \d+\)", "(pid N)", shown.decode())


def _has_ended(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()  # whoever is to reap it may take his time
    except FileNotFoundError:
        return True


def test_output_of_all_and_ctrl_c(directory: Path) -> None:
    """Nothing drives the terminal; what was started is gone, with its children."""
    (directory / "Procfile").write_text(
        "web: printf 'a\\033[2J\\n'; sleep 60 & echo $! >child; echo b >&2; exec sleep 61\n"
    )
    with up() as terminal:
        terminal.wait_for(b"web.1  ! b\n")
        terminal.press(CTRL_C)
        status = terminal.wait()
        lines = [line.decode() for line in terminal.lines]
    assert status == 0
    assert {re.sub(r"\d+\)", "N)", line) for line in lines[:3]} == {
        "web.1  | a^[[2J",
        "web.1  ! b",
        "system | web.1 started (pid N)",
    }
    assert lines[3:5] == [
        "system | SIGINT: stopping web.1 (Ctrl-C again kills them)",
        "system | web.1 ended by SIGTERM",
    ]
    child = int((directory / "child").read_text())
    assert _has_ended(child)


def test_the_second_ctrl_c_kills(directory: Path) -> None:
    """What ignores the first one."""
    (directory / "Procfile").write_text("web: trap '' TERM; echo begun; while :; do sleep 60; done\n")
    with up() as terminal:
        terminal.wait_for(b"begun\n")
        terminal.press(CTRL_C)
        terminal.wait_for(b"stopping web.1 (Ctrl-C again kills them)\n")
        terminal.press(CTRL_C)
        status = terminal.wait()
    assert (status, terminal.shown) == (
        130,
        b"system | killing what is left\nsystem | web.1 ended by SIGKILL\n",
    )


def test_colors(directory: Path) -> None:
    """On a terminal; what runs here may have its own."""
    (directory / "Procfile").write_text("web: printf '\\033[32mok\\033[m\\n'; exit 0\n")
    with up("--abort-on-exit", env={"NO_COLOR": ""}) as terminal:
        status = terminal.wait()
    assert status == 0
    assert b"\x1b[36mweb.1 \x1b[0m\x1b[36m |\x1b[0m \x1b[32mok\x1b[m\x1b[0m\n" in terminal.shown
    assert b"\x1b[1msystem |\x1b[0m web.1 exited with code 0\n" in terminal.shown


def test_the_window_is_closed(directory: Path) -> None:
    """That is no wish to read the file again."""
    (directory / "Procfile").write_text("web: echo begun; exec sleep 60\n")
    with up() as terminal:
        terminal.wait_for(b"begun\n")
        terminal.hang_up()
        assert terminal.wait() in {0, 1}  # the signal comes first, or that nothing can be written


def test_in_a_pipe_bytes_are_as_they_were_printed(directory: Path) -> None:
    """The exit status is that of the process with which all ends."""
    (directory / "Procfile").write_text(
        "web: printf 'a\\033[2J\\377\\r\\nlast'; exit 7\nother: exec sleep 60\n"
    )
    finished = subprocess.run(
        [*PROGRAM, "up", "--exit-with", "web"], capture_output=True, timeout=30, check=False
    )
    assert finished.returncode == 7
    assert finished.stdout == b"web.1   | a\x1b[2J\xff\nweb.1   | last\n"
    assert sorted(_plain(finished.stderr).splitlines()[:3]) == [
        "system  | other.1 started (pid N)",
        "system  | web.1 exited with code 7",
        "system  | web.1 started (pid N)",
    ]
    assert _plain(finished.stderr).splitlines()[3:] == [
        "system  | a process of web has ended: stopping other.1",
        "system  | other.1 ended by SIGTERM",
    ]


def test_nobody_reads_any_more(directory: Path) -> None:
    """All is stopped."""
    (directory / "Procfile").write_text("web: while echo x; do sleep 0.01; done\n")
    read, write = os.pipe()
    with subprocess.Popen([*PROGRAM, "up"], stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.read(read, 100)
        os.close(read)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"system | nobody reads the output: stopping web.1\n" in stderr


def test_a_service(directory: Path) -> None:
    """TERM ends it in order; lines have the whole time, and no colours."""
    (directory / "Procfile").write_text("web: echo begun; exec sleep 60\n")
    with subprocess.Popen(
        [*PROGRAM, "up", "--daemon", "-T"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert re.fullmatch(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} web\.1  \| begun\n", line)
    assert stderr.endswith(b"system | web.1 ended by SIGTERM\n")


def test_on_nodes(directory: Path, sshd: OpenSSHServer) -> None:
    """The same as here; lines tell the node, and nothing goes on there afterwards."""
    (directory / "asynctask.toml").write_text(
        """
        [process.web]
        command = "echo $$ >$HOME/pid; echo begun; echo problem >&2; exec sleep 60"
        shell = true
        nodes = "n1"
        [process.here]
        command = "sleep 60"
        """
    )
    try:
        with up("-F", str(sshd.files.ssh_config)) as terminal:
            terminal.wait_for(b"web.1@n1 ! problem\n")
            pid = int((sshd.home / "pid").read_text())
            assert not _has_ended(pid)
            terminal.press(CTRL_C)
            status = terminal.wait()
            lines = {re.sub(r" +", " ", line) for line in _plain(b"\n".join(terminal.lines)).splitlines()}
    finally:
        (sshd.home / "pid").unlink(missing_ok=True)
        shutil.rmtree(sshd.home / ".local", ignore_errors=True)
    assert status == 0
    assert lines > {
        "system | web.1@n1 started (pid N)",
        "web.1@n1 | begun",
        "web.1@n1 ! problem",
        "system | web.1@n1 ended by SIGTERM",
        "system | here.1 ended by SIGTERM",
    }
    assert _has_ended(pid)
