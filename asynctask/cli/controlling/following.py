"""Shows output that a manager tells of, as it comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from asynctask.cli.output.colors import wanted
from asynctask.cli.past.printing import say
from asynctask.cli.supervising.labels import Prefixes, shown_line
from asynctask.cli.terminal import STDOUT, is_terminal

if TYPE_CHECKING:
    from asynctask.manager.control.client import Client

__all__ = ("Look", "follow_output")

#: Bytes that are written in one piece while more is there already.
_PIECE = 1 << 16
#: Seconds between two words about what is missing.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """How lines are shown."""

    timestamps: bool
    label: bool
    color: str
    as_json: bool


def follow_output(client: Client, params: Mapping[str, Any], look: Look) -> None:
    """Show all lines of the stream "output"; returns when there are no more, or the manager has ended.

    Args:
        client: to the manager.
        params: of the stream.
        look: how they are shown.
    """
    shown = _as_json if look.as_json else _as_text(look)
    gaps = _Gaps()
    waiting: list[bytes] = []
    size = 0
    for item in _items(client, params):
        if "missed" in item and not look.as_json:
            gaps.add(item["missed"])
        else:
            line = shown(item)
            waiting.append(line)
            size += len(line)
        if size > _PIECE or not client.has_more:
            _write(waiting)
            size = 0
            gaps.tell()
    _write(waiting)
    gaps.tell(at_once=True)


class _Gaps:
    """Lines that are missing: of many gaps the user is told now and then."""

    def __init__(self) -> None:
        self._missed = 0
        self._told = 0.0

    def add(self, missed: int) -> None:
        """So many lines are missing here."""
        self._missed += missed

    def tell(self, *, at_once: bool = False) -> None:
        """Tell the user, unless that was done a moment ago."""
        now = time.monotonic()
        if self._missed and (at_once or now - self._told >= _PAUSE):
            say(f"{self._missed} lines are missing: they came faster than they were read")
            self._missed, self._told = 0, now


def _items(client: Client, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from asynctask.manager.control.client import ManagerEndedError

    try:
        yield from client.stream("output", params)
    except ManagerEndedError:
        say("the manager has ended")


def _write(waiting: list[bytes]) -> None:
    if waiting:
        click.echo(b"".join(waiting), nl=False)
        waiting.clear()


def _as_json(item: Mapping[str, Any]) -> bytes:
    return json.dumps(item).encode() + b"\n"


def _as_text(look: Look) -> Callable[[Mapping[str, Any]], bytes]:
    from asynctask.manager.control.encoding import line_of

    terminal = is_terminal(STDOUT)
    colored = wanted(look.color, terminal)
    prefixes = Prefixes(colored=colored, timestamps="%H:%M:%S" if look.timestamps else None)

    def shown(item: Mapping[str, Any]) -> bytes:
        line = line_of(item)
        text = shown_line(line.line, may_color=colored) if terminal else line.line
        return (prefixes.output(line) if look.label else b"") + text + b"\n"

    return shown
