"""The command lines of the system's ``ssh``, and what ``ssh -G`` answers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from asynctask.errors import SSHConfigError, UsageError
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.targets import Target, parse_target
from asynctask.workers.openssh_log import Place, unusable_name

__all__ = ("Resolved", "check_options", "common", "master", "query", "read_query", "target_of")

#: Seconds of silence after which the server is asked whether it is there, where nobody says.
_KEEPALIVE = 15
#: What a host or user name cannot have: by ``%h`` in the configuration it may become part of a shell command.
_BAD = frozenset("'`\"$\\;&<>|(){}\n\r\t \0")
#: Ours in any case: what was given first counts.
_FIRST = (
    "LogLevel=DEBUG1",
    "ControlMaster=yes",
    "ControlPersist=no",
    "ClearAllForwardings=yes",
    "ForwardX11=no",
)
_HOST_KEYS = {"strict": "yes", "accept-new": "accept-new", "off": "no"}


class Resolved(NamedTuple):
    """What the configuration says of a node, as far as we need it."""

    place: Place
    keepalive: int
    forward_agent: bool
    environment: Mapping[str, str]


def check_options(ssh: SSHOptions, ssh_path: object, ssh_options: object) -> None:
    """Refuse what cannot be handed to ``ssh``, at the call."""
    for name in ("password", "passphrase", "prompt"):
        if getattr(ssh, name) is not None:
            raise UsageError(
                f"{name}=: the system's ssh takes none from a program; use keys, an agent or SSH_ASKPASS"
            )
    if ssh.ask_each:
        raise UsageError("ask_each=: the system's ssh asks by itself, through SSH_ASKPASS")
    if not isinstance(ssh_path, str | os.PathLike) or not os.fspath(ssh_path):
        raise UsageError(f"ssh_path={ssh_path!r}: the path of a program")
    if isinstance(ssh_options, str) or not isinstance(ssh_options, Sequence):
        example = "['-o', 'GSSAPIAuthentication=yes']"
        raise UsageError(f"ssh_options={ssh_options!r}: a list of arguments, as {example}")
    if not all(isinstance(option, str) and "\0" not in option for option in ssh_options):
        raise UsageError(f"ssh_options={ssh_options!r}: arguments are text without NUL")


def target_of(node: str) -> Target:
    """Take a target apart.

    Raises:
        NodeError: no name can be like this; one that begins with ``-`` least of all.
    """
    try:
        target = parse_target(node)
    except SSHConfigError as exc:
        raise unusable_name(node, node) from exc
    for name in (target.host, target.user or ""):
        if name.startswith("-") or _BAD.intersection(name):
            raise unusable_name(node, name)
    return target


def common(ssh: SSHOptions, target: Target, extra: Sequence[str]) -> list[str]:
    """The arguments that say how to connect; those of the caller come first, so they count."""
    arguments = [*extra, *(word for setting in ssh.settings for word in ("-o", setting))]
    if ssh.config is not None:
        arguments += ["-F", "/dev/null" if ssh.config is False else str(ssh.config_files()[0])]
    user, port = target.user or ssh.user, target.port or ssh.port
    if user is not None:
        arguments += ["-l", user]
    if port is not None:
        arguments += ["-p", str(port)]
    for path in ssh.identity_files or ():
        arguments += ["-i", str(path)]
    for name, value in _settings(ssh).items():
        arguments += ["-o", f"{name}={value}"]
    if ssh.jump is not None:
        arguments += ["-o", f"ProxyJump={ssh.jump}"]
    return arguments


def _settings(ssh: SSHOptions) -> dict[str, str]:
    settings: dict[str, str] = {}
    if ssh.host_keys is not None:
        settings["StrictHostKeyChecking"] = _HOST_KEYS[ssh.host_keys]
    if ssh.host_keys == "off":  # what is not checked is not recorded, and a changed key forbids nothing
        settings["UserKnownHostsFile"] = settings["GlobalKnownHostsFile"] = "/dev/null"
    elif ssh.known_hosts is not None:
        settings["UserKnownHostsFile"] = " ".join(f'"{path}"' for path in ssh.known_hosts) or "/dev/null"
        settings["GlobalKnownHostsFile"] = "/dev/null"
    if ssh.identity_files is not None:
        settings["IdentitiesOnly"] = "no" if ssh.agent else "yes"
    if not ssh.agent:
        settings["IdentityAgent"] = "none"
    if ssh.agent_forwarding is not None:
        settings["ForwardAgent"] = "yes" if ssh.agent_forwarding else "no"
    if ssh.keepalive is not None:
        settings["ServerAliveInterval"] = str(math.ceil(ssh.keepalive))
    return settings


def query(path: str, arguments: Sequence[str], target: Target) -> list[str]:
    """Asks what the configuration says of a node. It connects nowhere."""
    return [path, *arguments, "-G", "-T", "--", target.host]


def read_query(ssh: SSHOptions, text: str, environ: Mapping[str, str]) -> Resolved:
    """What ``ssh -G`` printed, and what of ``environ`` is sent to the node.

    Raises:
        ValueError: that is no such text.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)

    def first(name: str, default: str = "") -> str:
        return found.get(name, [default])[0]

    if "hostname" not in found:
        raise ValueError("no hostname")
    alias = first("hostkeyalias")
    known_hosts = first("userknownhostsfile", "known_hosts").split(" ")[0]
    place = Place(
        first("hostname"),
        int(first("port", "22")),
        first("user"),
        alias if alias not in ("", "none") else None,
        known_hosts,
    )
    keepalive = int(first("serveraliveinterval", "0"))
    if ssh.keepalive is None and keepalive == 0:
        keepalive = _KEEPALIVE
    sent = found.get("sendenv", [])
    environment = {
        name: value for name, value in environ.items() if any(fnmatchcase(name, it) for it in sent)
    }
    environment |= dict(entry.split("=", 1) for entry in found.get("setenv", ()) if "=" in entry)
    return Resolved(place, keepalive, first("forwardagent", "no") != "no", environment)


def master(
    path: str, arguments: Sequence[str], target: Target, keepalive: int, log: str, socket: str
) -> list[str]:
    """Connects, logs in, and serves sessions at ``socket`` until it is ended; ``log`` tells what happens."""
    settings = [*_FIRST, *([] if _can_ask() else ["BatchMode=yes"])]
    ours = [word for setting in settings for word in ("-o", setting)]
    alive = ["-o", f"ServerAliveInterval={keepalive}"]
    escaped = socket.replace("%", "%%")
    return [path, *ours, *arguments, *alive, "-E", log, "-S", escaped, "-N", "-T", "-x", "--", target.host]


def _can_ask() -> bool:
    """Whether the user has said who asks for passwords: without a terminal ``ssh`` asks nobody else."""
    if not os.environ.get("SSH_ASKPASS"):
        return False
    required = os.environ.get("SSH_ASKPASS_REQUIRE", "")
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return required in ("force", "prefer") or (required != "never" and has_display)
