"""The files a client needs to log in to test nodes: key, ``known_hosts``, ``ssh_config``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

__all__ = ("ClientFiles", "Endpoint", "generate_key", "write_client_files")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens, and the host key it shows there."""

    address: str
    port: int
    host_key: asyncssh.SSHKey
    public_key: str = field(init=False)
    """The host key's line in ``known_hosts``, without a name."""

    def __post_init__(self) -> None:
        line = self.host_key.export_public_key("openssh").decode().strip()
        object.__setattr__(self, "public_key", line)


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """The written files, and the public half of the client's key."""

    key: asyncssh.SSHKey
    key_file: Path
    known_hosts: Path
    ssh_config: Path

    def forget_host(self, node: str) -> None:
        """Take the node's lines out of ``known_hosts``; lines that others added stay."""
        lines = self.known_hosts.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(f"{node} ")]
        self.known_hosts.write_text("".join(kept))

    def remember_host(self, node: str, at: Endpoint) -> None:
        """Put the node's host key into ``known_hosts``, in place of what was there for it."""
        self.forget_host(node)
        with self.known_hosts.open("a") as file:
            file.write(_known_host(node, at))


def generate_key(comment: str) -> asyncssh.SSHKey:
    """Make a new ed25519 key."""
    return asyncssh.generate_private_key("ssh-ed25519", comment=comment)


def write_client_files(
    directory: Path,
    *,
    user: str,
    endpoints: Mapping[str, Endpoint],
    jump: str | None = None,
    questions: bool = False,
) -> ClientFiles:
    """Write a new client key and the files that lead to ``endpoints`` into ``directory``.

    The files are in OpenSSH's formats: ``ssh -F ssh_config NODE`` logs in to a node without a
    question. Host keys are looked up by node name (``HostKeyAlias``), whatever the address.

    Args:
        directory: where the files go; it exists.
        user: who logs in.
        endpoints: the nodes.
        jump: the node that is on the way to all others.
        questions: whether ``ssh`` may ask for a password.
    """
    key = generate_key("asynctask test client")
    key_file = directory / "id_ed25519"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.export_private_key("openssh"))
    key_file.with_suffix(".pub").write_bytes(key.export_public_key("openssh"))

    known_hosts = directory / "known_hosts"
    known_hosts.write_text("".join(_known_host(node, at) for node, at in endpoints.items()))

    ssh_config = directory / "ssh_config"
    blocks = [_host_block(node, at, jump if node != jump else None) for node, at in endpoints.items()]
    ssh_config.write_text("\n".join([*blocks, _common_block(user, key_file, known_hosts, questions)]))
    return ClientFiles(key.convert_to_public(), key_file, known_hosts, ssh_config)


def _known_host(node: str, at: Endpoint) -> str:
    return f"{node} {at.public_key}\n"


def _host_block(node: str, at: Endpoint, jump: str | None) -> str:
    block = f"Host {node}\n  HostName {at.address}\n  Port {at.port}\n  HostKeyAlias {node}\n"
    return block if jump is None else f"{block}  ProxyJump {jump}\n"


def _common_block(user: str, key_file: Path, known_hosts: Path, questions: bool) -> str:
    return f"""\
Host *
  User {user}
  IdentityFile "{key_file}"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{known_hosts}"
  GlobalKnownHostsFile /dev/null
  BatchMode {"no" if questions else "yes"}
"""
