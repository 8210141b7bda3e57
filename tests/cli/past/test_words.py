"""Words of the command line that mean runs and ages."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from asynctask.cli.past.words import RunCommand, age
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["12"], "12 1"),
        (["-2"], "last-2 1"),
        (["-n", "3", "-12"], "last-12 3"),
        (["--", "-1"], "last-1 1"),
    ],
)
def test_a_run_counted_from_the_end_is_no_option(words: list[str], seen: str) -> None:
    """-2 is the last but one."""

    @click.command(cls=RunCommand)
    @click.option("-n", default=1)
    @click.argument("run")
    def command(run: str, n: int) -> None:
        click.echo(f"{run} {n}")

    assert CliRunner().invoke(command, words).output == f"{seen}\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5m", 90), ("2h", 7200), ("30d", 30 * 86400), ("1w", 7 * 86400)]
)
def test_ages(text: str, seconds: float) -> None:
    """Seconds, or with a letter."""
    assert age(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "3x", "-1d", "1e9", "9" * 400])
def test_no_ages(text: str) -> None:
    """Say how to write one."""
    with pytest.raises(UsageError, match="is no age; write 30d"):
        age(text)
