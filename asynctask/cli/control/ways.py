"""Where SSH would connect for each node, as options and configuration say, for ``--dry-run``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynctask.ssh.options import SSHOptions

__all__ = ("Way", "find_ways")

_PORT = 22


@dataclass(frozen=True, slots=True)
class Way:
    """How to get to a node."""

    user: str
    host: str | None = None
    """The host name that the configuration has for it; ``None``: its own."""
    port: int = _PORT
    jump: str | None = None
    """Hosts on the way, as ``ProxyJump`` has them."""
    proxy: bool = False
    """Whether a ``ProxyCommand`` connects."""

    def __str__(self) -> str:
        text = f"as {self.user}"
        if self.host is not None:
            text += f", to {self.host}"
        if self.port != _PORT:
            text += f", port {self.port}"
        if self.jump is not None:
            text += f", by {self.jump}"
        return text + (", by a ProxyCommand" if self.proxy else "")


def find_ways(nodes: Iterable[str], ssh: SSHOptions) -> dict[str, Way]:
    """The way to each node. Reads the configuration, and connects nowhere.

    Raises:
        SSHConfigError: the configuration, or a target, makes no sense.
    """
    from asynctask.ssh.config import SSHConfig
    from asynctask.ssh.paths import ConfigPaths
    from asynctask.ssh.targets import parse_target

    config = SSHConfig(ssh.config_files(), ssh.settings)
    found = {}
    for node in nodes:
        target = parse_target(node)
        said = config.lookup(target.host, target.user or ssh.user)
        host = said.get("hostname") or target.host
        user = target.user or ssh.user or said.get("user") or config.local_user
        port = target.port or ssh.port or said.number("port", 1, 65535) or _PORT
        paths = ConfigPaths(said, {}, target.host, host, port, user, config.local_user)
        jump = paths.text("proxyjump") if ssh.jump is None else ssh.jump
        jump = None if jump is None or jump.lower() == "none" else jump
        found[node] = Way(
            user=user,
            host=None if host == target.host else host,
            port=port,
            jump=jump,
            proxy=ssh.jump is None and jump is None and said.unless_none("proxycommand") is not None,
        )
    return found
