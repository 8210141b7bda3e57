"""What a caller may say about SSH, beside what the user's own configuration says."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from asynctask.errors import SSHConfigError
from asynctask.ssh.targets import parse_jumps

if TYPE_CHECKING:
    from asynctask.ssh.answers import Question

__all__ = ("HostKeys", "Prompt", "SSHOptions")

HostKeys = Literal["strict", "accept-new", "off"]
PathLike = str | os.PathLike[str]
#: Who is asked for a password, a passphrase or an answer.
Prompt: TypeAlias = Callable[["Question"], Awaitable[str | None] | str | None]

_USER_CONFIG = "~/.ssh/config"
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHOptions:
    """How to connect. What is ``None`` comes from the SSH configuration, then from OpenSSH's defaults.

    Raises:
        SSHConfigError: a value that can never work.
    """

    config: PathLike | Literal[False] | None = None
    """The configuration file. ``None``: ``~/.ssh/config``, then ``/etc/ssh/ssh_config``, where they
    exist. ``False``: none at all. It is parsed once a run."""
    host_keys: HostKeys | None = None
    """``"strict"``: a node whose key is not in ``known_hosts`` is not talked to. ``"accept-new"``: the first
    key that a node shows is recorded and trusted from then on; one that has changed is refused. ``"off"``:
    any key will do, so anybody in between can listen and take over. ``None``: ``StrictHostKeyChecking`` of
    the configuration decides; its ``accept-new``, ``no`` and ``off`` mean this, everything else is strict."""
    user: str | None = None
    """The user to log in as."""
    port: int | None = None
    """The port to connect to."""
    identity_files: Sequence[PathLike] | None = None
    """Private keys to log in with, instead of the configured or default ones. They are loaded once a run."""
    known_hosts: Sequence[PathLike] | None = None
    """Files with host keys, instead of the configured or default ones. They are parsed once a run."""
    agent: bool = True
    """Whether keys of the running ssh-agent are tried. It is asked once a run."""
    agent_forwarding: bool | None = None
    """Whether commands on the nodes may use the agent, and so may whoever is root there. ``None``:
    ``ForwardAgent`` of the configuration decides, and else they may not."""
    password: str | None = field(default=None, repr=False)
    """For nodes that take a password, also by keyboard-interactive."""
    passphrase: str | None = field(default=None, repr=False)
    """For private keys that are encrypted."""
    prompt: Prompt | None = field(default=None, repr=False)
    """Asked for what is needed and not given: a function, plain or async, of an :class:`asynctask.Question`
    that returns the answer, or ``None`` for none. A plain one is called in a thread. ``None``: nobody is
    asked; such a key or way of logging in is not tried."""
    ask_each: bool = False
    """Whether :attr:`prompt` is asked once for each node, rather than once for all."""
    jump: str | None = None
    """Hosts on the way, as ``ProxyJump`` has them: ``"user@bastion:22,inner"``; ``"none"``: none. ``None``:
    the configuration decides. :attr:`user` and :attr:`port` are for the nodes, not for these."""
    settings: Sequence[str] = ()
    """Lines of configuration that count before those of the files, as ``ssh -o`` has them:
    ``"ServerAliveInterval=30"``. What another option says counts before them. They are for the nodes, not for
    hosts on the way."""
    retries: int = 8
    """How often at most connecting is tried again, with growing pauses, where a server drops connections
    before the login, as one does that is asked by too many at once."""
    keepalive: float | None = None
    """Seconds of silence after which the server is asked whether it is there; 0: never. After three
    questions without an answer (``ServerAliveCountMax``) the connection is lost. ``None``:
    ``ServerAliveInterval`` of the configuration decides, and else it is 15."""

    def __post_init__(self) -> None:
        if self.host_keys is not None and self.host_keys not in get_args(HostKeys):
            choices = ", ".join(map(repr, get_args(HostKeys)))
            raise SSHConfigError(f"host_keys={self.host_keys!r}: one of {choices}")
        self._check_login()
        if self.port is not None and not (_is_number(self.port, int) and 0 < self.port < 65536):
            raise SSHConfigError(f"port={self.port!r}: a number from 1 to 65535")
        if self.keepalive is not None and not (
            _is_number(self.keepalive, int, float) and self.keepalive >= 0
        ):
            raise SSHConfigError(f"keepalive={self.keepalive!r}: seconds, or 0 for never")
        if not (_is_number(self.retries, int) and self.retries >= 0):
            raise SSHConfigError(f"retries={self.retries!r}: how often to try again, 0 or more")
        self._check_settings()
        for name in ("identity_files", "known_hosts"):
            paths = getattr(self, name)
            if isinstance(paths, str | os.PathLike):
                paths = [paths]
            if paths is not None:
                object.__setattr__(self, name, tuple(_expanded(path) for path in paths))

    def _check_login(self) -> None:
        for name in ("user", "password", "passphrase", "jump"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise SSHConfigError(f"{name}: a text, not {type(value).__name__}")
        if self.user == "":
            raise SSHConfigError("user='': a name, or None for the configured one")
        if self.prompt is not None and not callable(self.prompt):
            raise SSHConfigError("prompt: a function of the question that returns the answer is needed")
        if self.jump is not None:
            parse_jumps(self.jump)

    def _check_settings(self) -> None:
        settings = self.settings
        if (
            isinstance(settings, str)
            or not isinstance(settings, Sequence)
            or not all(isinstance(setting, str) for setting in settings)
        ):
            raise SSHConfigError(f"settings={settings!r}: a list of lines, as ['ServerAliveInterval=30']")
        object.__setattr__(self, "settings", tuple(settings))
        if settings:
            from asynctask.ssh.config import check_settings

            check_settings(self.settings)

    def config_files(self) -> list[Path]:
        """The configuration files to read, most important first.

        Raises:
            SSHConfigError: the file that was named does not exist or is a directory.
        """
        if self.config is False:
            return []
        if self.config is not None:
            path = _expanded(self.config)
            if not path.exists():  # /dev/null is fine: a configuration that says nothing
                raise SSHConfigError(f"SSH configuration {path}: no such file")
            if path.is_dir():
                raise SSHConfigError(f"SSH configuration {path}: is a directory")
            return [path]
        return [path for path in (_expanded(_USER_CONFIG), Path(_SYSTEM_CONFIG)) if path.is_file()]


def _expanded(path: PathLike) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for an unknown user


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
