"""Templates as plain data, and back: for TOML, JSON and HTTP alike.

``template_from(template_to(template)) == template``, also with JSON between. What people write may be more
convenient than what comes out: ``"5m"`` for seconds, ``"50MB"`` for bytes, a path for a log file, ``false``
for no ``flapping``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from asynctask.errors import UsageError
from asynctask.manager.checks import FieldError, nearest, needed
from asynctask.manager.template import (
    Backoff,
    Flapping,
    Liveness,
    LogFile,
    ProcessTemplate,
    Readiness,
)
from asynctask.manager.units import bytes_of, seconds_of

__all__ = ("HIDDEN", "env_from", "template_from", "template_to")

#: Stands for a value that is not shown.
HIDDEN: Final = "(hidden)"
#: Stands for no limit where a file has no ``null``.
_UNLIMITED = "unlimited"
_OCTAL = re.compile(r"(?:0o)?[0-7]{1,4}")

_TABLES: Mapping[str, type[Any]] = {
    "backoff": Backoff,
    "flapping": Flapping,
    "readiness": Readiness,
    "liveness": Liveness,
}
_OFF = frozenset({"flapping", "liveness"})
_STREAMS = ("stdout", "stderr")
#: What other supervisors call it.
_ELSEWHERE = {
    "autorestart": "restart",
    "autostart_delay": "readiness.seconds",
    "cmd": "command",
    "copy_env": "inherit_env",
    "directory": "cwd",
    "environment": "env",
    "exitcodes": "exit_codes",
    "gid": "group",
    "max_retry": "flapping.max_retry",
    "numprocs": "numprocesses",
    "os_env": "inherit_env",
    "priority": "order",
    "redirect_input": "stdin",
    "redirect_stderr": 'stderr = "stdout"',
    "respawn": "restart",
    "startretries": "backoff.attempts",
    "startsecs": "readiness.seconds",
    "stdout_logfile": "stdout",
    "stderr_logfile": "stderr",
    "stopsignal": "stop_signal",
    "stopwaitsecs": "graceful_timeout",
    "uid": "user",
    "warmup_delay": "order",
    "working_dir": "cwd",
    "workdir": "cwd",
}


def template_from(mapping: Mapping[str, Any], *, where: str = "") -> ProcessTemplate:
    """A template from plain data.

    Args:
        mapping: the fields by name; ``name`` and ``command`` are needed.
        where: what the data is called in messages; by default the template by its name.

    Raises:
        TemplateError: a field is unknown or missing, or its value can never work.
    """
    if not isinstance(mapping, Mapping):
        raise FieldError((), "a table is needed", where=where or "template")
    name = mapping.get("name")
    where = where or (f"template {name!r}" if isinstance(name, str) else "template")
    try:
        values = _values(mapping, ProcessTemplate, ())
        return ProcessTemplate(**values)
    except FieldError as exc:
        raise exc.inside(where) from exc.__cause__


def template_to(template: ProcessTemplate, *, hide_env: bool = False) -> dict[str, Any]:
    """All fields of a template as data that JSON has.

    Args:
        template: it is left as it is.
        hide_env: put ``HIDDEN`` in the place of each value of ``env``: there may be secrets among them.
    """
    data = {each: _plain(getattr(template, each)) for each in _names(ProcessTemplate)}
    if template.umask is not None:
        data["umask"] = f"{template.umask:03o}"
    if hide_env:
        data["env"] = dict.fromkeys(template.env, HIDDEN)
    return data


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, (LogFile, *_TABLES.values())):
        return {each: _plain(getattr(value, each)) for each in _names(type(value))}
    return value


def _names(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind)]


def _values(mapping: Mapping[str, Any], kind: type[Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The fields of one table, each as its class wants it."""
    known = _names(kind)
    for key in mapping:
        if key not in known:
            raise FieldError((*path, str(key)), _unknown(key, known))
    if kind is ProcessTemplate:
        for key in ("name", "command"):
            if key not in mapping:
                raise FieldError((*path, key), "it is missing")
    return {key: _value((*path, key), value) for key, value in mapping.items()}


