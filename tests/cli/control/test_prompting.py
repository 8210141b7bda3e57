"""Tests of asynctask.cli.control.prompting."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from asynctask.cli.control import prompting
from asynctask.cli.control.prompting import Prompt
from tests.cli.control.terminals import FakeTerminal


async def asked(terminal: FakeTerminal, question: str, answer: bytes) -> str | None:
    """The answer, typed once the question is shown."""
    prompt = Prompt()
    asking = asyncio.create_task(prompt.ask_aside(question))
    shown = await terminal.shows()
    assert (shown, prompt.asking) == (question.encode(), True)
    terminal.type(answer)
    found = await asking
    assert prompt.asking is False
    return found


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (b"yes\n", "yes"),
        (b"  y \n", "y"),
        (b"\n", ""),
        (b"\xff\n", "\ufffd"),
        (b"\x04", ""),
        (b"ye\x7fs\n", "ys"),
    ],
)
async def test_what_is_typed(terminal: FakeTerminal, typed: bytes, answer: str) -> None:
    """A line, as the terminal has edited it; ^D is an empty one."""
    assert await asked(terminal, "Continue? ", typed) == answer


async def test_what_was_typed_before_is_no_answer(terminal: FakeTerminal) -> None:
    """Nobody meant it as one."""
    terminal.type(b"y\n")
    assert await asked(terminal, "Continue? ", b"n\n") == "n"


async def test_the_question_cannot_drive_the_terminal(terminal: FakeTerminal) -> None:
    """Commands may have anything in them."""
    asking = asyncio.create_task(Prompt().ask_aside("run \x1b[2J? "))
    assert await terminal.shows() == b"run ^[[2J? "
    terminal.type(b"n\n")
    assert await asking == "n"


async def test_cancelling_takes_the_question_back(terminal: FakeTerminal) -> None:
    """What is shown next begins on a line of its own."""
    prompt = Prompt()
    asking = asyncio.create_task(prompt.ask_aside("Continue? "))
    await terminal.shows()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (terminal.shown(), prompt.asking) == (b"\n", False)


async def test_the_terminal_goes_away(terminal: FakeTerminal) -> None:
    """That is no consent."""
    asking = asyncio.create_task(Prompt().ask_aside("Continue? "))
    await terminal.shows()
    os.close(terminal.ours)
    try:
        assert await asking == ""
    finally:
        terminal.ours = os.open(os.devnull, os.O_RDONLY)


async def test_no_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody can be asked."""
    monkeypatch.setattr(prompting, "_TERMINAL", str(tmp_path / "none"))
    assert await Prompt().ask_aside("Continue? ") is None
    assert Prompt().ask("Continue? ") is None


async def test_in_the_background(terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown to who works on something else, and reading would stop us."""
    monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp() + 1)
    prompt = Prompt()
    assert (await prompt.ask_aside("Continue? "), prompt.ask("Continue? ")) == (None, None)
    assert (terminal.shown(), prompt.asking) == (b"", False)


def test_waiting_for_the_answer(terminal: FakeTerminal) -> None:
    """Where no loop runs yet."""

    def answer() -> None:
        while not terminal.shown():
            time.sleep(0.001)
        terminal.type(b"512\n")

    user = threading.Thread(target=answer)
    user.start()
    assert Prompt().ask("How many? ") == "512"
    user.join()
