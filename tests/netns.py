"""Network namespaces as separate hosts, each with a real sshd, with links between them that can be cut.

The tests' own thread enters a namespace too, so nothing here touches the network of the machine: the
addresses may be in use outside, and what a killed run has left disturbs nobody.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from tests.sshd import HOW_TO_GET, OpenSSHServer, find_sshd, kill_and_wait, runs

__all__ = ("Host", "Network", "clear_away", "remove_left_overs", "why_not")

_PREFIX = "asynctask"
_DIRECTORY = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_ESTABLISHED = "01"
_LINK = "uplink"  # what each host calls the link that leads to it
_numbers = itertools.count(1)

_HOST = """\
Host {name}
  HostName {address}
  Port {port}
  HostKeyAlias {name}
  User {user}
  IdentityFile "{key}"
  UserKnownHostsFile "{known_hosts}"
"""
_ALL = """\
Host *
  IdentitiesOnly yes
  IdentityAgent none
  GlobalKnownHostsFile /dev/null
  BatchMode yes
"""


def why_not() -> str:
    """What stops networks from being made here; nothing if nothing does."""
    if find_sshd() is None:
        return HOW_TO_GET
    if shutil.which("ip") is None:
        return "no ip here, get it with: apt-get install iproute2"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = _new_name("trial")
    try:
        _ip("netns", "add", name)
        _ip("-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two")
    except RuntimeError as exc:
        return f"no network namespaces here: {exc}"
    finally:
        with suppress(RuntimeError):
            clear_away(name)
    return ""


class Host:
    """One of the hosts.

    Attributes:
        name: what ``ssh_config`` calls it.
        via: the host through which alone it is reached; ``None``: the tests' own.
        address: where those who reach it find it.
        server: its sshd.
    """

    server: OpenSSHServer

    def __init__(self, name: str, via: str | None, number: int) -> None:
        self.name = name
        self.via = via
        self.namespace = _new_name(name)
        self.gateway = f"10.77.{number}.1"
        self.address = f"10.77.{number}.2"
        self.far_end = f"to{number}"
        self.is_cut = False
        self._dropped: set[int] = set()

    def connections(self) -> int:
        """How many connections its sshd has."""
        return len(self._peers())

    def cut(self) -> None:
        """Cut its link: what is sent gets lost, on both sides, and nobody is told."""
        self.is_cut = True
        _ip("-n", self.namespace, "link", "set", _LINK, "down")

    def mend(self) -> None:
        """Join the link again."""
        self.is_cut = False
        _ip("-n", self.namespace, "link", "set", _LINK, "up")

    def drop_connections(self) -> None:
        """Lose what is sent on the connections that there are, as a firewall does that forgot them."""
        port = str(self.server.port)
        for peer in set(self._peers()) - self._dropped:
            self._dropped.add(peer)
            rule = ("-n", self.namespace, "rule", "add", "priority", "10", "ipproto", "tcp")
            _ip(*rule, "sport", port, "dport", str(peer), "type", "blackhole")
            _ip(*rule, "iif", _LINK, "sport", str(peer), "dport", port, "type", "blackhole")

    def restore(self) -> None:
        """Undo what was done to it, and end the connections that suffered from it."""
        if self.is_cut:
            self.mend()
        self.server.end_sessions()
        self._dropped.clear()
        while True:
            try:
                _ip("-n", self.namespace, "rule", "del", "priority", "10")
            except RuntimeError:  # there is none left
                return

    def _peers(self) -> list[int]:
        """The other ends' ports."""
        # Each line: number, local address, remote address, state; an address is ADDRESS:PORT, in hexadecimal.
        lines = Path(f"/proc/{self.server.pid}/net/tcp").read_text().splitlines()[1:]
        found = [line.split()[1:4] for line in lines]
        port = f":{self.server.port:04X}"
        return [
            int(remote.partition(":")[2], 16)
            for local, remote, state in found
            if state == _ESTABLISHED and local.endswith(port)
        ]


