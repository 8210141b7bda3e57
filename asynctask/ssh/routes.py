"""Where a node is and how to get in, as the options and the user's configuration say."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncssh

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import HostSettings, SSHConfig, expand_tokens, expand_user, standard_tokens
from asynctask.ssh.hostkeys import KnownHosts, TrustedKeys
from asynctask.ssh.keys import KeyRing
from asynctask.ssh.options import SSHOptions

__all__ = ("Route", "Router")

_log = logging.getLogger(__name__)

_DEFAULT_PORT = 22
_KNOWN_HOSTS = {
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}
#: AES-GCM first: it saves a short connection 0.5 ms against chacha20-poly1305.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
#: OpenSSH's keyword for each list of algorithms of asyncssh.
_ALGORITHMS = {
    "ciphers": "encryption_algs",
    "kexalgorithms": "kex_algs",
    "macs": "mac_algs",
    "hostkeyalgorithms": "server_host_key_algs",
    "pubkeyacceptedalgorithms": "signature_algs",
}
#: Receive window of a channel: what a node may have sent and nobody taken, in bytes.
_WINDOW = 256 * 1024
#: Seconds of silence before the server is asked whether it is there, and how often it is asked.
_KEEPALIVE = 15.0
_KEEPALIVE_COUNT = 3
#: How OpenSSH writes a variable of the environment in a path.
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one node."""

    node: str
    host: str
    port: int
    user: str
    alias: str | None
    known_hosts: KnownHosts
    trusted: TrustedKeys | None
    """The host keys to accept; ``None`` for any."""
    keys: Sequence[asyncssh.SSHKeyPair]
    options: asyncssh.SSHClientConnectionOptions
    """asyncssh's options, shared by all nodes alike: copied for a connection, never changed."""


class Router:
    """Finds routes. Files, keys and options are read or built once for all nodes that share them."""

    def __init__(self, options: SSHOptions, config: SSHConfig, keys: KeyRing) -> None:
        self._options = options
        self._config = config
        self._keys = keys
        self._plain_paths: dict[str, Path] = {}
        self._known_hosts: dict[tuple[Path, ...], KnownHosts] = {}
        self._reading = asyncio.Lock()
        self._key_sets: dict[Hashable, list[asyncssh.SSHKeyPair]] = {}
        self._option_sets: dict[Hashable, asyncssh.SSHClientConnectionOptions] = {}

    async def route(self, node: str) -> Route:
        """The route to a node. It waits only for the agent and for files of known hosts, once.

        Raises:
            SSHConfigError: the configuration cannot be followed for this node.
        """
        settings = self._config.lookup(node, self._options.user)
        blocker = settings.cannot_honour
        if blocker is not None:
            asked = f"{blocker} {settings.get(blocker)}"
            raise SSHConfigError(f"the SSH configuration asks for {asked}, which is not supported yet")
        host = (settings.get("hostname") or node).lower()
        port = self._options.port or settings.number("port", 1, 65535) or _DEFAULT_PORT
        user = self._options.user or settings.get("user") or self._config.local_user
        alias = settings.get("hostkeyalias")
        paths = _Paths(settings, self._plain_paths, node, host, port, user, self._config.local_user)
        agent = self._agent_of(settings, paths)
        if agent is not None:
            await self._keys.ask_agent(agent)
        known_hosts = await self._known_hosts_of(paths)
        strict = self._is_strict(settings)
        return Route(
            node=node,
            host=host,
            port=port,
            user=user,
            alias=alias,
            known_hosts=known_hosts,
            trusted=known_hosts.trusted(host, port, alias) if strict else None,
            keys=self._keys_of(settings, paths, agent),
            options=self._options_of(settings, user),
        )

    def _is_strict(self, settings: HostSettings) -> bool:
        if self._options.host_keys is not None:
            return self._options.host_keys == "strict"
        return (settings.get("stricthostkeychecking") or "ask").lower() not in ("no", "off")

    async def _known_hosts_of(self, paths: _Paths) -> KnownHosts:
        files: tuple[Path, ...]
        if self._options.known_hosts is not None:
            files = tuple(map(Path, self._options.known_hosts))
        else:
            files = tuple(
                path for keyword, default in _KNOWN_HOSTS.items() for path in paths.listed(keyword, default)
            )
        if files not in self._known_hosts:
            async with self._reading:
                if files not in self._known_hosts:
                    # In a thread: 2000 lines take 40 ms.
                    self._known_hosts[files] = await asyncio.to_thread(KnownHosts, files)
        return self._known_hosts[files]

    def _agent_of(self, settings: HostSettings, paths: _Paths) -> str | None:
        """The socket of the agent to ask, if one is to be asked."""
        socket = settings.get("identityagent") or "SSH_AUTH_SOCK"
        if not self._options.agent or socket.lower() == "none":
            return None
        if socket == "SSH_AUTH_SOCK" or (socket.startswith("$") and not socket.startswith("${")):
            return os.environ.get(socket.removeprefix("$")) or None
        return str(paths.one(socket))

    def _keys_of(self, settings: HostSettings, paths: _Paths, agent: str | None) -> list[asyncssh.SSHKeyPair]:
        files: tuple[Path, ...] | None
        if self._options.identity_files is not None:
            files = tuple(map(Path, self._options.identity_files))
            for path in files:
                if not path.exists():
                    raise SSHConfigError(f"private key {path}: no such file")
        else:
            files = paths.all("identityfile") if settings.get_all("identityfile") else None
        only_these = settings.flag("identitiesonly", default=False)
        certificates = paths.all("certificatefile")
        key = (files, only_these, agent, certificates)
        found = self._key_sets.get(key)
        if found is None:
            found = self._key_sets[key] = self._keys.keys(
                files,
                agent=agent,
                only_these=only_these,
                certificates=certificates,
                must_work=self._options.identity_files is not None,
            )
        return found

    def _options_of(self, settings: HostSettings, user: str) -> asyncssh.SSHClientConnectionOptions:
        algorithms = {name: settings.get(keyword) for keyword, name in _ALGORITHMS.items()}
        interval = self._options.keepalive
        if interval is None:
            configured = settings.seconds("serveraliveinterval")
            interval = _KEEPALIVE if configured is None else configured
        count = settings.number("serveralivecountmax") or _KEEPALIVE_COUNT
        key = (user, interval, count, *algorithms.values())
        found = self._option_sets.get(key)
        if found is None:
            found = self._option_sets[key] = _build_options(user, interval, count, algorithms)
        return found


