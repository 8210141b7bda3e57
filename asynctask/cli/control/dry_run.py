"""``--dry-run``: what would be run where, in what order, and how; nothing is connected to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from asynctask.cli.control.batches import plan
from asynctask.cli.control.shares import Share
from asynctask.cli.output.labels import fold
from asynctask.nodes import Template

if TYPE_CHECKING:
    from asynctask.cli.control.ways import Way
    from asynctask.cli.request import Copying, Request

__all__ = ("dry_run",)

#: How many different commands, ways and batches are shown, unless all are asked for.
_MOST = 10
#: Where that many differ, how many are shown.
_FIRST = 5
_WIDTH = 18
#: The field of the request behind each line about how far the run goes, and what its value means.
_LIMITS = (
    ("retries", "{}"),
    ("halt", "{}"),
    ("check", "{}"),
    ("deadline", "{:g} s"),
    ("quorum", "{}"),
    ("delay", "{:g} s"),
)


def dry_run(
    request: Request,
    *,
    origins: Mapping[str, str] | None = None,
    ways: Mapping[str, Way] | None = None,
    connect_timeout: float = 10.0,
) -> Iterator[str]:
    """The lines that describe a run.

    Args:
        request: what was asked for. With :attr:`~asynctask.cli.request.Request.verbose` all is shown,
            however much it is.
        origins: where values come from, by the fields of the request: ``"-f"``, a file, a mode.
        ways: for each target how to get there, if that is known.
        connect_timeout: what holds where nobody says.
    """
    return _DryRun(request, origins or {}, ways or {}, connect_timeout).lines()


class _DryRun:
    def __init__(
        self, request: Request, origins: Mapping[str, str], ways: Mapping[str, Way], connect_timeout: float
    ) -> None:
        self._request = request
        self._origins = origins
        self._ways = ways
        self._connect_timeout = connect_timeout
        self._ranks = {node: rank for rank, node in enumerate(request.targets)}

    def lines(self) -> Iterator[str]:
        yield "nothing is run"
        yield from self._what()
        yield from self._order()
        yield from self._how()
        yield from self._limits()

    # -- what and where -----------------------------------------------------------------------------

    def _what(self) -> Iterator[str]:
        request = self._request
        yield _line("nodes", _title(request.targets))
        if request.copying is not None:
            for words in _copies(request.copying):
                yield _line("copy", words)
            return
        commands: dict[str, list[str]] = {}
        for node, command in self._commands():
            commands.setdefault(command, []).append(node)
        if len(commands) == 1:
            yield _line("command", next(iter(commands)))
            return
        for command, nodes in self._few(list(commands.items()), "commands"):
            yield _line("command", f"{fold(nodes)}: {command}" if nodes else command)

    def _commands(self) -> Iterator[tuple[str, str]]:
        request = self._request
        text = f"{request.prefix} {request.command}".strip()
        if request.worker != "exec":
            yield from ((node, text) for node in request.targets)
            return
        template = Template(text)
        if template.needs_all:
            yield fold(request.targets), template.render("", 0, request.targets)
        else:
            yield from ((node, template.render(node, rank)) for node, rank in self._ranks.items())

    def _order(self) -> Iterator[str]:
        request = self._request
        share = None if request.batch is None else Share.parse(request.batch)
        batches = plan(request.targets, share, request.canary)
        if len(batches) == 1:
            return
        named = [(_batch_name(number, request.canary), batch) for number, batch in enumerate(batches, 1)]
        yield _line("order", f"{len(batches)} batches, each after the one before it{self._from('batch')}")
        for name, batch in self._few(named, "batches"):
            yield _line("", f"{name}: {_title(batch)}" if batch else name)

    # -- how ------------------------------------------------------------------------------------------

    def _how(self) -> Iterator[str]:
        request = self._request
        yield _line("worker", f"{request.worker}{self._from('worker')}")
        yield _line("fanout", f"{request.fanout} at once{self._from('fanout')}")
        if request.worker != "exec":
            connect = self._connect_timeout if request.connect_timeout is None else request.connect_timeout
            yield _line("connect timeout", f"{_seconds(connect)}{self._from('connect_timeout')}")
        yield _line("command timeout", f"{_seconds(request.command_timeout)}{self._from('command_timeout')}")
        yield from self._login()
        if request.sudo is not None:
            yield _line("sudo", f"as {request.sudo}{self._from('sudo')}")
        if request.env:
            yield _line("environment", ", ".join(name for name, _ in request.env))
        if request.password_prompt:
            yield _line("password", "asked for once, the first line of each command's input")

    def _login(self) -> Iterator[str]:
        if not self._ways:
            if self._request.user is not None:
                yield _line("login", f"as {self._request.user}{self._from('user')}")
            return
        alike: dict[str, list[str]] = {}
        for node, way in self._ways.items():
            alike.setdefault(str(way), []).append(node)
        if len(alike) == 1:
            yield _line("login", f"{next(iter(alike))}{self._from('user')}")
            return
        for text, nodes in self._few(list(alike.items()), "ways to log in"):
            yield _line("login", f"{fold(nodes)}: {text}" if nodes else text)

    def _limits(self) -> Iterator[str]:
        for name, form in _LIMITS:
            value = getattr(self._request, name)
            if value and value != math.inf:
                yield _line(name, form.format(value) + self._from(name))

    # -- words ----------------------------------------------------------------------------------------

    def _few(
        self, entries: Sequence[tuple[str, Sequence[str]]], what: str
    ) -> Iterator[tuple[str, Sequence[str]]]:
        """All of a few; of many the first and, as an entry without nodes, how many more there are."""
        if len(entries) <= _MOST or self._request.verbose:
            yield from entries
            return
        yield from entries[:_FIRST]
        yield f"... and {len(entries) - _FIRST} more {what}; -v shows all", ()

    def _from(self, name: str) -> str:
        origin = self._origins.get(name)
        return "" if origin is None else f" ({origin})"


def _line(name: str, text: str) -> str:
    return f"{name + ':' if name else '':{_WIDTH}}{text}"


def _title(nodes: Sequence[str]) -> str:
    return fold(nodes) + (f" ({len(nodes)})" if len(nodes) > 1 else "")


def _batch_name(number: int, canary: int) -> str:
    return "1, the canary" if canary and number == 1 else str(number)


def _seconds(seconds: float) -> str:
    return "none" if seconds == math.inf else f"{seconds:g} s"


def _copies(copying: Copying) -> Iterator[str]:
    kept = ", permissions and times kept" if copying.preserve else ""
    dest = copying.dest or "its directory"
    for source in copying.sources:
        if copying.back:
            yield f"{source} on each node to {dest} here, with .NODE after its name{kept}"
        else:
            yield f"{source} to {dest} on each node{kept}"
