"""A throw-away OpenSSH server on a free port of all of 127.0.0.0/8: each address is a node.

As root it serves an account made for the run, `asynctask-bench` with /bin/sh, and deletes it afterwards;
otherwise it serves the current user, whose login shell and start-up files then count in every figure.
There is no way to listen on 127.0.0.0/8 alone, so it listens everywhere and lets in only that network.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BenchmarkError, descendants

ACCOUNT = "asynctask-bench"
_MARK = "asynctask benchmark"
_PATIENCE = 10.0
"""Seconds to wait for the server to listen, to become idle, to end."""

_SERVER = """\
Port {port}
ListenAddress 0.0.0.0
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
MaxStartups 1000
UsePAM no
AllowUsers {user}@127.0.0.0/8
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PrintMotd no
LogLevel ERROR
"""
_CLIENT = """\
Host 127.*
    Port {port}
    User {user}
    IdentityFile {directory}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    BatchMode yes
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and the client's files for it."""

    pid: int
    port: int
    user: str
    key: Path
    known_hosts: Path
    config: Path

    def settle(self) -> None:
        """Wait until the sessions of the last run have ended, so that they do not burden the next one."""
        _until(lambda: not descendants(self.pid), "sshd still has sessions")

    def running(self, program: str) -> int:
        """How many processes of a program the sessions run at the moment."""
        return sum(_name(pid) == program for pid in descendants(self.pid))

    def end_sessions(self) -> None:
        """Kill all sessions and what they run."""
        _kill(descendants(self.pid))


def missing() -> str:
    """Say what stops the server from being started here, empty when nothing does."""
    absent = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if _sshd() is None:
        absent.append("sshd (Debian: openssh-server)")
    return f"no command {', '.join(absent)}" if absent else ""


@contextmanager
def serve(directory: Path, addresses: Sequence[str]) -> Iterator[Server]:
    """Run a server with fresh keys and files in `directory`, known to the client under these addresses."""
    directory.chmod(0o711)
    with _account() as user:
        server = _start(directory, user, addresses)
        try:
            _until(lambda: _listening(server.port), "sshd does not listen")
            yield server
        finally:
            _end(server.pid)


def _start(directory: Path, user: str, addresses: Sequence[str]) -> Server:
    for name in ("host_key", "user_key"):
        _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "benchmark", "-f", str(directory / name))
    port = _free_port()
    host_key = " ".join((directory / "host_key.pub").read_text(encoding="ascii").split()[:2])
    known = "".join(f"[{address}]:{port} {host_key}\n" for address in addresses)
    (directory / "known_hosts").write_text(known, encoding="ascii")
    (directory / "ssh_config").write_text(
        _CLIENT.format(port=port, user=user, directory=directory), encoding="utf-8"
    )
    return Server(
        pid=_spawn(directory, port, user),
        port=port,
        user=user,
        key=directory / "user_key",
        known_hosts=directory / "known_hosts",
        config=directory / "ssh_config",
    )


def _spawn(directory: Path, port: int, user: str) -> int:
    sshd = _sshd()
    if sshd is None:
        raise BenchmarkError(missing())
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    config = directory / "sshd_config"
    text = _SERVER.format(port=port, user=user, directory=directory)
    config.write_text(text + "PerSourcePenalties no\n", encoding="utf-8")
    if subprocess.run([sshd, "-t", "-f", str(config)], capture_output=True, check=False).returncode != 0:
        config.write_text(text, encoding="utf-8")  # older than 9.8: no such option
    with (directory / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process.pid


def _end(pid: int) -> None:
    """End the listener and every session: each has left the listener's process group, so one by one."""
    family = [pid, *descendants(pid)]
    _kill(family)
    os.waitpid(pid, 0)
    _until(lambda: not any(_runs(member) for member in family), "sshd does not end")


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes_of(user: str) -> list[int]:
    number, found = pwd.getpwnam(user).pw_uid, []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry.stat().st_uid == number:
                found.append(int(entry.name))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    """A zombie that init has yet to reap does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def _account() -> Iterator[str]:
    if os.geteuid() != 0:
        yield getpass.getuser()
        return
    _add_account()
    try:
        yield ACCOUNT
    finally:
        _kill(_processes_of(ACCOUNT))  # userdel wants it so
        _until(lambda: not any(map(_runs, _processes_of(ACCOUNT))), f"processes of {ACCOUNT} do not end")
        _call("userdel", "--remove", ACCOUNT)


def _add_account() -> None:
    try:
        there = pwd.getpwnam(ACCOUNT)
    except KeyError:
        _call("useradd", "--create-home", "--shell", "/bin/sh", "--comment", _MARK, ACCOUNT)
        _call("usermod", "--password", "*", ACCOUNT)  # not locked, which UsePAM no would refuse
        return
    if there.pw_gecos != _MARK:
        raise BenchmarkError(f"the account {ACCOUNT} exists and was not made by the benchmarks")


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(done: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise BenchmarkError(complaint)
        time.sleep(0.02)


def _sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")


def _call(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace').strip()}")
