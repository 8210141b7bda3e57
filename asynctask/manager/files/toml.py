"""Reads ``asynctask.toml``: a table ``[process.NAME]`` for each template, ``[env]``, ``[manager]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from asynctask.errors import TemplateError, UsageError
from asynctask.manager import checks
from asynctask.manager.checks import FieldError
from asynctask.manager.fields import env_from, template_from
from asynctask.manager.files.model import ManagerSettings
from asynctask.manager.files.places import line_of, places_of
from asynctask.manager.files.procfile import PORT_STEP
from asynctask.manager.files.text import at
from asynctask.manager.template import LogFile, ProcessTemplate, Redirect

__all__ = ("TomlFile",)

_TABLES = {"process": "[process.NAME]", "env": "[env]", "manager": "[manager]"}
_SETTINGS = ("name", "socket", "http", "env_files")


class TomlFile:
    """A text that is TOML and has no unknown tables. What is in them is looked at when it is asked for.

    Args:
        text: what is in the file.
        source: what it is called in messages.
        directory: what paths in it are relative to; processes run there if they have no ``cwd``.

    Raises:
        TemplateError: it is no TOML, or has other tables; the message has the line.
    """

    def __init__(self, text: str, *, source: str = "asynctask.toml", directory: Path) -> None:
        self._source = source
        self._directory = directory
        content = _parsed(text, source)
        self._places = places_of(text)
        for key, value in content.items():
            if key not in _TABLES:
                hint = checks.nearest(key, _TABLES) or f"; there are {', '.join(_TABLES.values())}"
                raise self._error(
                    (key,), f"unknown {'table' if isinstance(value, dict) else 'key'} {key!r}{hint}"
                )
            if not isinstance(value, dict):
                raise self._error((key,), f"{key} is a table: write {_TABLES[key]} above it")
        self._processes: dict[str, Any] = content.get("process", {})
        self._env: dict[str, Any] = content.get("env", {})
        self._manager: dict[str, Any] = content.get("manager", {})

    # -- what it says -------------------------------------------------------------------------------------

    def settings(self) -> ManagerSettings:
        """The table ``[manager]``.

        Raises:
            TemplateError: something in it can never work.
        """
        for key in self._manager:
            if key not in _SETTINGS:
                hint = checks.nearest(key, _SETTINGS) or f"; there are {', '.join(_SETTINGS)}"
                raise self._error(("manager", key), f"[manager]: there is no such setting: {key!r}{hint}")
        values: dict[str, Any] = {}
        with self._place("manager"):
            for key, value in self._manager.items():
                if key == "name":
                    values[key] = checks.name((key,), value)
                elif key == "http":
                    values[key] = checks.address((key,), value)
                elif key == "socket":
                    values[key] = self._path((key,), value)
                else:
                    listed = [value] if isinstance(value, str) else checks.texts((key,), value)
                    values[key] = tuple(self._path((key,), each) for each in listed)
        return ManagerSettings(**values)

    def templates(
        self, env: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> dict[str, ProcessTemplate]:
        """The templates, in the order of the file.

        Args:
            env: more variables for all; they go before ``[env]``, and a template's own before both.
            port: ``PORT`` of the first; the next has ``PORT_STEP`` more. Those that say something of it in
                their own table keep that. ``None``: it is set where the file says so.

        Raises:
            TemplateError: something can never work; the message has the line.
        """
        with self._place("env"):
            shared = {**checks.environment((), env_from((), self._env)), **(env or {})}
        templates: dict[str, ProcessTemplate] = {}
        for name, table in self._processes.items():
            if not isinstance(table, dict):
                raise self._error(
                    ("process", name), f"[process.{checks.dotted((name,))}] is a table, with command = ..."
                )
            with self._place("process", name):
                first = None if port is None else port + PORT_STEP * len(templates)
                templates[name] = self._template(name, table, shared, first)
        if not templates:
            raise TemplateError(f"{self._source}: there is no process in it: begin a table [process.NAME]")
        return templates

    def _template(
        self, name: str, table: Mapping[str, Any], shared: Mapping[str, str], port: int | None
    ) -> ProcessTemplate:
        if table.get("name", name) != name:
            raise FieldError(("name",), "the name is that of the table: leave this line out")
        if port is not None and not _has_port(table):
            table = {**table, "port": port}
        own = template_from({**table, "name": name})
        env = {**shared, **own.env}
        if own.port is not None:
            env.pop("PORT", None)
        if own.nodes is not None:
            _check_nodes(own.nodes)
        return replace(
            own,
            env=env,
            cwd=own.cwd if own.nodes is not None else str(self._path(("cwd",), own.cwd or ".")),
            stdout=self._redirect("stdout", own.stdout),
            stderr=self._redirect("stderr", own.stderr),
        )

    def _redirect(self, stream: str, redirect: Redirect) -> Redirect:
        """A log file is relative to this file, too: on a node there may be no such directory."""
        if not isinstance(redirect, LogFile):
            return redirect
        path, root = Path(redirect.path), self._directory.absolute()
        if path.is_absolute():
            return redirect
        if path.parts[0].startswith("~"):
            root, path = self._expanded((stream, "path"), Path(path.parts[0])), Path(*path.parts[1:])
        return replace(redirect, path=str(root / path))

    def _path(self, path: tuple[str, ...], value: object) -> Path:
        return self._directory.absolute() / self._expanded(path, Path(checks.text(path, value)))

    @staticmethod
    def _expanded(path: tuple[str, ...], value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError as exc:
            raise FieldError(path, "the home directory is not known", str(value)) from exc

    # -- where it says it ----------------------------------------------------------------------------------

    @contextmanager
    def _place(self, *table: str) -> Iterator[None]:
        """Add the line to what is said of a field."""
        try:
            yield
        except FieldError as exc:
            reason = f"[{checks.dotted(table)}]: {exc.inside('', *exc.path, instead=len(exc.path))}"
            raise self._error((*table, *exc.path), reason) from exc

    def _error(self, path: tuple[str, ...], reason: str) -> TemplateError:
        return at(self._source, line_of(self._places, path), reason)


def _parsed(text: str, source: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        reason, _, place = str(exc).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        last = text.count("\n") + 1 if place else None  # else it says: at the end of the document
        raise at(source, int(line[1]) if line else last, f"this is no TOML: {reason}") from exc
    except ValueError as exc:
        raise TemplateError(f"{source}: a number has too many digits") from exc
    except RecursionError as exc:
        raise TemplateError(f"{source}: brackets are nested too deeply") from exc


def _has_port(table: Mapping[str, Any]) -> bool:
    env = table.get("env")
    return "port" in table or (isinstance(env, Mapping) and "PORT" in env)


def _check_nodes(nodes: str) -> None:
    """Groups are looked up when they are needed: that may run a command."""
    if "@" in nodes:
        return
    from asynctask.nodes import expand

    try:
        expand(nodes)
    except UsageError as exc:
        raise FieldError(("nodes",), str(exc), nodes) from exc
