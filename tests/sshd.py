"""A throw-away OpenSSH server on the loopback network, for tests against the real thing."""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from asynctask.testing.clientfiles import ClientFiles, Endpoint, generate_key, write_client_files
from asynctask.testing.loopback import bind

__all__ = ("HOW_TO_GET", "OpenSSHServer", "find_sshd", "kill_and_wait", "runs")

HOW_TO_GET = "no sshd here, get it with: apt-get install openssh-server"

SYSTEM_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin")
_ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 9))
_ATTEMPTS = 5
_LOG_ROOM = 1 << 20  # bytes that sshd may write between two looks, where the system grants them
_TIMEOUT = 10.0  # seconds, for the start and for the end
_PROC = Path("/proc")
# The login user's own start-up files are not read (HOME), and every process of a session can be told
# from all others (ASYNCTASK_SSHD). ssh would choose a key exchange that takes each end 0.1 s of computing;
# these are what asyncssh chooses anyway.
CONFIG = """\
{listen}
Port {port}
HostKey {directory}/host_key
PidFile none
AuthorizedKeysFile {directory}/id_ed25519.pub
StrictModes no
UsePAM {pam}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 200
KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256
PrintMotd no
Subsystem sftp internal-sftp
SetEnv HOME={directory}/home ASYNCTASK_SSHD={directory}
"""
_SINCE_9_8 = "PerSourcePenalties no\n"


def find_sshd() -> str | None:
    """Find the server's program; it is often not in ``PATH``."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_DIRECTORIES])
    return shutil.which("sshd", path=path)


class OpenSSHServer:
    """A real sshd that runs as this user, from ``with`` until it is left.

    By default it listens on 127.0.0.1 to 127.0.0.8 and one port, each address is a node: ``n1`` to ``n8``.
    Where only 127.0.0.1 is local, all nodes are that address.

    Args:
        hosts: other nodes and their addresses.
        listen: where to listen, if not on just these addresses.
        settings: lines for ``sshd_config``, in place of those with the same keywords.

    Attributes:
        nodes: the names of the nodes.
        user: who commands run as.
        port: the port of all nodes.
        pid: the process that listens.
        files: client key, ``known_hosts`` and ``ssh_config``.
        home: the home directory of the sessions, empty at first.

    Raises:
        FileNotFoundError: sshd is not installed.
        RuntimeError: it does not start within 10 seconds; its log is in the message.
    """

    nodes: tuple[str, ...] = tuple(f"n{number}" for number in range(1, 9))
    files: ClientFiles
    home: Path
    port: int
    pid: int

    def __init__(
        self,
        hosts: Mapping[str, str] | None = None,
        *,
        listen: Sequence[str] | None = None,
        settings: str = "",
    ) -> None:
        self.user = getpass.getuser()
        if hosts is not None:
            self.nodes = tuple(hosts)
        self._addresses = _local_addresses() if hosts is None else tuple(hosts.values())
        self._listen = self._addresses if listen is None else listen
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None
        self._log = b""
        self._log_end: int | None = None

    def __enter__(self) -> OpenSSHServer:
        sshd = find_sshd()
        if sshd is None:
            raise FileNotFoundError(HOW_TO_GET)
        try:
            self._start(sshd)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def address(self, node: str) -> tuple[str, int]:
        """Where a node listens: address and port."""
        return self._addresses[self.nodes.index(node) % len(self._addresses)], self.port

    @property
    def log(self) -> str:
        """What sshd wrote so far; what did not fit into its pipe between two looks is missing."""
        self._read_log()
        return self._log.decode(errors="replace")

    def logins(self) -> int:
        """How many logins there were so far."""
        return self.log.count("Accepted publickey for ")

    def sessions(self) -> set[int]:
        """The processes of the connections that there are, and what they started."""
        return _descendants(self.pid)

    def end_sessions(self) -> None:
        """Break all connections from this side, and wait until they are gone."""
        for pid in self.sessions():
            kill_and_wait(pid)

    # -- start ------------------------------------------------------------------------------

    def _start(self, sshd: str) -> None:
        directory = self._directory = Path(tempfile.mkdtemp(prefix="asynctask-sshd-"))
        self.home = directory / "home"
        self.home.mkdir()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's privilege separation insists on it
        host_key = generate_key("asynctask test sshd")
        (directory / "host_key").touch(mode=0o600)
        host_key.write_private_key(str(directory / "host_key"))
        for _ in range(_ATTEMPTS):
            self.port = free_port()
            endpoints = {node: Endpoint(*self.address(node), host_key) for node in self.nodes}
            self.files = write_client_files(directory, user=self.user, endpoints=endpoints)
            if self._listens(sshd, self._write_config(sshd, directory)):
                return
        raise RuntimeError(f"sshd does not start:\n{self.log}")

    def _write_config(self, sshd: str, directory: Path) -> Path:
        config = directory / "sshd_config"
        listen = "\n".join(f"ListenAddress {address}" for address in self._listen)
        pam = "yes" if account_is_locked(self.user) else "no"
        default = CONFIG.format(listen=listen, port=self.port, directory=directory, pam=pam)
        text = self._settings + _without(default, self._settings)
        config.write_text(text + _SINCE_9_8)
        check = subprocess.run([sshd, "-t", "-f", str(config)], capture_output=True, check=False)
        if check.returncode != 0:
            config.write_text(text)
        return config

    def _listens(self, sshd: str, config: Path) -> bool:
        """Start sshd; False if somebody else took the port in the meantime."""
        self._close_log()
        self._log = b""
        self._log_end, log = os.pipe()
        os.set_blocking(self._log_end, False)
        os.set_blocking(log, False)  # nobody reads all the time: a full pipe must lose lines, not stop sshd
        with suppress(OSError):
            fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, _LOG_ROOM)
        try:
            self._process = subprocess.Popen(
                [*_leash(), sshd, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.pid = self._process.pid
        deadline = time.monotonic() + _TIMEOUT
        while self.log.count("Server listening on ") < len(self._listen):
            ready, _, _ = select.select([self._log_end], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise RuntimeError(f"sshd does not listen after {_TIMEOUT:g} s:\n{self.log}")
            if self._read_log() or "Address already in use" in self.log:
                self._end_processes()
                return False
        return True

    def _read_log(self) -> bool:
        """Take what is in the log's pipe; True at its end, when sshd has exited."""
        if self._log_end is None:
            return True
        with suppress(BlockingIOError):
            while data := os.read(self._log_end, 65536):
                self._log += data
            return True
        return False

    # -- stop -------------------------------------------------------------------------------

    def _stop(self) -> None:
        try:
            self._end_processes()
        finally:
            self._close_log()
            if self._directory is not None:
                shutil.rmtree(self._directory, ignore_errors=True)

    def _end_processes(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGSTOP)  # no new sessions while we look at those that are there
        with suppress(ChildProcessError):  # it had ended before
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        family = _descendants(process.pid)
        process.kill()
        process.wait(_TIMEOUT)
        # Sessions outlive the listener, and what they started may outlive them.
        deadline = time.monotonic() + _TIMEOUT
        while left := [pid for pid in {*family, *_marked(str(self._directory))} if runs(pid)]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of sshd do not end: {left}")
            for pid in left:
                kill_and_wait(pid)

    def _close_log(self) -> None:
        if self._log_end is not None:
            self._read_log()
            os.close(self._log_end)
            self._log_end = None


