"""What a manager tells, as JSON has it: for the socket and for HTTP alike."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from asynctask.manager.information import ManagerInfo, OutputLine, ProcessInfo, TemplateInfo, TemplateStats
from asynctask.manager.launching import Exit, Usage

__all__ = ("bytes_of", "event", "line", "line_of", "manager", "plain", "process", "stats", "template")


def manager(info: ManagerInfo) -> dict[str, Any]:
    """A manager."""
    return {
        "name": info.name,
        "started": info.started,
        "templates": info.templates,
        "processes": info.processes,
    }


def template(info: TemplateInfo, *, show_env: bool = False) -> dict[str, Any]:
    """A template and its processes; the values of its environment, which may be secrets, on request."""
    from asynctask.manager.fields import template_to

    return {
        "name": info.name,
        "numprocesses": info.numprocesses,
        "wanted": info.wanted,
        "active": info.active,
        "template": template_to(info.template, hide_env=not show_env),
        "processes": [process(each) for each in info.processes],
    }


def process(info: ProcessInfo, usage: Usage | None = None) -> dict[str, Any]:
    """A place of a template, and its process; what that takes is ``None`` when it was not asked for."""
    return {
        "name": info.name,
        "index": info.index,
        "node": info.node,
        "state": info.state.value,
        "pid": info.pid,
        "os_pid": info.os_pid,
        "started": info.started,
        "uptime": info.uptime,
        "restarts": info.restarts,
        "connected": info.connected,
        "last_exit": info.last_exit and _exit(info.last_exit),
        "reason": info.reason,
        "retry_in": info.retry_in,
        "cpu": usage and usage.cpu,
        "memory": usage and usage.memory,
    }


def stats(info: TemplateStats) -> dict[str, Any]:
    """What the processes of a template take."""
    return {
        "name": info.name,
        "cpu": info.cpu,
        "memory": info.memory,
        "processes": [
            {
                "pid": each.pid,
                "os_pid": each.os_pid,
                "index": each.index,
                "node": each.node,
                "cpu": each.usage.cpu,
                "memory": each.usage.memory,
                "processes": each.usage.processes,
            }
            for each in info.processes
        ],
    }


def line(info: OutputLine) -> dict[str, Any]:
    """A line of output; ``line_base64`` besides if it is not UTF-8, see :func:`bytes_of`."""
    return {
        "name": info.name,
        "pid": info.pid,
        "index": info.index,
        "node": info.node,
        "stream": info.stream,
        "time": info.time,
        **_text("line", info.line),
    }


def line_of(item: Mapping[str, Any]) -> OutputLine:
    """The line of output that :func:`line` made plain data of.

    Raises:
        KeyError, ValueError: it is none.
    """
    return OutputLine(
        name=item["name"],
        pid=item["pid"],
        index=item["index"],
        node=item["node"],
        stream=item["stream"],
        line=bytes_of(item, "line"),
        time=item["time"],
    )


def event(topic: str, args: tuple[Any, ...]) -> dict[str, Any]:
    """An event: its topic, and what it says."""
    said = args[0] if args and isinstance(args[0], Mapping) else {}
    return {"topic": topic, **plain(said)}


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A message with the bytes in it as text; those that are not UTF-8 besides as ``<key>_base64``."""
    result: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, bytes):
            result |= _text(key, item)
        else:
            result[key] = item
    return result


def bytes_of(item: Mapping[str, Any], key: str) -> bytes:
    """The bytes that :func:`plain` made text of.

    Raises:
        ValueError: this is no base64.
        KeyError: there is neither.
    """
    exact = item.get(f"{key}_base64")
    if exact is not None:
        return base64.b64decode(exact, validate=True)
    return str(item[key]).encode(errors="surrogatepass")


def _text(key: str, data: bytes) -> dict[str, str]:
    try:
        return {key: data.decode()}
    except UnicodeDecodeError:
        return {key: data.decode(errors="replace"), f"{key}_base64": base64.b64encode(data).decode()}


def _exit(ended: Exit) -> dict[str, int | None]:
    return {"code": ended.code, "signal": ended.signal}
