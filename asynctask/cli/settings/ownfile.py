"""Reads ``config.toml``. A wrong key or value is an error: it was meant to do something."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asynctask.cli.settings.keys import find, nearest
from asynctask.cli.settings.places import short
from asynctask.cli.settings.said import Found, Layer, Said, understood
from asynctask.errors import UsageError

__all__ = ("read",)

_MODE = "mode"
_TABLE = re.compile(r"\s*\[([^\[\]]+)\]")


def read(path: Path, data: bytes) -> Found:
    """What the file says.

    Raises:
        UsageError: it is no TOML, or has a key or a value that makes no sense; it names the line.
    """
    text = _decoded(path, data)
    try:
        document = tomllib.loads(text)
    except ValueError as exc:  # also of a number with thousands of digits
        raise UsageError(_explained(path, text, str(exc))) from exc
    except RecursionError as exc:
        raise UsageError(f"{short(path)}: nested too deeply") from exc
    file = _File(path, text)
    modes = document.pop(_MODE, {})
    if not isinstance(modes, dict) or not all(isinstance(mode, dict) for mode in modes.values()):
        raise UsageError(f"{file.place(_MODE)}: modes are tables, such as [mode.sudo]; -m chooses one")
    values = file.layer(document)
    return Found(values, {name: file.layer(mode, name) for name, mode in modes.items()}, [])


class _File:
    """A file while it is looked through."""

    def __init__(self, path: Path, text: str) -> None:
        self._name = short(path)
        self._text = text

    def layer(self, table: Mapping[str, Any], mode: str | None = None) -> Layer:
        """The values of a table, all of them known and right."""
        layer: Layer = {}
        source = self._name if mode is None else f"{self._name}, mode {mode}"
        for name, value in table.items():
            key = find(name)
            if key is None or key.clush_only:
                raise UsageError(f"{self.place(name, mode)}: {_unknown(name, value)}")
            said = layer[key.name] = Said(value, source)
            try:
                understood(key, said)
            except UsageError:
                understood(key, said, self.place(name, mode))  # raises the same, with the line
        return layer

    def place(self, name: str, mode: str | None = None) -> str:
        """The file and, if it is easily found, the line of a key."""
        wanted = re.compile(rf"""\s*(\[\s*)?["']?{re.escape(name)}["']?\s*[=.\]]""")
        table: str | None = None
        own = None if mode is None else _bare(f"{_MODE}.{mode}")
        for number, line in enumerate(self._text.splitlines(), 1):
            header = _TABLE.match(line)
            if wanted.match(line) and (table == own or header):
                return f"{self._name}:{number}"
            if header:
                table = _bare(header[1])
        return self._name


def _bare(name: str) -> str:
    """The name of a table without blanks and quotation marks."""
    return re.sub(r"[\s\"']", "", name)


def _unknown(name: str, value: object) -> str:
    if name == "confdir":
        return "confdir belongs into clush.conf; here modes are tables such as [mode.sudo]"
    if isinstance(value, dict):
        return f"unknown table [{name}]; keys stand above all tables, and tables are [mode.NAME]"
    return f"unknown key {name!r}{nearest(name)}"


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        raise UsageError(f"{short(path)}:{line}: not UTF-8, as TOML must be") from exc


def _explained(path: Path, text: str, complaint: str) -> str:
    """The complaint of the parser with the line where it belongs."""
    reason, _, where = complaint.partition(" (at ")
    line = re.match(r"line (\d+)", where)
    place = f":{line[1]}" if line else f":{len(text.splitlines())}" if where else ""
    return f"{short(path)}{place}: no TOML: {reason[:1].lower()}{reason[1:]}"
