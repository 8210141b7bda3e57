"""Reads clush.conf and what it includes, for sites that have them."""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template

from asynctask.cli.settings.keys import find, nearest
from asynctask.cli.settings.places import File, look, short
from asynctask.cli.settings.said import Found, Layer, Said
from asynctask.errors import UsageError

__all__ = ("read",)

_MAIN = "Main"
_MODE = "mode:"


def read(files: Sequence[tuple[Path, bytes]]) -> tuple[Found, list[File]]:
    """What the files say, and the ones in their ``confdir``; what comes last counts.

    Args:
        files: with what is in them, the most important last; at least one.

    Returns:
        What they say, and the files that were found in ``confdir``.

    Raises:
        UsageError: one is no such file; it names the line. What a site's file has besides that makes no sense
        is a warning: whoever runs a command may not be able to mend it.
    """
    reader = _Reader()
    for path, data in files:
        reader.take(path, data)
    more = [look(path, foreign=True) for path in reader.included(files[-1][0].parent)]
    for file in more:
        if file.data is not None:
            reader.take(file.path, file.data)
    return reader.found(), more


class _Reader:
    """Several files as one, with the place of each value."""

    def __init__(self) -> None:
        self._parser = configparser.ConfigParser()
        self._places: dict[tuple[str, str], str] = {}
        self._warnings: list[str] = []

    def take(self, path: Path, data: bytes) -> None:
        """Add a file."""
        text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        alone = configparser.RawConfigParser()
        try:
            alone.read_string(text)
        except configparser.Error as exc:
            raise UsageError(_explained(path, exc)) from exc
        self._parser.read_string(text)
        for section in alone.sections():
            for name in alone[section]:
                self._places[section, name] = short(path)

    def included(self, directory: Path) -> list[Path]:
        """The files in the directories that ``confdir`` names; ``$CFGDIR`` is the directory of clush.conf."""
        try:
            text = self._parser.get(_MAIN, "confdir", fallback="")
            words = shlex.split(text)
        except (configparser.Error, ValueError) as exc:
            self._warn(_MAIN, "confdir", f"is left out: {_one_line(exc)}")
            return []
        names = [Template(word).safe_substitute(CFGDIR=str(directory)) for word in words]
        found = []
        for name in dict.fromkeys(map(os.path.normpath, names)):
            try:
                entries = sorted(os.listdir(name))  # noqa: PTH208 - in the order of the names, as clush
            except FileNotFoundError:
                continue
            except OSError as exc:
                self._warn(_MAIN, "confdir", f"{name} is left out: {exc.strerror}")
                continue
            found += [Path(name, entry) for entry in entries if _is_included(entry)]
        return found

    def found(self) -> Found:
        """What all say together."""
        values: Layer = {}
        modes: dict[str, Layer] = {
            section.removeprefix(_MODE): {}
            for section in self._parser.sections()
            if section.startswith(_MODE)
        }
        for (section, name), place in self._places.items():
            if section == _MAIN:
                self._add(values, section, name, place)
            elif section.startswith(_MODE):
                mode = section.removeprefix(_MODE)
                self._add(modes[mode], section, name, f"{place}, mode {mode}")
        return Found(values, modes, self._warnings)

    def _add(self, layer: Layer, section: str, name: str, source: str) -> None:
        key = find(name)
        if key is None:
            self._warnings.append(f"{source}: unknown key {name!r}{nearest(name)}")
            return
        try:
            layer[key.name] = Said(self._parser.get(section, name), source, is_text=True)
        except configparser.InterpolationError:
            self._warn(section, name, "is left out: a percent sign is written %%")

    def _warn(self, section: str, name: str, text: str) -> None:
        self._warnings.append(f"{self._places[section, name]}: {name} {text}")


def _is_included(name: str) -> bool:
    return name.endswith(".conf") and not name.startswith(".")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _explained(path: Path, error: configparser.Error) -> str:
    """In a line, with the number of the line in the file."""
    name = short(path)
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"{name}:{error.lineno}: no clush.conf: a section such as [Main] comes first"
    if isinstance(error, configparser.ParsingError) and error.errors:
        return f"{name}:{error.errors[0][0]}: no clush.conf: KEY: VALUE is expected"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{name}:{error.lineno}: {error.option} is there twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{name}:{error.lineno}: [{error.section}] is there twice"
    return f"{name}: {_one_line(error)}"