def _unknown(key: object, known: list[str]) -> str:
    meant = _ELSEWHERE.get(str(key).lower())
    hint = (
        f"; here it is {meant}"
        if meant and meant.split(".")[0].split(" ")[0] in known
        else nearest(key, known)
    )
    return f"there is no such field{hint}"


def _value(path: tuple[str, ...], value: Any) -> Any:
    """The value of a field, where what people write is not what the class takes."""
    convert = _CONVERTERS.get(path)
    return value if convert is None else convert(path, value)


def _time(path: tuple[str, ...], value: Any) -> Any:
    return _understood(seconds_of, path, value)


def _size(path: tuple[str, ...], value: Any) -> Any:
    return _understood(bytes_of, path, value)


def _understood(reading: Callable[[str], float], path: tuple[str, ...], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return reading(value)
    except UsageError as exc:
        raise FieldError(path, str(exc), value) from exc


def _count(_: tuple[str, ...], value: Any) -> Any:
    return None if value == _UNLIMITED else value


def env_from(path: tuple[str, ...], value: Any) -> Any:
    """Variables, whose values may be whole numbers: ``PORT = 8000`` has one meaning."""
    if not isinstance(value, Mapping):
        raise needed(path, "a table of variables", value)
    return {name: str(each) if type(each) is int else each for name, each in value.items()}


def _limits(path: tuple[str, ...], value: Any) -> Any:
    """Limits of memory and files are sizes."""
    if not isinstance(value, Mapping):
        raise needed(path, "a table of limits", value)
    return {name: _limit((*path, str(name)), each) for name, each in value.items()}


def _limit(path: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_limit(path, each) for each in value)
    return -1 if value == _UNLIMITED else _size(path, value)


def _umask(path: tuple[str, ...], value: Any) -> Any:
    """Octal text: of a number nobody could tell whether it was meant to be octal."""
    if value is None:
        return None
    if not isinstance(value, str) or not _OCTAL.fullmatch(value):
        raise FieldError(path, 'octal digits in quotes are needed, as in umask = "022"', value)
    return int(value.removeprefix("0o"), 8)


def _redirect(path: tuple[str, ...], value: Any) -> Any:
    """A word, the path of a log file, or a table that describes one."""
    if isinstance(value, str) and value in {"pipe", "null", "inherit", "stdout"}:
        return value
    given = {"path": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise needed(path, "pipe, null, inherit, a path or a table", value)
    if "path" not in given:
        raise FieldError((*path, "path"), "it is missing")
    return _made(LogFile, given, path)


def _table(path: tuple[str, ...], value: Any) -> Any:
    field = path[-1]
    if field in _OFF and (value is None or value is False):
        return None
    if not isinstance(value, Mapping):
        raise needed(path, "a table, or false," if field in _OFF else "a table", value)
    return _made(_TABLES[field], value, path)


def _made(kind: type[Any], value: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    values = _values(value, kind, path)
    try:
        return kind(**values)
    except FieldError as exc:
        raise exc.inside("", *path, instead=1) from exc.__cause__


_Converter = Callable[[tuple[str, ...], Any], Any]

_CONVERTERS: Mapping[tuple[str, ...], _Converter] = {
    ("env",): env_from,
    ("rlimits",): _limits,
    ("umask",): _umask,
    ("backoff", "attempts"): _count,
    ("flapping", "max_retry"): _count,
    **dict.fromkeys(((each,) for each in ("graceful_timeout", "max_age", "lost_timeout")), _time),
    **dict.fromkeys((("backoff", each) for each in ("initial", "maximum")), _time),
    **dict.fromkeys((("flapping", each) for each in ("window", "retry_in")), _time),
    **dict.fromkeys((("readiness", each) for each in ("seconds", "interval", "timeout")), _time),
    **dict.fromkeys((("liveness", each) for each in ("interval", "timeout")), _time),
    **dict.fromkeys(((each,) for each in _TABLES), _table),
    **dict.fromkeys(((each,) for each in _STREAMS), _redirect),
    **dict.fromkeys(((each, "max_bytes") for each in _STREAMS), _size),
    **dict.fromkeys(((each, "max_age") for each in _STREAMS), _time),
}
