"""The files that a package brings along for other programs: manual pages, and scripts for shells."""

from __future__ import annotations

from pathlib import Path

from asynctask._version import __version__
from asynctask.cli import _COMMANDS
from asynctask.cli.completing.shells import SCRIPTS
from asynctask.cli.group import group
from asynctask.cli.manual.pages import pages

__all__ = ("files", "write")

#: What each shell looks for.
_SCRIPT_NAMES = {"bash": "asynctask", "zsh": "_asynctask", "fish": "asynctask.fish"}


def files() -> dict[str, str]:
    """Their contents, by their places below ``docs``."""
    found = {f"man/{name}": text for name, text in pages(group(_COMMANDS), __version__).items()}
    for shell, script in SCRIPTS.items():
        found[f"completion/{shell}/{_SCRIPT_NAMES[shell]}"] = script
    return found


def write(directory: Path) -> None:
    """Write them; pages of sub-commands that are no more are removed."""
    wanted = files()
    for name, text in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in (directory / "man").glob("asynctask*.1"):
        if f"man/{path.name}" not in wanted:
            path.unlink()
