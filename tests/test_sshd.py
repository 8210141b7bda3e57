"""Tests of the throw-away OpenSSH server and its fixture."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest

from tests import sshd as module
from tests.sshd import HOW_TO_GET, OpenSSHServer, find_sshd
from tests.support import outcome_in_ci
from tests.testing.clients import Finished, run_ssh, until

pytestmark = pytest.mark.one_loop("a server of its own")

ROOT = Path(__file__).parent.parent
USE_OF_THE_FIXTURE = """
from tests.conftest_sshd import sshd

def test_use(sshd):
    raise AssertionError
"""


async def _ssh(server: OpenSSHServer, *arguments: str) -> Finished:
    return await run_ssh(server.files.ssh_config, *arguments)


@pytest.mark.parametrize("node", OpenSSHServer.nodes)
async def test_ssh_reaches_every_node(sshd: OpenSSHServer, node: str) -> None:
    """Each name leads to an address of its own, and no word comes on stderr."""
    finished = await _ssh(sshd, node, "echo $SSH_CONNECTION; exit 3")
    address, port = sshd.address(node)
    assert finished.stdout.decode().split()[2:] == [address, str(port)]
    assert (finished.code, finished.stderr) == (3, b"")


async def test_asyncssh_reaches_it(sshd: OpenSSHServer) -> None:
    """The files are good for asyncssh too."""
    async with asyncssh.connect("n8", config=[str(sshd.files.ssh_config)]) as connection:
        done = await connection.run("echo hello", encoding=None)
    assert (done.stdout, done.exit_status) == (b"hello\n", 0)


async def test_start_up_files_of_the_user_are_not_read(sshd: OpenSSHServer) -> None:
    """Commands have an empty home directory."""
    finished = await _ssh(sshd, "n1", "echo $HOME")
    assert finished.stdout.decode().strip() == str(sshd.home)
    assert list(sshd.home.iterdir()) == []


async def test_sftp(sshd: OpenSSHServer) -> None:
    """Files can be copied."""
    async with (
        asyncssh.connect("n1", config=[str(sshd.files.ssh_config)]) as connection,
        connection.start_sftp_client() as sftp,
    ):
        assert await sftp.isdir(str(sshd.home))


def test_only_the_loopback_network(sshd: OpenSSHServer) -> None:
    """It listens on eight addresses of 127.0.0.0/8 and on nothing else."""
    listening = [line.split()[-3] for line in sshd.log.splitlines() if line.startswith("Server listening on")]
    assert sorted(listening) == [f"127.0.0.{number}" for number in range(1, 9)]


def test_a_stranger_is_refused(sshd: OpenSSHServer) -> None:
    """There is no way in without the key."""
    done = subprocess.run(
        ["ssh", "-F", sshd.files.ssh_config, "-o", "PubkeyAuthentication=no", "n1", "true"],
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 255
    assert b"Permission denied (publickey)" in done.stderr


async def test_other_hosts_and_settings() -> None:
    """A server can have other names and addresses, listen elsewhere, and have other limits."""
    hosts = {"east": "127.3.0.1", "west": "127.3.0.2"}
    with OpenSSHServer(hosts, listen=["0.0.0.0"], settings="MaxStartups 1\n") as server:
        finished = [await _ssh(server, node, "echo $SSH_CONNECTION") for node in server.nodes]
        assert server.log.count("Server listening on ") == 1
        address, port = server.address("east")
        with (
            socket.create_connection((address, port)) as first,
            socket.create_connection((address, port)) as second,
        ):
            assert first.recv(4) == b"SSH-"
            assert second.recv(4) != b"SSH-"
    assert server.nodes == ("east", "west")
    assert [done.stdout.decode().split()[2:] for done in finished] == [
        [address, str(server.port)] for address in hosts.values()
    ]


async def test_logins_and_sessions(sshd: OpenSSHServer) -> None:
    """Logins are counted, and what goes on can be ended from the server's side."""
    before = sshd.logins()
    finished = asyncio.create_task(_ssh(sshd, "n1", "echo $$; exec sleep 1000"))
    await until(lambda: sshd.logins() > before)
    assert len(sshd.sessions()) >= 1
    sshd.end_sessions()
    assert (await finished).code == 255
    assert (sshd.logins() - before, sshd.sessions()) == (1, set())


