"""The configuration of the command line: keys, files, modes, and what holds in the end."""

from __future__ import annotations

from asynctask.cli.settings.loading import Settings as Settings
from asynctask.cli.settings.loading import load as load

__all__ = ("Settings", "load")
