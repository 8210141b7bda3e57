"""Where a node is and how to get in, as the options and the user's configuration say."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from asynctask.errors import SSHConfigError
from asynctask.ssh.client_options import OptionSets
from asynctask.ssh.config import HostSettings, SSHConfig
from asynctask.ssh.hostkeys import KnownHosts, TrustedKeys
from asynctask.ssh.keys import KeyRing
from asynctask.ssh.options import HostKeys, SSHOptions
from asynctask.ssh.paths import ConfigPaths
from asynctask.ssh.targets import Target, parse_jumps, parse_target

__all__ = ("Route", "Router")

_log = logging.getLogger(__name__)

_DEFAULT_PORT = 22
_USERS_KNOWN_HOSTS = ("userknownhostsfile", ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"))
_EVERYBODYS_KNOWN_HOSTS = (
    "globalknownhostsfile",
    ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
)
_POLICIES: dict[str, HostKeys] = {"accept-new": "accept-new", "no": "off", "off": "off"}
#: Hosts on the way to a node. OpenSSH has no limit, and goes on for ever where there is no end.
_MOST_HOPS = 8
_YES_OR_NO = frozenset({"yes", "no", "true", "false"})
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one node."""

    node: str
    """The target as it was written."""
    host: str
    port: int
    user: str
    alias: str | None
    known_hosts: KnownHosts
    policy: HostKeys
    trusted: TrustedKeys | None
    """The host keys to accept, as far as they are found by name; ``None`` for any."""
    keys: Sequence[asyncssh.SSHKeyPair]
    options: asyncssh.SSHClientConnectionOptions
    """asyncssh's options, shared by all nodes alike: copied for a connection, never changed."""
    agent: str | None = None
    """The socket of the agent that commands may use."""
    via: Route | None = None
    """The last host on the way, if there are any."""
    proxy: str | None = None
    """The command whose input and output are the connection, if one is asked for."""
    family: int = socket.AF_UNSPEC
    bind: tuple[str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What ``SetEnv`` and ``SendEnv`` ask for, if the server takes it."""
    connect_timeout: int | None = None
    """Seconds, where the configuration says so."""
    record_in: Path | None = None
    """The file in which a new host key is recorded."""
    hashed: bool = False
    """Whether that is done under a hash of the name."""

    place: tuple[Hashable, ...] = field(init=False)
    """What a connection is to: routes with the same one can share it."""

    def __post_init__(self) -> None:
        hops = () if self.via is None else self.via.place
        # As whom one logs in and whom one trusts: a connection that was not checked is nobody else's.
        login = (self.user, tuple(self.keys), self.options, self.agent)
        trust = (self.alias, self.policy, self.known_hosts)
        place = (self.host, self.port, self.family, self.bind, self.proxy, *login, *trust, hops)
        object.__setattr__(self, "place", place)


@dataclass(frozen=True, slots=True)
class _Leg:
    """A part of the way: to the node, or to a host before it."""

    text: str
    """Where it leads, as it was written."""
    user: str | None = None
    port: int | None = None
    jumps: tuple[Target, ...] | None = None
    """The hosts before it, first to last; ``None``: as the configuration says."""
    behind: tuple[str, ...] = ()
    """What lies behind it, the node first."""

    def jumps_of(self, paths: ConfigPaths) -> tuple[Target, ...]:
        """The hosts before it."""
        if self.jumps is not None:
            return self.jumps
        asked = paths.text("proxyjump")
        if asked is None:
            return ()
        jumps = parse_jumps(asked)
        # ``Host *`` with a ``ProxyJump`` means the others, not the bastion itself, where OpenSSH gives up.
        return () if jumps[-1].host == parse_target(self.text).host else jumps

    def to(self, jumps: tuple[Target, ...]) -> _Leg:
        """The leg to the last of the hosts before it.

        Raises:
            SSHConfigError: one leads to the other and back, or there are too many.
        """
        last, behind = _written(jumps[-1]), (*self.behind, self.text)
        if last in behind:
            raise SSHConfigError(f"ProxyJump goes in a circle: {' behind '.join((*behind, last))}")
        if len(behind) > _MOST_HOPS:
            raise SSHConfigError(f"ProxyJump leads from {behind[0]} through more than {_MOST_HOPS} hosts")
        return _Leg(last, jumps=jumps[:-1] or None, behind=behind)


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
        self._option_sets = OptionSets(options)
        self._environments: dict[Hashable, Mapping[str, str]] = {}
        self._routes: dict[str, Route] = {}
        self._said: set[str] = set()

    async def route(self, node: str) -> Route:
        """The route to a target, ``node`` or ``user@node:port``.

        It waits only for the agent, a passphrase and files of known hosts, once.

        Raises:
            SSHConfigError: the configuration cannot be followed for this node.
        """
        found = self._routes.get(node)
        if found is None:
            given = self._options
            jumps = None if given.jump is None else parse_jumps(given.jump)
            found = self._routes[node] = await self._find(_Leg(node, given.user, given.port, jumps))
        return found

    async def _find(self, leg: _Leg) -> Route:
        target = parse_target(leg.text)
        settings = self._config.lookup(target.host, target.user or leg.user, on_the_way=bool(leg.behind))
        self._say_what_has_no_effect(settings)
        host = (settings.get("hostname") or target.host).lower()
        port = target.port or leg.port or settings.number("port", 1, 65535) or _DEFAULT_PORT
        user = target.user or leg.user or settings.get("user") or self._config.local_user
        alias = settings.get("hostkeyalias")
        local_user = self._config.local_user
        paths = ConfigPaths(settings, self._plain_paths, target.host, host, port, user, local_user)
        agent = self._agent_of(settings, paths)
        if agent is not None:
            await self._keys.ask_agent(agent)
        known_hosts = await self._known_hosts_of(paths)
        policy = self._policy_of(settings)
        keys = await self._keys_of(settings, paths, agent)
        jumps = leg.jumps_of(paths)
        return Route(
            node=leg.text,
            host=host,
            port=port,
            user=user,
            alias=alias,
            known_hosts=known_hosts,
            policy=policy,
            trusted=await _trusted(policy, known_hosts, host, port, alias),
            record_in=self._own_known_hosts(paths),
            keys=keys,
            options=self._option_sets.for_host(settings, user),
            agent=self._forwarded_agent(settings, paths, agent),
            via=await self._find(leg.to(jumps)) if jumps else None,
            proxy=None if jumps or leg.jumps is not None else paths.text("proxycommand"),
            family=_FAMILIES.get((settings.get("addressfamily") or "any").lower(), socket.AF_UNSPEC),
            bind=(address, 0) if (address := settings.get("bindaddress")) else None,
            environment=self._environment_of(settings),
            connect_timeout=settings.seconds("connecttimeout") or None,
            hashed=settings.flag("hashknownhosts", default=False),
        )

    def _say_what_has_no_effect(self, settings: HostSettings) -> None:
        for keyword in settings.not_honoured:
            if keyword not in self._said:
                self._said.add(keyword)
                place = settings.place_of(keyword)
                _log.warning("SSH configuration %s: %s has no effect here", place, keyword)

    def _policy_of(self, settings: HostSettings) -> HostKeys:
        policy = self._options.host_keys
        if policy is None:
            configured = (settings.get("stricthostkeychecking") or "ask").lower()
            policy = _POLICIES.get(configured, "strict")
        if policy == "off" and "off" not in self._said:
            self._said.add("off")
            _log.warning(
                "host keys are not checked: who is between here and the nodes can read and change everything"
            )
        return policy

    def _forwarded_agent(self, settings: HostSettings, paths: ConfigPaths, agent: str | None) -> str | None:
        """The socket of the agent that commands on the node may use, if they may use one."""
        if self._options.agent_forwarding is not None:
            return agent if self._options.agent_forwarding else None
        asked = settings.get("forwardagent") or "no"
        if asked.lower() in _YES_OR_NO:
            return agent if settings.flag("forwardagent", default=False) else None
        return os.environ.get(asked[1:]) if asked.startswith("$") else str(paths.one(asked))

    def _environment_of(self, settings: HostSettings) -> Mapping[str, str]:
        asked = (settings.get_all("sendenv"), settings.get_all("setenv"))
        found = self._environments.get(asked)
        if found is None:
            found = self._environments[asked] = settings.environment(os.environ)
        return found

    async def _known_hosts_of(self, paths: ConfigPaths) -> KnownHosts:
        files: tuple[Path, ...]
        if self._options.known_hosts is not None:
            files = tuple(map(Path, self._options.known_hosts))
        else:
            files = (*paths.listed(*_USERS_KNOWN_HOSTS), *paths.listed(*_EVERYBODYS_KNOWN_HOSTS))
        if files not in self._known_hosts:
            async with self._reading:
                if files not in self._known_hosts:
                    # In a thread: 2000 lines take 40 ms.
                    self._known_hosts[files] = await asyncio.to_thread(KnownHosts, files)
        return self._known_hosts[files]

    def _own_known_hosts(self, paths: ConfigPaths) -> Path | None:
        given = self._options.known_hosts
        files = paths.listed(*_USERS_KNOWN_HOSTS) if given is None else tuple(map(Path, given))
        return files[0] if files else None

    def _agent_of(self, settings: HostSettings, paths: ConfigPaths) -> str | None:
        """The socket of the agent to ask, if one is to be asked."""
        socket = settings.get("identityagent") or "SSH_AUTH_SOCK"
        if not self._options.agent or socket.lower() == "none":
            return None
        if socket == "SSH_AUTH_SOCK" or (socket.startswith("$") and not socket.startswith("${")):
            return os.environ.get(socket.removeprefix("$")) or None
        return str(paths.one(socket))

    async def _keys_of(
        self, settings: HostSettings, paths: ConfigPaths, agent: str | None
    ) -> list[asyncssh.SSHKeyPair]:
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


def _written(target: Target) -> str:
    """A target as one writes it."""
    user = "" if target.user is None else f"{target.user}@"
    host = f"[{target.host}]" if target.port is not None and ":" in target.host else target.host
    return f"{user}{host}" if target.port is None else f"{user}{host}:{target.port}"


async def _trusted(
    policy: HostKeys, known: KnownHosts, host: str, port: int, alias: str | None
) -> TrustedKeys | None:
    """The keys of a host. To find it among many hashed names takes long: then the key that is shown tells."""
    if policy == "off":
        return None
    if policy == "accept-new" and known.is_long:  # whether it is new must be known before
        return await asyncio.to_thread(known.trusted, host, port, alias)
    return known.trusted(host, port, alias, scan=not known.is_long)
