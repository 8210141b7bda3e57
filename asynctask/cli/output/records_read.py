"""Reads records of ``--json`` and ``--events``, also damaged ones."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from asynctask.cli.output.clock import moment_of
from asynctask.cli.output.schema import VERSION, RunStart, plain_text, result_from
from asynctask.errors import AsyncTaskError
from asynctask.outcome import NodeResult

__all__ = (
    "AttemptEnded",
    "Item",
    "NodeExited",
    "NodeOver",
    "NodeStarted",
    "Output",
    "RecordError",
    "RecordReader",
    "RunBegan",
    "RunOver",
)


_TEXT = b'"text":'
_WINDOWS = rb'","end":"\r\n'


class RecordError(AsyncTaskError):
    """It is no record that this version can read."""


class Output(NamedTuple):
    """Lines with their ends, or a piece of one, that came together; a tuple, since there are very many."""

    time: int
    node: str
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A run begins."""

    time: int
    run: RunStart


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """An attempt at a node begins."""

    time: int
    node: str


@dataclass(frozen=True, slots=True)
class NodeExited:
    """A command has exited by itself."""

    time: int
    node: str
    rc: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt at a node is over."""

    time: int
    result: NodeResult


@dataclass(frozen=True, slots=True)
class NodeOver:
    """A node is over for good."""

    time: int
    result: NodeResult
    attempt: int
    output: tuple[bytes, bytes] | None = None
    """Both streams, where the record has no other events."""


@dataclass(frozen=True, slots=True)
class RunOver:
    """A run has ended."""

    time: int
    status: int
    run: RunStart | None = None
    """What was run and when it began, where the record says it at the end."""
    began: int | None = None


Item: TypeAlias = Output | RunBegan | NodeStarted | NodeExited | AttemptEnded | NodeOver | RunOver


class RecordReader:
    """Takes a record apart, as it comes.

    Lines that make no sense are left out and counted, but what begins with one is no record.

    Attributes:
        damaged: how many lines were left out.
        first_damaged: the number of the first of them, from 1.
        cut_off: whether the last line has no end.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tail: list[bytes] = []
        self._number = 0
        self._is_record = False
        # What the last line of output began with, and what that means.
        self._head = b""
        self._of = (0, "", "")
        self.damaged = 0
        self.first_damaged = 0
        self.cut_off = False

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """What ``chunk`` completes.

        Raises:
            RecordError: this is no record, or of a version that is not known yet.
        """
        end = chunk.rfind(b"\n")
        if end < 0:
            self._tail.append(chunk)
            return
        lines = chunk[:end].split(b"\n")
        if self._tail:
            lines[0] = b"".join([*self._tail, lines[0]])
        self._tail = [chunk[end + 1 :]]
        batch: list[bytes] = []
        for line in lines:
            self._number += 1
            if self._head and line.startswith(self._head) and (data := _plain_data(line, len(self._head))):
                batch.append(data)
                continue
            item = self._item(line)
            if item is None:
                continue
            if batch and isinstance(item, Output) and item[:3] == self._of:
                batch.append(item.data)
                continue
            if batch:
                yield Output(*self._of, b"".join(batch))
                batch = []
            if isinstance(item, Output):
                batch.append(item.data)
                self._of, self._head = item[:3], _head_of(line)
            else:
                yield item
        if batch:
            yield Output(*self._of, b"".join(batch))

    def end(self) -> Iterator[Item]:
        """What is left at the end: a last line that lacks nothing but its end.

        Raises:
            RecordError: as above.
        """
        line = b"".join(self._tail)
        self._tail = []
        if not line.strip():
            if not self._is_record:
                raise RecordError(f"{self._name}: no record of a run: it is empty")
            return
        self._number += 1
        before = self.damaged
        item = self._item(line)
        if self.damaged > before:  # what was being written when the writer was killed
            self.damaged = before
            self.cut_off = True
        if item is not None:
            yield item

    def _item(self, line: bytes) -> Item | None:
        if not line.strip():
            return None
        try:
            fields = json.loads(line)
            kind, version = fields["type"], fields.get("v", VERSION)
            if isinstance(version, int) and version > VERSION:
                raise RecordError(
                    f"{self._name}: line {self._number} is of version {version}, and this asynctask reads"
                    f" version {VERSION}: update it"
                )
            make = _MAKERS.get(kind)
            item = make(fields) if make is not None else None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
            self._spoiled()
            return None
        if item is None and not self._is_record:
            self._spoiled()
        self._is_record = True
        return item

    def _spoiled(self) -> None:
        if not self._is_record:
            raise RecordError(
                f"{self._name}: line {self._number} is no record of a run: write one with"
                " asynctask run --events, or --json"
            )
        self.damaged += 1
        self.first_damaged = self.first_damaged or self._number


