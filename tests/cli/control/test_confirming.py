"""Tests of asynctask.cli.control.confirming."""

from __future__ import annotations

import click
import pytest

from asynctask.cli.control.confirming import confirm, is_asked, question
from asynctask.errors import AsyncTaskError
from tests.stage import numbered
from tests.support import refused

pytestmark = pytest.mark.one_loop("no loop takes part")


@pytest.mark.parametrize(
    ("count", "most", "yes", "asked"),
    [
        (5000, None, False, False),
        (10, 10, False, False),
        (11, 10, False, True),
        (11, 10, True, False),
        (1, 0, False, True),
    ],
)
def test_who_is_asked(count: int, most: int | None, yes: bool, asked: bool) -> None:
    """Who runs something on more nodes than that, and has not said so before."""
    assert is_asked(count, most, yes=yes) is asked


def test_what_is_asked() -> None:
    """The command, on one line, how many nodes, and which."""
    assert question("reboot", numbered(512, "web")) == (
        "Run 'reboot' on 512 nodes web[0-511]? Type the number of nodes to go on: "
    )
    assert question("a\nb", ["web1"]) == "Run 'a\\nb' on 1 node web1? Type the number of nodes to go on: "


def test_long_ones_are_cut() -> None:
    """The question has to fit on a screen."""
    asked = question("x" * 10_000, [f"{chr(97 + number % 26)}{number}z" for number in range(5000)])
    assert len(asked) < 700
    assert asked.count("...") == 2


@pytest.mark.parametrize("answer", ["3", " 3 "])
def test_the_number_is_a_consent(answer: str) -> None:
    """Nothing else is."""
    confirm("reboot", numbered(3), lambda question: answer)


@pytest.mark.parametrize("answer", ["", "y", "yes", "4", "03", "3x"])
def test_anything_else_is_none(answer: str) -> None:
    """Nobody types the number by habit."""
    refused(
        AsyncTaskError,
        "not confirmed: nothing was run",
        lambda: confirm("reboot", numbered(3), lambda question: answer),
    )


def test_nobody_can_be_asked() -> None:
    """In a script; the message names the way out."""
    refused(
        click.UsageError,
        "3 nodes have to be confirmed, and there is no terminal to ask on: --yes confirms them",
        lambda: confirm("reboot", numbered(3), lambda question: None),
    )