class _Paths:
    """File names in a host's configuration, with their tokens expanded."""

    def __init__(
        self,
        settings: HostSettings,
        plain: dict[str, Path],
        node: str,
        host: str,
        port: int,
        user: str,
        local_user: str,
    ) -> None:
        self._settings = settings
        self._plain = plain  # names without tokens or variables, the same for all hosts
        self._about = (node, host, port, user, local_user)

    @cached_property
    def _tokens(self) -> dict[str, str]:
        return standard_tokens(*self._about)

    def all(self, keyword: str) -> tuple[Path, ...]:
        """One file a value; ``none`` is none."""
        return tuple(self.one(text) for text in self._settings.get_all(keyword) if text.lower() != "none")

    def listed(self, keyword: str, default: Sequence[str]) -> tuple[Path, ...]:
        """Several files in one value."""
        names = self._settings.get_all(keyword) or default
        return tuple(self.one(name) for name in names if name.lower() != "none")

    def one(self, text: str) -> Path:
        """A name with its tokens, variables and ``~`` expanded."""
        if "%" in text or "$" in text:
            text = expand_tokens(text, self._tokens)
            text = _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), text)
            return expand_user(text)
        path = self._plain.get(text)
        if path is None:
            path = self._plain[text] = expand_user(text)
        return path


def _build_options(
    user: str, keepalive: float, count: int, algorithms: dict[str, str | None]
) -> asyncssh.SSHClientConnectionOptions:
    settings: dict[str, Any] = {
        "config": None,
        "host": "",
        "username": user,
        "client_keys": None,  # set for each connection; None also keeps asyncssh from asking the agent
        "known_hosts": None,  # likewise
        "encryption_algs": _CIPHERS,
        "gss_host": None,
        "keepalive_interval": keepalive,
        "keepalive_count_max": count,
        "login_timeout": 0,  # ours covers all of connecting
        "encoding": None,
        "utf8_decode_errors": "replace",
        "window": _WINDOW,
    }
    for name, value in algorithms.items():
        if value is not None:
            try:
                asyncssh.SSHClientConnectionOptions(**{**settings, "username": "", name: value})
            except ValueError as exc:
                _log.warning("SSH configuration: %s; using the default algorithms instead", exc)
            else:
                settings[name] = value
    try:
        return asyncssh.SSHClientConnectionOptions(**settings)
    except ValueError as exc:  # a user with characters that no name may have
        raise SSHConfigError(f"login as {user!r}: {exc}") from exc
