"""Bytes as JSON."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.output.records_text import EndedLines, dumped, output_objects, whole_text
from tests.cli.output.recorded import output_bytes

pytestmark = pytest.mark.one_loop("no loop is in it")


def _objects(data: bytes, **how: bool) -> list[dict[str, Any]]:
    return [json.loads("{" + fields + "}") for batch in output_objects(data, **how) for fields in batch]


# -- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "objects"),
    [
        (b"a\n\nb\n", [{"text": "a"}, {"text": ""}, {"text": "b"}]),
        (b"a\r\nb\r\n", [{"text": "a", "end": "\r\n"}, {"text": "b", "end": "\r\n"}]),
        (b"a\r\nb\n", [{"text": "a", "end": "\r\n"}, {"text": "b"}]),
        (b"a\rb\n\r\r\n", [{"text": "a\rb"}, {"text": "\r", "end": "\r\n"}]),
        (b"\xff\n\xc3\xa4\r\n", [{"base64": "/w=="}, {"text": "ä", "end": "\r\n"}]),
        (b"rest", [{"text": "rest", "end": ""}]),
        (b"\xc3", [{"base64": "ww==", "end": ""}]),
        (b'\x00"\\\x1b\n', [{"text": '\0"\\\x1b'}]),
    ],
)
def test_lines_and_their_ends(data: bytes, objects: list[dict[str, Any]]) -> None:
    r"""An end is named if it is not ``\n``; what is not UTF-8 is in base64, line by line."""
    assert _objects(data) == objects


def test_a_piece_of_a_line() -> None:
    """It is marked."""
    assert _objects(b"abc", more=True) == [{"text": "abc", "end": "", "partial": True}]


def test_many_lines_come_in_several_batches() -> None:
    """So that others have their turn."""
    data = b"%d\n" * 9000 % tuple(range(9000))
    batches = list(output_objects(data))
    assert len(batches) > 2
    assert b"".join(map(output_bytes, _objects(data))) == data


def test_no_line_is_broken() -> None:
    """Neither by what some take for the end of a line, nor on a terminal by what drives it."""
    for text in ("\u2028", "\x85", "\x9b2J"):
        (line,) = next(output_objects(f"{text}ä\n".encode()))
        assert line.isascii()
        assert json.loads(line.partition(":")[2]) == f"{text}ä"
    assert next(output_objects("ä\n".encode())) == ['"text":"ä"']
    assert next(output_objects("ä\n".encode(), ascii_only=True)) == [r'"text":"\u00e4"']


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\r", b"\n", b"\r\n", b"a"])), st.integers(8, 20))
def test_nothing_is_lost(chunks: list[bytes], limit: int) -> None:
    """Whatever comes, cut anywhere: the objects together are the bytes."""
    lines = EndedLines(limit)
    objects = []
    for chunk in chunks:
        if found := lines.feed(chunk):
            objects += _objects(found)
        if piece := lines.piece():
            objects += _objects(piece, more=True)
    if rest := lines.flush():
        objects += _objects(rest)
    assert b"".join(map(output_bytes, objects)) == b"".join(chunks)
    assert not objects or "partial" not in objects[-1]


def test_a_long_line_comes_in_pieces() -> None:
    """None is cut within a character, and the end of the line is in the last."""
    lines = EndedLines(limit=16)
    assert lines.feed("ä".encode() * 20 + b"x\r") == b""
    piece = lines.piece()
    assert piece.decode() == "ä" * 19
    assert lines.piece() == b""
    assert lines.feed(b"\nnext") == "äx\r\n".encode()
    assert lines.flush() == b"next"


# -- all that a node has printed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", {"out": ""}),
        (b"a\r\n\x00", {"out": "a\r\n\0"}),
        ("ä\u2028".encode(), {"out": "ä\u2028"}),
        (b"\xff\n", {"out_base64": "/wo="}),
        (b"\xc3", {"out_base64": "ww=="}),
    ],
)
async def test_all_as_text_or_in_base64(data: bytes, field: dict[str, str]) -> None:
    """Text if it is UTF-8; on one line."""
    text = await whole_text("out", data)
    assert len(text.splitlines()) == 1
    assert json.loads(f"{{{text}}}") == field


async def test_much_text() -> None:
    """It is made in pieces, between which others have their turn; a character may lie across two."""
    data = b"x" + "ä".encode() * 200_000
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    try:
        text = await whole_text("out", data)
        binary = await whole_text("out", data + b"\xff")
    finally:
        task.cancel()
    assert json.loads(f"{{{text}}}")["out"].encode() == data
    assert base64.b64decode(json.loads(f"{{{binary}}}")["out_base64"]) == data + b"\xff"
    assert turns >= 4


# -- objects --------------------------------------------------------------------------------------


def test_an_object_is_a_line() -> None:
    """As UTF-8 where that harms nobody; a name that is no UTF-8 survives."""
    assert dumped({"a": "ä\n", "b": None}) == '{"a":"ä\\n","b":null}\n'.encode()
    assert dumped({"a": "ä"}, ascii_only=True) == b'{"a":"\\u00e4"}\n'
    assert dumped({"a": "\u2028"}) == b'{"a":"\\u2028"}\n'
    assert json.loads(dumped({"a": "n\udcff"})) == {"a": "n\udcff"}
