"""Records for the tests: views that write them, and the schema that they keep to."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

from jsonschema import Draft202012Validator

from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.records import EventsView, JsonView, RecordView
from asynctask.cli.output.schema import RunStart
from asynctask.cli.screen import Screen
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.errors import NodeError
from asynctask.messages import Message, MsgTree
from asynctask.outcome import NodeResult, Outcome, Times
from tests.support import node_result

__all__ = (
    "START",
    "FakeScreen",
    "check",
    "failed",
    "fake_screen",
    "message",
    "objects",
    "ok",
    "output_bytes",
    "unreachable",
    "written",
)

#: Noon, in seconds and in microseconds since 1970.
NOON = 1_772_366_400
START = NOON * 1_000_000


class FakeScreen:
    """Keeps what is shown; each stream may be a terminal."""

    def __init__(self, *terminals: int) -> None:
        self._terminals = terminals
        self.shown = {STDOUT: b"", STDERR: b""}

    def is_terminal(self, fd: int) -> bool:
        return fd in self._terminals

    async def write(self, fd: int, data: bytes) -> None:
        self.shown[fd] += data


def fake_screen(*terminals: int) -> tuple[FakeScreen, Screen]:
    """The same twice: as what it is, and as what it stands for."""
    screen = FakeScreen(*terminals)
    return screen, cast("Screen", screen)


def message(data: bytes) -> Message:
    """A message of a tree of its own."""
    tree = MsgTree()
    cursor = tree.cursor()
    tree.add(cursor, data)
    return tree.message(cursor)


@cache
def _schema() -> Draft202012Validator:
    schema = json.loads(files("asynctask.cli.output").joinpath("schema-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    _close(schema)
    return Draft202012Validator(schema)


def _close(schema: object) -> None:
    """Allow only fields that are described: within a version more may come, but not without a word."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)


async def objects(data: bytes) -> list[dict[str, Any]]:
    """The objects of a record, each of which is as the schema says; that takes a while, so in a thread."""
    return await asyncio.to_thread(_objects, data)


def _objects(data: bytes) -> list[dict[str, Any]]:
    assert data.endswith(b"\n")
    assert data.count(b"\n") == len(data.decode().splitlines())
    found = [json.loads(line) for line in data.splitlines()]
    for each in found:
        check(each)
    return found


def output_bytes(fields: Mapping[str, Any]) -> bytes:
    """What an object of output says that was printed."""
    data: bytes = fields["text"].encode() if "text" in fields else b64decode(fields["base64"])
    end: str = fields.get("end", "\n")
    return data + end.encode()


def check(fields: Mapping[str, Any]) -> None:
    """See that an object is as the schema says."""
    _schema().validate(fields)


async def written(kind: str, run: RunStart, events: Iterable[Sequence[Any]], status: int = 0) -> bytes:
    """The record of a made-up run.

    Args:
        kind: ``json`` or ``events``.
        run: what is run.
        events: a name and what follows: ``start NODE``, ``chunk NODE STREAM BYTES``, ``exit NODE RC``,
            ``end RESULT``, ``over RESULT ATTEMPT``; each happens a second after the one before.
        status: the exit status.
    """
    screen, as_screen = fake_screen()
    clock = RecordClock()
    clock.time = START
    view: RecordView = (JsonView if kind == "json" else EventsView)(as_screen, clock)
    results = []
    await view.run_began(run)
    for name, *values in events:
        clock.time += 1_000_000
        if name == "over":
            results.append(values[0])
            await view.node_over(*values)
        elif isinstance(view, EventsView):
            hooks = {
                "start": view.ev_pickup,
                "chunk": view._ev_chunk,
                "exit": view.ev_hup,
                "end": view.ev_end,
            }
            hook: Any = hooks[name]
            await hook(None, *([values[0].node] if name == "end" else []), *values)
    clock.time += 1_000_000
    order = list(run.nodes or ())
    await view.over(sorted(results, key=lambda result: order.index(result.node)))
    await view.run_ended(status)
    return screen.shown[STDOUT]


def ok(node: str, out: bytes = b"", err: bytes = b"") -> NodeResult:
    """A node on which all went well."""
    times = Times(queued=NOON, began=NOON + 0.25, started=NOON + 0.5, ended=NOON + 1.75)
    return node_result(node, times=times, out=message(out), err=message(err))


def failed(node: str, rc: int = 3, out: bytes = b"", err: bytes = b"") -> NodeResult:
    """A node on which the command failed."""
    times = Times(queued=NOON, began=NOON, started=NOON, ended=NOON + 2)
    return node_result(node, Outcome.FAILED, rc, times=times, out=message(out), err=message(err))


def unreachable(node: str) -> NodeResult:
    """A node to which there was no way."""
    times = Times(queued=NOON, began=NOON, ended=NOON + 2)
    error = NodeError(node, "no route to it", "look at its cable")
    return node_result(node, Outcome.UNREACHABLE, None, error=error, times=times)
