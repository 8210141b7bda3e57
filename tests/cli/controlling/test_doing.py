"""What is done to templates, and which of them are meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asynctask.cli.controlling.doing import EXIT_NOT_RUNNING, processes_named, show, tell
from asynctask.errors import ManagerError
from tests.cli.controlling.fakes import FakeClient, process

pytestmark = pytest.mark.one_loop("pure functions")

PROCESSES = [process("web", 0, "n1"), process("web", 0, "n2"), process("web", 1, "n1"), process("db", 0)]


@pytest.mark.parametrize(
    ("words", "names", "places"),
    [
        (["web.1@n2"], [], [1]),
        (["web.1"], [], [0, 1]),
        (["db.1", "web"], ["web"], [3]),
        (["db.2"], ["db.2"], []),
        (["web.*"], ["web.*"], []),
    ],
)
def test_words_for_processes(words: list[str], names: list[str], places: list[int]) -> None:
    """As they are shown, with or without their node; what is none is left to be a template's."""
    client = FakeClient({"ps": {"templates": [{"name": "web"}], "processes": PROCESSES}}).client
    assert processes_named(client, words) == (names, [PROCESSES[place] for place in places])


def test_words_for_templates() -> None:
    """Nobody is asked."""
    client = FakeClient()
    assert processes_named(client.client, ["web", "d*"]) == (["web", "d*"], [])
    assert client.asked == []


def test_a_place_without_a_process_is_none() -> None:
    """There is nothing to be stopped; nor is there where no place is."""
    answer = {"templates": [{"name": "web"}], "processes": [process("web", 0, pid=None)]}
    client = FakeClient({"ps": answer}).client
    for word in ("web.1", "web.2@n1"):
        with pytest.raises(ManagerError, match=f"^{word}: no such process runs; 'asynctask ps' lists them$"):
            processes_named(client, [word])


@pytest.mark.parametrize(
    ("state", "running", "status"),
    [
        ("running", True, 0),
        ("exited", True, 0),
        ("fatal", True, EXIT_NOT_RUNNING),
        ("backoff", True, EXIT_NOT_RUNNING),
        ("stopped", False, 0),
    ],
)
def test_the_exit_status(state: str, running: bool, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells whether what was to run does; after an exit that was expected nothing has to."""
    template = {"name": "web", "wanted": running}
    client = FakeClient({"ps": {"templates": [template], "processes": [process("web", 0, state=state)]}})
    assert tell(client.client, ["web"], as_json=False, running=running) == status
    assert client.asked == [("ps", {"names": ["web"], "usage": False})]
    assert capsys.readouterr().out.startswith("web  ")


def test_nothing_is_told_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No names do not mean all."""
    client = FakeClient()
    assert tell(client.client, [], as_json=False, running=True) == 0
    assert (client.asked, capsys.readouterr().out) == ([], "")


def test_an_answer_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """In columns, or as it is."""
    answer: dict[str, Any] = {"a": ["ü"]}
    show(answer, [["x", "y"]], as_json=False)
    show(answer, [], as_json=True)
    columns, plain = capsys.readouterr().out.splitlines()
    assert columns == "x  y"
    assert json.loads(plain) == answer
