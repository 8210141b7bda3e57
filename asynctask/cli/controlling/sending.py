"""Writes to processes what a command line or standard input has."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynctask.cli.controlling.doing import processes_named
from asynctask.cli.terminal import encoded

if TYPE_CHECKING:
    from asynctask.manager.control.client import Client

__all__ = ("send",)

#: Bytes of one request; in base64 they are a third more.
_MOST = 1 << 18
_STDIN = 0


def send(client: Client, word: str, text: str | None, *, stream: str, close: bool) -> None:
    """Write to the processes that a word means.

    Args:
        client: to their manager.
        word: a template, a pattern, or a process.
        text: ``None``: all of standard input, as it comes.
        stream: into which of their inputs.
        close: end it then.

    Raises:
        ManagerError: there is nobody, or nobody reads; see the manager's ``send``.
    """
    from asynctask.errors import ManagerError
    from asynctask.manager.control.given import matching

    names, processes = processes_named(client, [word])
    targets: list[str | int] = [each["pid"] for each in processes]
    if names:
        targets += matching(names, client.call("list")["names"])
    sent = 0
    for chunk in _chunks(text):
        for target in targets:
            data = base64.b64encode(chunk).decode()
            sent += client.call("send", {"target": target, "data_base64": data, "stream": stream})["sent"]
        if not sent:
            raise ManagerError(f"{word}: no process runs")
    if close:
        for target in targets:
            sent += client.call("close_input", {"target": target, "stream": stream})["closed"]
    if not sent and close:
        raise ManagerError(f"{word}: no process runs")


def _chunks(text: str | None) -> Iterator[bytes]:
    if text is not None:
        data = encoded(text)
        yield from (data[start : start + _MOST] for start in range(0, len(data), _MOST))
        return
    while chunk := os.read(_STDIN, _MOST):
        yield chunk
