"""``asynctask logs``."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from asynctask.manager import Manager
from asynctask.manager.output import OutputStream
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


@pytest.fixture
def printed(supervised: Supervised) -> Supervised:
    """Processes that have printed something."""
    supervised.load("web", numprocesses=2)
    supervised.load("db")
    supervised.prints(0, b"one\n\xff\x1b[31m\n")
    supervised.prints(1, b"two\n", "stderr")
    supervised.prints(2, b"three\n")
    return supervised


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), b"web.1  | one\nweb.1  | \xff\x1b[31m\nweb.2  ! two\ndb.1   | three\n"),
        (("-n", "1"), b"db.1   | three\n"),
        (("-n", "0"), b""),
        (("d*",), b"db.1   | three\n"),
        (("--stream", "stderr"), b"web.2  ! two\n"),
        (("-N",), b"one\n\xff\x1b[31m\ntwo\nthree\n"),
        (("-n", "1", "--color", "always"), b"\x1b[36mdb.1  \x1b[0m\x1b[36m |\x1b[0m three\n"),
    ],
)
def test_what_was_printed(
    words: tuple[str, ...], shown: bytes, asynctask: CommandLine, printed: Supervised
) -> None:
    """The last lines, of all or of some, byte for byte where no terminal is."""
    assert asynctask("logs", *words) == (0, shown, b"")


def test_the_time_of_lines(asynctask: CommandLine, printed: Supervised) -> None:
    """In front of all."""
    done = asynctask("logs", "-T", "-n", "1")
    assert re.fullmatch(rb"\d\d:\d\d:\d\d\.\d{3} db.1   \| three\n", done.stdout)


def test_lines_as_json(asynctask: CommandLine, printed: Supervised) -> None:
    """An object for each."""
    objects = [json.loads(line) for line in asynctask("logs", "--json", "web").stdout.splitlines()]
    assert [(each["index"], each["stream"], each["line"]) for each in objects] == [
        (0, "stdout", "one"),
        (0, "stdout", "\ufffd\x1b[31m"),
        (1, "stderr", "two"),
    ]


def test_what_is_printed_from_now_on(
    asynctask: CommandLine, printed: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until there is nothing more to come: the template is gone."""
    opened: list[str | None] = []
    ending: list[asyncio.Future[None]] = []
    output = Manager.output

    async def go_on(manager: Manager) -> None:
        printed.launcher.processes[2].ears.output("stdout", b"four\n")
        printed.launcher.processes[0].ears.output("stdout", b"another\n")
        await manager.unload("db")

    def noticed(manager: Manager, name: str | None = None, **more: int) -> OutputStream:
        """Go on when both the past and what is to come are being read."""
        opened.append(name)
        if len(opened) == 2:
            ending.append(asyncio.ensure_future(go_on(manager)))
        return output(manager, name, **more)

    monkeypatch.setattr(Manager, "output", noticed)
    done = asynctask("logs", "-f", "-n", "1", "db")
    assert done == (0, b"db.1   | three\ndb.1   | four\n", b"")


def test_a_number_of_lines_that_is_none(asynctask: CommandLine, printed: Supervised) -> None:
    """It is wrong usage."""
    assert asynctask("logs", "-n", "-1").status == 2