class Network(Mapping[str, Host]):
    """Hosts in namespaces of their own, from ``with`` until it is left.

    Args:
        hosts: their names, each with the host through which alone it is reached, ``None`` if directly; such
            a bastion comes before.

    Attributes:
        ssh_config: leads to all of them, from where :meth:`inside` is.

    Raises:
        RuntimeError: the system does not let us; what :func:`why_not` says in advance.
    """

    ssh_config: Path

    def __init__(self, hosts: Mapping[str, str | None]) -> None:
        self._hosts = {name: Host(name, via, number) for number, (name, via) in enumerate(hosts.items(), 1)}
        self._client = _new_name("client")
        self._made = ExitStack()

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def __enter__(self) -> Network:
        remove_left_overs()
        with ExitStack() as made:
            directory = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="asynctask-netns-")))
            self._add_namespace(self._client, made)
            for host in self._hosts.values():
                self._add_namespace(host.namespace, made)
                self._join(host)
                with _inside(host.namespace):
                    host.server = made.enter_context(OpenSSHServer({host.name: host.address}))
            self.ssh_config = directory / "ssh_config"
            self.ssh_config.write_text("\n".join([*map(_config_of, self._hosts.values()), _ALL]))
            self._made = made.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._made.close()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What sockets this thread makes, and what processes it starts, are on the tests' own host."""
        with _inside(self._client):
            yield

    def restore(self) -> None:
        """Undo what was done to the hosts and end all connections, for the next test."""
        for host in self._hosts.values():
            host.restore()

    def _add_namespace(self, name: str, made: ExitStack) -> None:
        made.callback(clear_away, name)
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")

    def _join(self, host: Host) -> None:
        """A link between the host and the one through which it is reached, and no way beyond."""
        near = self._client if host.via is None else self._hosts[host.via].namespace
        ends = ((host.namespace, _LINK, host.address), (near, host.far_end, host.gateway))
        _ip(
            *("link", "add", "netns", host.namespace, "name", _LINK),
            *("type", "veth", "peer", "netns", near, "name", host.far_end),
        )
        for namespace, link, address in ends:
            _ip("-n", namespace, "addr", "add", f"{address}/30", "dev", link)
            _ip("-n", namespace, "link", "set", link, "up")
        # Nobody asks who has an address: when the link is cut, not even that question goes unanswered.
        for (namespace, link, _), (other, its_link, address) in zip(ends, reversed(ends), strict=True):
            hardware = _ip("-n", other, "-br", "link", "show", "dev", its_link).split()[2]
            _ip(
                "-n",
                namespace,
                "neigh",
                "replace",
                address,
                "lladdr",
                hardware,
                "nud",
                "permanent",
                "dev",
                link,
            )


def remove_left_overs() -> None:
    """Remove the namespaces of runs that were killed, and what still runs in them."""
    for entry in _DIRECTORY.glob(f"{_PREFIX}-*-*"):
        owner = entry.name.split("-")[1]
        if owner.isdecimal() and not runs(int(owner)):
            with suppress(RuntimeError):  # somebody else was quicker
                clear_away(entry.name)


def clear_away(namespace: str) -> None:
    """Remove a namespace with its links, and end what runs in it; fine if it is not there."""
    if not (_DIRECTORY / namespace).exists():
        return
    for pid in _ip("netns", "pids", namespace).split():
        if int(pid) != os.getpid():
            kill_and_wait(int(pid))
    _ip("netns", "del", namespace)


def _new_name(of: str) -> str:
    return f"{_PREFIX}-{os.getpid()}-{next(_numbers)}-{of}"


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """Have the calling thread in a namespace."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        inside = os.open(_DIRECTORY / namespace, os.O_RDONLY)
        try:
            _set_namespace(inside)
        finally:
            os.close(inside)
        try:
            yield
        finally:
            _set_namespace(outside)
    finally:
        os.close(outside)


def _set_namespace(descriptor: int) -> None:
    """``os.setns``, which Python has since 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _config_of(host: Host) -> str:
    text = _HOST.format(
        name=host.name,
        address=host.address,
        port=host.server.port,
        user=host.server.user,
        key=host.server.files.key_file,
        known_hosts=host.server.files.known_hosts,
    )
    return text if host.via is None else f"{text}  ProxyJump {host.via}\n"


def _ip(*words: str) -> str:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, check=False, text=True, timeout=30)
    except FileNotFoundError as exc:
        raise RuntimeError("no ip here, get it with: apt-get install iproute2") from exc
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
