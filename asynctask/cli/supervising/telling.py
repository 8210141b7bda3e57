"""The events of processes in words, for who looks on."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

__all__ = ("ended", "told")


def ended(code: int | None, number: int | None) -> str:
    """How a process ended."""
    if number is not None:
        return f"ended by {_signal_name(number)}"
    return "ended, nobody knows how" if code is None else f"exited with code {code}"


def told(event: str, message: Mapping[str, Any], label: str, *, os_pid: int | None = None) -> str | None:
    """What an event says; ``None``: nothing that anybody would miss.

    Args:
        event: the last part of its topic.
        message: what came with it.
        label: the process.
        os_pid: what the system calls it.
    """
    reason = f": {message['reason']}" if message.get("reason") else ""
    match event:
        case "spawn":
            return f"{label} started" + ("" if os_pid is None else f" (pid {os_pid})")
        case "ready":
            return f"{label} is ready"
        case "exit":
            return f"{label} {ended(message.get('exit_code'), message.get('term_signal'))}"
        case "backoff" | "flap":
            again = message.get("retry_in")
            return f"{label}{' ends again and again' if event == 'flap' else ' failed to start'}{reason}" + (
                "" if again is None else f"; it is started again in {again:.1f} s"
            )
        case "fatal":
            return f"{label} is given up{reason}"
        case "lost":
            why = "" if message.get("reason") == "connection lost" else reason
            return f"{label}: the connection is lost{why}; the process may go on"
        case "found":
            return f"{label} is found again, and still runs"
        case "warning":
            return f"{label}: {message.get('text', '')}"
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
