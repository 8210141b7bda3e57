"""What retry and resume do before the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from asynctask.cli import runner
from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.going import resume, retry
from asynctask.cli.past.reading import open_history, read_run
from asynctask.cli.request import Request
from asynctask.outcome import Outcome
from tests.cli.past.support import end, nodes_of, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Capture = pytest.CaptureFixture[str]
Calls = list[tuple[Request, dict[str, Any]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, history: Path) -> Calls:
    """What would have been run; every run returns 7."""
    made: Calls = []

    def execute(request: Request, **origin: Any) -> int:
        made.append((request, origin))
        return 7

    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asynctask.cli.stdin.piped", lambda: False)
    return made


def failed_run(path: Path, **fields: Any) -> int:
    """A run that went well on web1 alone, and was interrupted."""
    ends = (end(0), end(1, Outcome.FAILED, rc=3), end(2, Outcome.NEVER_STARTED, started=None))
    return recorded(path, *ends, targets=["web1", "web2", "web3", "web4"], **{"starts": [3], **fields})


def again(said: dict[str, Any]) -> int:
    """Resume run 1."""
    return resume("1", said, (), again=False, force=False)


def test_a_retry(history: Path, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a run of its own, where the first one was, which it names."""
    failed_run(history, plain={"fanout": 3})
    monkeypatch.chdir("/")

    assert retry("last", (), {"maxrc": True}, ()) == 7

    targets = ("web2", "web3", "web4")
    request = Request(targets=targets, command="uname -r", fanout=3, maxrc=True)
    assert calls == [(request, {"retry_of": 1})]
    assert Path.cwd() == tmp_path


def test_a_retry_of_those_that_ended_in_some_way(history: Path, calls: Calls, capsys: Capture) -> None:
    """If there are none, nothing is run."""
    failed_run(history)

    assert retry("1", [Outcome.FAILED], {}, ()) == 7
    assert retry("1", [Outcome.TIMED_OUT], {}, ()) == 0

    assert [request.targets for request, _ in calls] == [("web2",)]
    assert capsys.readouterr().err == "asynctask: run 1: no node of it ended so\n"


def test_nothing_to_retry(history: Path, calls: Calls, capsys: Capture) -> None:
    """All went well."""
    recorded(history, end(0), end(1))

    assert retry("last", (), {}, ()) == 0

    assert calls == []
    assert capsys.readouterr().err == "asynctask: run 1: all of its nodes ended well\n"


@pytest.mark.parametrize("go", [lambda said: retry("1", (), said, ()), again])
def test_a_run_that_goes_on_is_left_alone(history: Path, calls: Calls, go: Any) -> None:
    """Its process is named."""
    failed_run(history, status=None, controller=Controller.me())

    with pytest.raises(HistoryError, match=r"^run 1 still goes on: process \d+$"):
        go({})
    assert calls == []


@pytest.mark.parametrize("go", [lambda said: retry("1", (), said, ()), again])
def test_a_directory_that_is_gone(history: Path, calls: Calls, go: Any, tmp_path: Path) -> None:
    """The command is not run elsewhere."""
    failed_run(history, cwd=str(tmp_path / "gone"))

    with pytest.raises(HistoryError, match=r"^run 1 was in .*/gone: No such file or directory$"):
        go({})
    assert calls == []


def test_a_resumed_run(history: Path, calls: Calls, capsys: Capture) -> None:
    """It is the same run; what was started is named, and left out."""
    failed_run(history, status=None)

    assert again({}) == 7

    assert calls == [(Request(targets=("web3",), command="uname -r"), {"resuming": 1})]
    assert capsys.readouterr().err == (
        "asynctask: run 1: left out, for it was started there, and nobody knows whether to its end:"
        " web4; --again runs it, too\n"
        "asynctask: run 1: left to be run: web3\n"
    )
    with open_history(history) as connection:
        assert read_run(connection, 1).controller == Controller.me()


def test_nothing_is_left(history: Path, calls: Calls, capsys: Capture) -> None:
    """Nothing is run, and the run stays as it is."""
    recorded(history, end(0), end(1))

    assert again({}) == 0

    assert calls == []
    assert capsys.readouterr().err == "asynctask: run 1: nothing is left to be run\n"


def test_again(history: Path, calls: Calls) -> None:
    """What was started is run, too, if it is asked for."""
    failed_run(history, status=None)

    assert resume("1", {}, (), again=True, force=False) == 7

    assert calls[0][0].targets == ("web3", "web4")


@pytest.mark.parametrize("go", [lambda said: retry("1", (), said, ()), again])
def test_only_shown(history: Path, calls: Calls, go: Any, capsys: Capture) -> None:
    """A dry run changes nothing."""
    failed_run(history, plain={"worker": "exec"})

    assert go({"dry_run": True}) == 0

    assert capsys.readouterr().out.startswith("nothing is run\n")
    assert calls == []
    assert nodes_of(history, 1)[2].outcome is Outcome.NEVER_STARTED


@pytest.mark.parametrize("go", [lambda said: retry("1", (), said, ()), again])
def test_asked_for_above_a_number_of_nodes(
    history: Path, calls: Calls, go: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option or the configuration; without a terminal it is refused, unless it is confirmed."""
    failed_run(history)
    config = history.parent.parent / "asynctask" / "config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(history.parent.parent))
    config.write_text("confirm = 0\n")

    with pytest.raises(click.UsageError, match="to be confirmed"):
        go({})
    assert nodes_of(history, 1)[2].outcome is Outcome.NEVER_STARTED
    with pytest.raises(click.UsageError, match="to be confirmed"):
        go({"confirm": 0})
    assert calls == []

    assert go({"confirm": 9}) == 7


def test_what_is_not_kept_has_to_be_given_again(history: Path, calls: Calls) -> None:
    """Before anything is changed."""
    failed_run(history, variables=("TOKEN",), input=True)

    with pytest.raises(HistoryError, match="set TOKEN"):
        again({})
    with pytest.raises(HistoryError, match="given something to read"):
        resume("1", {}, ["TOKEN=x"], again=False, force=False)
    assert calls == []

    assert resume("1", {"nostdin": True}, ["TOKEN=x"], again=False, force=False) == 7
    assert calls[0][0].env == (("TOKEN", "x"),)
