"""``asynctask replay``: its words and options; what it does is tested in test_replaying."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asynctask import cli
from asynctask.cli import replaying
from asynctask.cli.replaying import Replay
from asynctask.cli.request import Request
from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli._COMMANDS, "replay", "Show a recorded run again.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument 'FILE'"),
        (["a", "b"], "unexpected extra argument (b)"),
        (["--json", "--events", "a"], "--json and --events exclude each other"),
        (["--real-time", "--speed", "2", "a"], "--real-time is --speed 1: give one of them"),
        (["--speed", "0", "a"], "Invalid value for '--speed'"),
        (["--outliers", "middle", "a"], "Invalid value for '--outliers'"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, words: list[str], message: str) -> None:
    """It is told, and the exit status is 2."""
    status, stdout, stderr = asynctask("replay", *words)
    assert (status, stdout) == (2, b"")
    assert message in stderr.decode()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["/no/such"], "/no/such: No such file or directory"),
        (["/"], "/: Is a directory"),
        (["/dev/null"], "/dev/null: no record of a run: it is empty"),
        (["-"], "standard input: no record of a run: it is empty"),
        (
            [__file__],
            f"{__file__}: line 1 is no record of a run: write one with asynctask run --events, or --json",
        ),
    ],
)
def test_what_can_never_work(asynctask: CommandLine, words: list[str], reason: str) -> None:
    """One clear line, and the exit status is 1."""
    status, stdout, stderr = asynctask("replay", *words)
    assert (status, stdout, stderr.decode()) == (1, b"", f"asynctask: {reason}\n")


@pytest.mark.parametrize(
    ("words", "request_", "speed"),
    [
        ([], {}, None),
        (
            ["-b", "-r", "-G", "-s", "local"],
            {"gather": True, "regroup": True, "groupbase": True, "groupsource": "local"},
            None,
        ),
        (["-BLN"], {"gather_both": True, "by_node": True, "no_label": True}, None),
        (
            ["--diff", "--similar", "--outliers", "last"],
            {"diff": True, "similar": True, "outliers": "last"},
            None,
        ),
        (
            ["--outdir", "x", "--errdir", "y", "--color", "never"],
            {"outdir": "x", "errdir": "y", "color": "never"},
            None,
        ),
        (["--json", "-S", "-q"], {"json": True, "maxrc": True, "verbosity": 0}, None),
        (["--events", "-v"], {"events": True, "verbosity": 2}, None),
        (["--real-time", "-d"], {"verbosity": 3}, 1.0),
        (["--speed", "2.5"], {}, 2.5),
    ],
)
def test_options(
    asynctask: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    request_: dict[str, Any],
    speed: float | None,
) -> None:
    """Those of ``asynctask run`` that say how output is shown, before and behind the file."""
    wanted: list[Replay] = []

    def note(replay: Replay) -> int:
        wanted.append(replay)
        return 7

    monkeypatch.setattr(replaying, "replay", note)
    for line in ([*words, "file"], ["file", *words]):
        assert asynctask("replay", *line).status == 7
    assert wanted == [Replay(path="file", request=Request(targets=(), **request_), speed=speed)] * 2


def test_a_record_from_standard_input(asynctask: CommandLine, tmp_path: Path) -> None:
    """By the name that means it."""
    path = tmp_path / "record"
    path.write_text(
        '{"type":"output","time":"2026-03-01T12:00:00Z","node":"a","stream":"stdout","text":"hi"}\n'
    )
    status, stdout, stderr = asynctask("replay", "-", stdin=path)
    assert (status, stdout) == (1, b"a: hi\n")
    assert b"asynctask: standard input: the record has no beginning: what is there is shown\n" in stderr
