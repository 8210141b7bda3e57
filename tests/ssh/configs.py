"""Makes configurations for tests."""

from __future__ import annotations

from pathlib import Path

from asynctask.ssh.config import SSHConfig

__all__ = ("configured",)


def configured(directory: Path, text: str) -> SSHConfig:
    """A configuration of one file with this text, which is ``config`` in the directory."""
    path = directory / "config"
    path.write_text(text)
    return SSHConfig([path])
