"""Processes as the manager told of them, in words and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from asynctask.cli.supervising.labels import label_of

__all__ = ("Process", "at_fault", "label", "not_running", "process_rows", "summary", "table", "template_rows")

Process: TypeAlias = Mapping[str, Any]

_RUNNING = "running"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_NOTHING = "-"
#: So many names are told for a state, and so many states, when there are more.
_MOST_NAMES = 4
_MOST_STATES = 8


def label(process: Process) -> str:
    """What a process is called: ``web.1``, ``web.1@n3``."""
    return label_of(process["name"], process["index"], process["node"], process["pid"] or 0)


def not_running(answer: Mapping[str, Any]) -> list[Process]:
    """Of an answer to "ps": places where no process runs, or one that nobody is connected to."""
    return [each for each in answer["processes"] if each["index"] is not None and not _runs(each)]


def at_fault(answer: Mapping[str, Any]) -> list[Process]:
    """Those of them that should run: not if somebody has to start them first, or if they have ended well."""
    wanted = {each["name"] for each in answer["templates"] if each["wanted"] or each["autostart"]}
    return [each for each in not_running(answer) if each["name"] in wanted and not _is_done(each)]


def summary(template: Mapping[str, Any], processes: Iterable[Process]) -> str:
    """How a template does, in a line: ``2 of 3 running; web.3: backoff (exited with 1, again in 4 s)``."""
    own = [each for each in processes if each["name"] == template["name"] and each["index"] is not None]
    running = sum(each["state"] == _RUNNING for each in own)
    if not template["wanted"] and all(each["state"] == "stopped" for each in own):
        return "stopped"
    others: dict[str, list[str]] = {}
    for each in own:
        if not _runs(each):
            others.setdefault(_state(each), []).append(label(each))
    parts = [f"{_some(names)}: {state}" for state, names in others.items()]
    if more := len(parts[_MOST_STATES:]):
        parts[_MOST_STATES:] = [f"{more} more states"]
    return "; ".join([f"{running} of {len(own)} running", *parts])


def process_rows(processes: Iterable[Process]) -> list[list[str]]:
    """The table of processes, with its heading."""
    processes = list(processes)
    on_nodes = any(each["node"] is not None for each in processes)
    heading = ["NAME", "NODE", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", ""]
    rows = [
        [
            label_of(each["name"], each["index"], None, each["pid"] or 0),
            each["node"] or _NOTHING,
            each["state"] if each["connected"] else f"{each['state']}?",
            _text(each["os_pid"]),
            _NOTHING if each["uptime"] is None else span(each["uptime"]),
            str(each["restarts"]),
            _NOTHING if each["cpu"] is None else f"{each['cpu']:.1f}%",
            _NOTHING if each["memory"] is None else size(each["memory"]),
            _why(each),
        ]
        for each in processes
    ]
    rows.insert(0, heading)
    return rows if on_nodes else [[*row[:1], *row[2:]] for row in rows]


def template_rows(answer: Mapping[str, Any]) -> list[list[str]]:
    """How each template of an answer to "ps" does."""
    return [[each["name"], summary(each, answer["processes"])] for each in answer["templates"]]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, as wide as they have to be; the last is as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1:] = [0]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def span(seconds: float) -> str:
    """``7s``, ``3m05s``, ``2h10m``, ``5d03h``."""
    whole = max(0, int(seconds))
    for unit, small, length in (("d", "h", 86400), ("h", "m", 3600), ("m", "s", 60)):
        if whole >= length:
            part = {"h": 3600, "m": 60, "s": 1}[small]
            return f"{whole // length}{unit}{whole % length // part:02}{small}"
    return f"{whole}s"


def size(count: float) -> str:
    """``512 B``, ``3.4 MiB``."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def _runs(process: Process) -> bool:
    return bool(process["state"] == _RUNNING and process["connected"])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _is_done(process: Process) -> bool:
    ended = process["last_exit"]
    return process["state"] == "exited" and ended is not None and ended["code"] == 0


def _state(process: Process) -> str:
    why = _why(process)
    return f"{process['state']} ({why})" if why else str(process["state"])


def _why(process: Process) -> str:
    parts = [] if process["connected"] else ["connection lost"]
    if process["state"] in {"backoff", "fatal", "starting"} and process["reason"]:
        parts.append(process["reason"])
    elif process["state"] == "exited" and (ended := process["last_exit"]):
        parts.append(exit_text(ended))
    if process["retry_in"] is not None:
        parts.append(f"again in {process['retry_in']:.0f} s")
    return ", ".join(parts)


def exit_text(ended: Mapping[str, int | None]) -> str:
    """How a process ended."""
    if ended["signal"] is not None:
        return f"signal {ended['signal']}"
    return "exit unknown" if ended["code"] is None else f"exit {ended['code']}"


def _text(value: object) -> str:
    return _NOTHING if value is None else str(value)
