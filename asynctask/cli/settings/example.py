"""A ``config.toml`` for people to begin with, made from the table of keys."""

from __future__ import annotations

from collections.abc import Iterator

from asynctask.cli.settings.keys import SECTIONS, Key
from asynctask.cli.settings.kinds import written

__all__ = ("example",)

_TOP = """\
# Configuration of asynctask: ~/.config/asynctask/config.toml, and
# /etc/asynctask/config.toml for all users of this machine.
#
# Take away the # in front of a line to change it. `asynctask config` shows
# what holds and where it comes from."""

_MODES = """\
# -- modes: what -m NAME sets; below all that is above --

#[mode.sudo]
#sudo = "root"

#[mode.careful]
#batch = "10%"
#halt = "soon,fail=1"
#confirm = 100"""


def example() -> str:
    """The text of the file: valid as it is, and with every ``#`` in front of a key taken away."""
    return "\n\n".join((_TOP, *_sections(), _MODES)) + "\n"


def _sections() -> Iterator[str]:
    for title, keys in SECTIONS.items():
        ours = [key for key in keys if not key.unused and not key.clush_only]
        if ours:
            yield f"# -- {title} --"
            yield from map(_entry, ours)


def _entry(key: Key) -> str:
    value = key.default if key.example is None else key.example
    meaning = (
        key.meaning if key.example is None or "Default:" in key.meaning else f"{key.meaning} Default: none."
    )
    return f"# {meaning}\n#{key.name} = {written(value)}"
