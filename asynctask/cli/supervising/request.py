"""What the user wants of ``asynctask up``, after the options were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ("Request",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The words of a command line."""

    file: str | None = None
    """``None``: ``asynctask.toml`` or ``Procfile``, whichever is in the directory."""
    directory: str | None = None
    """Where processes run; ``None``: where the file is."""
    env_files: tuple[str, ...] | None = None
    """``None``: ``.env``, if it is there; empty: none."""
    port: int | None = None
    """``PORT`` of the first process of a Procfile."""
    names: tuple[str, ...] = ()
    """Names or patterns of the templates that are wanted; without, all."""
    scale: Mapping[str, int] = field(default_factory=dict)
    """How many processes templates have, in place of what the file says."""
    exit_with: tuple[str, ...] = ()
    """All is ended when a process of one of these ends."""
    abort_on_exit: bool = False
    """The same of every template."""
    name: str | None = None
    """Of the manager; ``None``: one that belongs to the directory."""
    socket: str | None = None
    """The control socket; ``None``: where ``asynctask ps`` and the others look for it."""
    http: tuple[str, int] | None = None
    """Where HTTP is served."""
    http_hosts: tuple[str, ...] = ()
    """Names by which browsers may ask for it, besides ``localhost`` and that of ``http``."""
    token_file: str | None = None
    """Has the token that HTTP needs."""
    user: str | None = None
    ssh_config: str | None = None
    host_keys: Any = None
    daemon: bool = False
    """Nobody looks on: plain lines, and systemd is told how it goes."""
    color: str = "auto"
    timestamps: bool = False
    dry_run: bool = False