# -- output, of which there is much -----------------------------------------------------------------


def _head_of(line: bytes) -> bytes:
    """What a line of output has in front of its text; nothing if it is not written as we write it."""
    head, found, _ = line.partition(_TEXT)
    with suppress(ValueError, TypeError):
        fields = {**json.loads(line), "text": ""}
        fields.pop("end", None)
        if found and fields == json.loads(head + found + b'""}'):
            return head + found
    return b""


def _plain_data(line: bytes, start: int) -> bytes | None:
    """The text and its end, where it takes no parser to see them."""
    if line[start : start + 1] != b'"' or not line.endswith(b'"}'):
        return None
    text, end = line[start + 1 : -2], b"\n"
    if text.endswith(_WINDOWS):
        text, end = text[: -len(_WINDOWS)], b"\r\n"
    return None if b'"' in text or b"\\" in text or not text.isascii() else text + end


# -- from the fields of an object: whatever is wrong with them raises --------------------------------


def _output(fields: Mapping[str, Any]) -> Output:
    text = fields.get("text")
    data = b64decode(fields["base64"], validate=True) if text is None else text.encode()
    return Output(
        moment_of(fields["time"]),
        plain_text(fields["node"]),
        plain_text(fields["stream"]),
        data + fields.get("end", "\n").encode(),
    )


def _run_started(fields: Mapping[str, Any]) -> RunBegan:
    return RunBegan(moment_of(fields["time"]), RunStart.from_plain(fields))


def _node_started(fields: Mapping[str, Any]) -> NodeStarted:
    return NodeStarted(moment_of(fields["time"]), plain_text(fields["node"]))


def _node_exited(fields: Mapping[str, Any]) -> NodeExited:
    return NodeExited(moment_of(fields["time"]), plain_text(fields["node"]), _whole(fields["rc"]))


def _attempt_ended(fields: Mapping[str, Any]) -> AttemptEnded:
    return AttemptEnded(moment_of(fields["time"]), result_from(fields))


def _node_ended(fields: Mapping[str, Any]) -> NodeOver:
    return NodeOver(moment_of(fields["time"]), result_from(fields), _whole(fields["attempt"]))


def _run_ended(fields: Mapping[str, Any]) -> RunOver:
    return RunOver(moment_of(fields["time"]), _whole(fields["status"]))


def _json_node(fields: Mapping[str, Any]) -> NodeOver:
    result = result_from(fields)
    ended = fields["times"].get("ended")
    time = 0 if ended is None else moment_of(ended)
    output = _whole_output(fields, "stdout"), _whole_output(fields, "stderr")
    return NodeOver(time, result, _whole(fields["attempt"]), output)


def _whole_output(fields: Mapping[str, Any], name: str) -> bytes:
    text = fields.get(name)
    if text is None:
        return b64decode(fields[f"{name}_base64"], validate=True)
    data: bytes = text.encode()
    return data


def _json_summary(fields: Mapping[str, Any]) -> RunOver:
    run = replace(RunStart.from_plain(fields), nodes=None)
    return RunOver(moment_of(fields["ended"]), _whole(fields["status"]), run, moment_of(fields["began"]))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value


_MAKERS: dict[object, Callable[[Mapping[str, Any]], Item]] = {
    "run_started": _run_started,
    "node_started": _node_started,
    "output": _output,
    "node_exited": _node_exited,
    "attempt_ended": _attempt_ended,
    "node_ended": _node_ended,
    "run_ended": _run_ended,
    "node": _json_node,
    "summary": _json_summary,
}
