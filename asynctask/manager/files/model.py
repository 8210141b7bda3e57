"""What a file of processes says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asynctask.manager.template import ProcessTemplate

__all__ = ("ManagerSettings", "ProcessFile")


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """The table ``[manager]``; ``None``: it says nothing of this."""

    name: str | None = None
    socket: Path | None = None
    """Where the control socket is to be."""
    http: str | None = None
    """``"PORT"`` or ``"HOST:PORT"``."""
    env_files: tuple[Path, ...] | None = None


@dataclass(frozen=True, slots=True)
class ProcessFile:
    """A Procfile or an ``asynctask.toml``, with what its ``.env`` files add."""

    path: Path
    templates: Mapping[str, ProcessTemplate]
    """By name, in the order of the file."""
    manager: ManagerSettings = field(default_factory=ManagerSettings)
