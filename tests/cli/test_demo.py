"""The options of ``asynctask demo``."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from asynctask.cli import demonstration
from asynctask.cli.demo import command


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], (8, False)),
        (["-n", "4"], (4, False)),
        (["--nodes=500", "--keep"], (500, True)),
        (["-k"], (8, True)),
    ],
)
def test_options(monkeypatch: pytest.MonkeyPatch, words: list[str], asked: tuple[int, bool]) -> None:
    """How many nodes, and whether they stay; the exit status is the demonstration's."""
    calls = []

    async def demonstrate(nodes: int, keep: bool) -> int:
        calls.append((nodes, keep))
        return 7

    monkeypatch.setattr(demonstration, "demonstrate", demonstrate)
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)

    result = CliRunner().invoke(command, words)

    assert (result.exit_code, result.output, calls) == (7, "", [asked])


@pytest.mark.parametrize("words", [["-n", "3"], ["-n", "501"], ["-n", "x"], ["word"]])
def test_wrong_usage(words: list[str]) -> None:
    """Too few nodes for what it shows, too many, and what it does not know."""
    assert CliRunner().invoke(command, words).exit_code == 2


def test_help_says_what_it_does() -> None:
    """Nothing is contacted, nothing is left."""
    result = CliRunner().invoke(command, ["-h"])

    assert result.exit_code == 0
    assert "Nothing outside this machine is contacted, nothing is left behind." in " ".join(
        result.output.split()
    )
