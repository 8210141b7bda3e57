"""What becomes of a command line once its options are understood."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from asynctask.cli import launching, runner
from asynctask.cli.interactive import session, shell
from asynctask.cli.launching import Launch, changed, consent, launch
from asynctask.cli.request import Copying, Request
from asynctask.errors import AsyncTaskError
from tests.cli.conftest import standard_input

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

REQUEST = Request(targets=("n1", "n2"), command="reboot", worker="exec")


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would have been run; it ends with exit status 7."""
    found: list[Request] = []

    def execute(request: Request) -> int:
        found.append(request)
        return 7

    monkeypatch.setattr(runner, "execute", execute)
    return found


def _read(**given: Any) -> Launch:
    return Launch.read({"nodes": ("n",), "words": ("true",), **given})


def test_a_request_is_executed(executed: list[Request]) -> None:
    """And its exit status is that of the program."""
    assert launch(Launch(request=REQUEST)) == 7
    assert executed == [REQUEST]


def test_a_dry_run(executed: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown and not run."""
    assert launch(_read(worker="exec", dry_run=True, fanout=3)) == 0

    assert executed == []
    assert capsys.readouterr().out.splitlines() == [
        "nothing is run",
        "nodes:            n",
        "command:          true",
        "worker:           exec",
        "fanout:           3 at once",
        "command timeout:  none (default)",
    ]


def test_nodes_on_standard_input(tmp_path: Path) -> None:
    """There is nothing in it for commands."""
    listed = tmp_path / "listed"
    listed.write_text("a1 a2")

    with standard_input(listed):
        assert _read(nodes=("-",)).request.targets == ("a1", "a2")
    with standard_input(listed):
        assert _read(nodes=(), hostfile=("-",)).request.nostdin

    assert not _read().request.nostdin


def test_a_dry_run_over_ssh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it would go; nothing is connected to."""
    config = tmp_path / "config"
    config.write_text("Host n\n  HostName 192.0.2.1\n  Port 2222\n")

    assert launch(_read(dry_run=True, ssh_config=str(config), user="root")) == 0

    assert "login:            as root, to 192.0.2.1, port 2222" in capsys.readouterr().out.splitlines()


def test_a_dry_run_in_a_pipe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The command is shown byte for byte."""
    assert launch(_read(worker="exec", dry_run=True, words=("printf '\x1b[1m\udcff'",))) == 0

    assert capfdbinary.readouterr().out.splitlines()[2] == b"command:          printf '\x1b[1m\xff'"


@pytest.mark.parametrize(
    ("given", "confirm"),
    [({}, None), ({"confirm": 5}, 5), ({"confirm": 0}, 0), ({"confirm": 5, "yes": True}, None)],
)
def test_from_how_many_nodes_on_it_is_asked(given: dict[str, Any], confirm: int | None) -> None:
    """``--yes`` is the answer beforehand."""
    assert _read(**given).confirm == confirm


def test_a_consent(monkeypatch: pytest.MonkeyPatch, executed: list[Request]) -> None:
    """It is the number of nodes; anything else is none."""
    asked: list[str] = []
    answers = iter(["2", "y"])

    def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(launching, "_ask", ask)

    assert launch(Launch(request=REQUEST, confirm=1)) == 7
    with pytest.raises(AsyncTaskError, match=r"^not confirmed: nothing was run$"):
        launch(Launch(request=REQUEST, confirm=1))
    launch(Launch(request=REQUEST, confirm=2))
    assert len(executed) == 2
    assert asked == ["Run 'reboot' on 2 nodes n[1-2]? Type the number of nodes to go on: "] * 2


def test_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are described; the message says how to go on without a terminal."""
    monkeypatch.setattr(launching, "_ask", lambda question: None)
    request = Request(targets=("n",), copying=Copying(sources=("a", "b")))

    with pytest.raises(click.UsageError, match="--yes confirms"):
        consent(request, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"words": ()}, "no command to run: write it after the options")],
)
def test_without_a_command_and_a_terminal(given: dict[str, Any], words: str) -> None:
    """There is nobody to ask for one."""
    with pytest.raises(click.UsageError, match=words):
        launch(_read(**given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"outliers": "first", "by_node": True}, "--outliers and -L exclude each other: choose one"),
        ({"outliers": "first", "diff": True}, "--outliers and --diff exclude each other: choose one"),
        ({"outliers": "last", "json": True}, "--outliers and --json exclude each other: choose one"),
        ({"check": "true"}, "--check runs after each batch but the last: give --batch or --canary, too"),
    ],
)
def test_options_that_would_change_nothing(given: dict[str, Any], words: str) -> None:
    """They are refused, also where a run of the history is changed."""
    with pytest.raises(click.UsageError, match=words):
        _read(**given)
    with pytest.raises(click.UsageError, match=words):
        changed(REQUEST, given)


def test_a_check_between_batches() -> None:
    """Where the batches come from is all the same."""
    assert _read(check="true", canary=1).request.check == "true"
    assert changed(replace(REQUEST, batch="2"), {"check": "true"}).check == "true"


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What commands that a user types are run with, of one on a node and one here; a terminal is there."""
    found: list[dict[str, Any]] = []

    class Execution:
        def __init__(self, request: Request, **more: Any) -> None:
            found.append({"targets": request.targets, "most": more["most"]})

        async def run(self) -> int:
            return 0

    async def interact(request: Request, run: Any, *, history_size: int) -> int:
        await run(request, pool=None)
        return await run(replace(request, targets=(shell.LOCAL,)), pool=None)  # type: ignore[no-any-return]

    monkeypatch.setattr(launching, "is_terminal", lambda fd: True)
    monkeypatch.setattr(runner, "Execution", Execution)
    monkeypatch.setattr(session, "interact", interact)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    return found


def test_typed_commands_are_asked_about_as_others_are(typing: list[dict[str, Any]]) -> None:
    """But for those that run here."""
    assert launch(_read(words=(), confirm=0)) == 0

    assert typing == [{"targets": ("n",), "most": 0}, {"targets": ("LOCAL",), "most": None}]


def test_a_dry_run_of_nothing(typing: list[dict[str, Any]]) -> None:
    """What is typed would be run."""
    with pytest.raises(
        click.UsageError, match=r"^--dry-run: no command to show: write it after the options$"
    ):
        launch(_read(words=(), dry_run=True))
    assert typing == []


def test_values_of_the_configuration(tmp_path: Path) -> None:
    """What is not written comes from there, and it is known from where."""
    config = tmp_path / "config.toml"
    config.write_text("fanout = 5\nretries = 2\n")

    found = _read(conf=str(config), retries=1)

    assert (found.request.fanout, found.request.retries) == (5, 1)
    assert found.origins["fanout"] == str(config)
    assert "retries" not in found.origins