def _without(config: str, settings: str) -> str:
    """What of a configuration is left: of two lines, the first counts, but of some keywords the last."""
    told = {line.split()[0] for line in settings.splitlines()}
    return "".join(line for line in config.splitlines(keepends=True) if line.split()[0] not in told)


def _local_addresses() -> Sequence[str]:
    try:
        bind(_ADDRESSES[-1], 0).close()
    except OSError as exc:
        if exc.errno != errno.EADDRNOTAVAIL:
            raise
        return _ADDRESSES[:1]
    return _ADDRESSES


def free_port() -> int:
    with bind(_ADDRESSES[0], 0) as sock:
        port: int = sock.getsockname()[1]
    return port


def _leash() -> list[str]:
    """What has the server killed when this process is killed and cannot stop it any more."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]


def account_is_locked(user: str) -> bool:
    """Whether sshd would turn the account away without PAM: its password begins with ``!``."""
    try:
        lines = Path("/etc/shadow").read_text().splitlines()
    except OSError:  # not root; then sshd cannot look either
        return False
    return any(line.startswith(f"{user}:!") for line in lines)


def _descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo.extend(below)
    return found


def _marked(mark: str) -> set[int]:
    """The processes with the server's mark in their environment, orphans too."""
    wanted = f"ASYNCTASK_SSHD={mark}".encode()
    found = set()
    for entry in _PROC.glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                found.add(int(entry.parent.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process is there; one that waits to be reaped by its parent is not."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_and_wait(pid: int) -> None:
    """End a process that need not be our child, with no more ado."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        select.select([fd], [], [], _TIMEOUT)
    finally:
        os.close(fd)
