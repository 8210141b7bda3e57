"""Brings together what files, a mode and options say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from asynctask.cli.settings.keys import KEYS, find, nearest
from asynctask.cli.settings.places import File, clush_files, look, own_files
from asynctask.cli.settings.said import Found, Layer, Said, understood
from asynctask.errors import UsageError

__all__ = ("Mode", "Setting", "Settings", "load")

_BUILT_IN: Mapping[str, Layer] = {"sudo": {"sudo": Said("root", "built in, mode sudo")}}
#: Ways to show output: who chooses one has not chosen another.
_DISPLAYS = {"gather", "gather_both", "by_node", "diff", "similar", "json", "events"}


class Setting(NamedTuple):
    """A value, as a request has it, and where it comes from."""

    value: Any
    source: str


class Mode(NamedTuple):
    """A mode that can be chosen, and what it sets."""

    name: str
    source: str
    values: Mapping[str, object]


class Settings(NamedTuple):  # a dataclass would take half a millisecond of every start
    """What holds, unless the command line says otherwise."""

    values: Mapping[str, Setting]
    """By key; all keys."""
    known_modes: Mapping[str, Layer]
    files: tuple[File, ...]
    """What was looked for, the most important last."""
    warnings: tuple[str, ...]
    """What is wrong with the files, though it is no error; lines for the user."""

    def get(self, key: str) -> Any:
        """The value of a key, as a request has it: no limit is infinity, not said is ``None``."""
        return self.values[key].value

    def source(self, key: str) -> str:
        """Where a value comes from: a file, with the mode; ``-O``; ``default``."""
        return self.values[key].source

    def keys(self) -> tuple[str, ...]:
        """All keys, in the order in which people want to see them."""
        return tuple(self.values)

    def modes(self) -> tuple[Mode, ...]:
        """All modes that can be chosen, by name."""
        return tuple(_described(name, layer) for name, layer in sorted(self.known_modes.items()))

    def apply(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a request.

        Args:
            given: those that were written on the command line.

        Raises:
            UsageError: what a clush.conf sets has no meaning here that would do the same.
        """
        chosen = not _DISPLAYS.isdisjoint(given)
        fields: dict[str, Any] = {}
        for name, key in KEYS.items():
            if key.field is not None:
                overruled = chosen and key.field in _DISPLAYS
                fields[key.field] = key.default if overruled else self.get(name)
        fields.update(given)
        if not (fields["ssh_path"] or fields["password_prompt"] or fields["sudo"]):
            return fields
        from asynctask.cli.settings.clushmodes import meant

        return meant(fields)


def load(*, conf: str | None = None, mode: str | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Read the configuration.

    What comes first in this list counts: ``overrides``, the mode, the user's ``config.toml``, that in
    ``/etc``, ``clush.conf``. A mode that several files define is taken from the one that counts most, whole.

    Args:
        conf: read this file alone: a ``config.toml`` or a ``clush.conf``.
        mode: the name of a mode.
        overrides: values of ``-O``: ``KEY=VALUE``.

    Raises:
        UsageError: a file cannot be read, or something in it makes no sense.
        click.UsageError: there is no such mode, or an override makes no sense.
    """
    sources, files = _search() if conf is None else _named(Path(conf))
    values: Layer = {}
    modes = dict(_BUILT_IN)
    warnings = [file.warning for file in files if file.warning]
    for found in sources:
        values.update(found.values)
        modes.update(found.modes)
        warnings += found.warnings
    if mode is not None:
        values.update(_chosen(modes, mode))
    over = dict(map(_override, overrides))
    settings = {name: Setting(key.default, "default") for name, key in KEYS.items()}
    for name, said in values.items():
        if name not in over:
            settings[name] = Setting(understood(KEYS[name], said), said.source)
    return Settings(MappingProxyType(settings | over), MappingProxyType(modes), tuple(files), tuple(warnings))


# -- files ----------------------------------------------------------------------------------------


def _search() -> tuple[list[Found], list[File]]:
    """What the files in their usual places say, the most important last."""
    clush = [look(path, foreign=True) for path in clush_files()]
    own = [look(path) for path in own_files()]
    sources: list[Found] = []
    included: list[File] = []
    texts = [(file.path, file.data) for file in clush if file.data is not None]
    if texts:
        from asynctask.cli.settings import clushfile

        found, included = clushfile.read(texts)
        sources.append(found)
    sources += [_read_own(file.path, file.data) for file in own if file.data is not None]
    return sources, [*clush, *included, *own]


def _named(path: Path) -> tuple[list[Found], list[File]]:
    """What a file says that the user named, whatever kind it is of."""
    file = look(path, needed=True)
    assert file.data is not None
    if not _is_clush(path, file.data):
        return [_read_own(path, file.data)], [file]
    from asynctask.cli.settings import clushfile

    found, included = clushfile.read([(path, file.data)])
    return [found], [file, *included]


def _read_own(path: Path, data: bytes) -> Found:
    from asynctask.cli.settings import ownfile

    return ownfile.read(path, data)


def _is_clush(path: Path, data: bytes) -> bool:
    """By the name, else by the sections that only clush.conf has."""
    if path.suffix in {".toml", ".conf"}:
        return path.suffix == ".conf"
    starts = (line.strip().lower() for line in data.splitlines())
    return any(line.startswith((b"[main]", b"[mode:")) for line in starts)


# -- modes and options ----------------------------------------------------------------------------


def _chosen(modes: Mapping[str, Layer], name: str) -> Layer:
    if name not in modes:
        names = ", ".join(sorted(modes))
        raise click.UsageError(f"-m {name}: there is no such mode; known are {names}")
    return modes[name]


def _override(text: str) -> tuple[str, Setting]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise click.UsageError(f"-O {text}: KEY=VALUE is expected, such as fanout=16")
    key = find(name.lower())
    if key is None:
        raise click.UsageError(f"-O {text}: unknown key {name!r}{nearest(name)}")
    try:
        return key.name, Setting(understood(key, Said(value, "-O", is_text=True)), "-O")
    except UsageError as exc:
        raise click.UsageError(f"-O {text}: it takes {key.kind.expected}") from exc


def _described(name: str, layer: Layer) -> Mode:
    sources = [said.source.rpartition(", mode ")[0] for said in layer.values()]
    return Mode(
        name, ", ".join(dict.fromkeys(sources)), {key: _plain(key, said) for key, said in layer.items()}
    )


def _plain(name: str, said: Said) -> Any:
    """What a value means; one that makes no sense, in a mode that nobody has chosen, as it is."""
    try:
        return understood(KEYS[name], said)
    except UsageError:
        return said.value