def test_stop_ends_every_process() -> None:
    """Sessions, and what their commands put in the background, end with the server."""
    with OpenSSHServer() as server:
        command = "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"
        done = subprocess.run(
            ["ssh", "-F", server.files.ssh_config, "n1", command], capture_output=True, check=True, timeout=30
        )
        escaped = int(done.stdout)
        with subprocess.Popen(
            ["ssh", "-F", server.files.ssh_config, "n2", "echo $$; exec sleep 1000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdout is not None
            session = int(client.stdout.readline())
            directory = server.home.parent
            os.kill(escaped, 0)
            server.__exit__(None, None, None)
            assert client.wait(30) == 255
        gone = [pid for pid in (server.pid, escaped, session) if not module.runs(pid)]
    assert gone == [server.pid, escaped, session]
    assert not directory.exists()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is part of util-linux")
def test_does_not_outlive_a_killed_test_run() -> None:
    """A run that was killed cannot stop its server; the kernel does."""
    script = """
import os, signal
from tests.sshd import OpenSSHServer
with OpenSSHServer() as server:
    print(server.pid, server.home.parent, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30, cwd=ROOT
    )
    pid, directory = done.stdout.split()
    shutil.rmtree(directory)
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(int(pid))
        ended, _, _ = select.select([pidfd], [], [], 10)
        os.close(pidfd)
        assert ended == [pidfd]


def test_two_at_once() -> None:
    """Each has a port of its own."""
    with OpenSSHServer() as one, OpenSSHServer() as two:
        assert one.port != two.port


def test_another_port_when_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may take the port before sshd does; then another one is tried."""
    with socket.create_server(("127.0.0.3", 0)) as occupant:
        taken = occupant.getsockname()[1]
        free = module.free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(module, "free_port", lambda: next(ports))
        with OpenSSHServer() as server:
            assert server.port == free


def test_a_failed_start_shows_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What sshd complained of is in the error, and nothing stays behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(module, "CONFIG", "Nonsense yes\n")
    with pytest.raises(RuntimeError, match="Bad configuration option: Nonsense"), OpenSSHServer():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_log_does_not_stop_it() -> None:
    """Nobody reads the log all the time."""
    with OpenSSHServer() as server:
        fill = os.open(f"/proc/{server.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        try:
            with suppress(BlockingIOError):
                while True:
                    os.write(fill, bytes(4096))
        finally:
            os.close(fill)
        done = subprocess.run(
            ["ssh", "-F", server.files.ssh_config, "n1", "echo well"],
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.stdout == b"well\n"


def test_locked_accounts_need_pam(monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd turns an account with a locked password away unless PAM decides."""
    monkeypatch.setattr(Path, "read_text", lambda _: "root:*:1::::::\nci:!:1::::::\nc:x:1::::::\n")
    assert [module.account_is_locked(user) for user in ("root", "ci", "c", "nobody")] == [
        False,
        True,
        False,
        False,
    ]


def test_find_sshd_looks_beyond_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is found where Debian puts it, and where ``PATH`` says."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "SYSTEM_DIRECTORIES", ())
    assert find_sshd() is None
    program = tmp_path / "sshd"
    program.touch(mode=0o755)
    assert find_sshd() == str(program)


@pytest.mark.parametrize(("ci", "outcome"), [(None, "skipped"), ("false", "skipped"), ("true", "errors")])
def test_without_sshd(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str | None, outcome: str
) -> None:
    """Tests are skipped with a hint; in CI they fail with it."""
    monkeypatch.setattr("tests.conftest_sshd.find_sshd", lambda: None)
    result = outcome_in_ci(pytester, monkeypatch, ci, USE_OF_THE_FIXTURE)
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines([f"*{HOW_TO_GET}*"])


def test_enter_without_sshd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.setattr(module, "find_sshd", lambda: None)
    with pytest.raises(FileNotFoundError, match="apt-get install openssh-server"), OpenSSHServer():
        pass


def test_a_killed_server_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the block works when the server has died meanwhile."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with OpenSSHServer() as server:
        os.kill(server.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
