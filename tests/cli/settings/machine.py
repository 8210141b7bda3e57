"""A home and an ``/etc`` in a directory of the test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from asynctask.cli.settings import places

__all__ = ("Machine", "make_machine")


class Machine(NamedTuple):
    """Where files are looked for."""

    etc: Path
    home: Path

    def own(self, text: str | bytes) -> Path:
        """Write the user's ``config.toml``."""
        return _write(self.home / ".config" / "asynctask" / "config.toml", text)

    def own_of_all(self, text: str) -> Path:
        """Write that of all users."""
        return _write(self.etc / "asynctask" / "config.toml", text)

    def clush(self, text: str | bytes, name: str = "clush.conf") -> Path:
        """Write a file of ClusterShell for all users."""
        return _write(self.etc / "clustershell" / name, text)

    def clush_of_user(self, text: str) -> Path:
        """Write the user's ``clush.conf``."""
        return _write(self.home / ".config" / "clustershell" / "clush.conf", text)


def make_machine(root: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Put this process on such a machine."""
    machine = Machine(root / "etc", root / "home")
    machine.etc.mkdir()
    machine.home.mkdir()
    monkeypatch.setattr(places, "_ETC", machine.etc)
    monkeypatch.setenv("HOME", str(machine.home))
    for name in ("XDG_CONFIG_HOME", "CLUSTERSHELL_CFGDIR"):
        monkeypatch.delenv(name, raising=False)
    return machine


def _write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    return path
