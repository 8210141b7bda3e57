"""The order of words."""

from __future__ import annotations

import click
import pytest

from asynctask.cli.nodesets.words import LeftToRight, Steps, steps_of

pytestmark = pytest.mark.one_loop("no event loop runs here")


def _steps(*words: str) -> Steps:
    command = LeftToRight(
        "nodes",
        params=[
            click.Option(["-f", "--fold"], is_flag=True),
            click.Option(["-l", "--list"], count=True),
            click.Option(["-S", "--separator"]),
            click.Option(["-x", "--exclude"], multiple=True),
            click.Option(["-i", "--intersection"], multiple=True),
            click.Argument(["sets"], nargs=-1),
        ],
    )
    return steps_of(command.make_context("nodes", list(words)))


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], []),
        (["-f"], []),
        (["a", "-x", "b", "c"], [("sets", "a"), ("exclude", "b"), ("sets", "c")]),
        (["--exclude=b", "a"], [("exclude", "b"), ("sets", "a")]),
        (["-fllxb", "-ic", "a"], [("exclude", "b"), ("intersection", "c"), ("sets", "a")]),
        (["-", "-x", "-", "-"], [("sets", "-"), ("exclude", "-"), ("sets", "-")]),
        (["a", "--", "b", "-x", "--"], [("sets", "a"), ("sets", "b"), ("sets", "-x"), ("sets", "--")]),
        (["-S", "--", "a", "-x", "b"], [("sets", "a"), ("exclude", "b")]),
        (["-S", "--", "--", "-x"], [("sets", "-x")]),
        (["-x", "-S", "a"], [("exclude", "-S"), ("sets", "a")]),
    ],
)
def test_sets_and_operations_in_order(words: list[str], steps: Steps) -> None:
    """However they are spelled; behind ``--`` all are sets."""
    assert _steps(*words) == steps


def test_completion_of_half_a_command_line_needs_no_order() -> None:
    """A shell asks for completions in the middle of a word."""
    command = LeftToRight("nodes", params=[click.Option(["-S"]), click.Argument(["sets"], nargs=-1)])

    context = command.make_context("nodes", ["a", "-S"], resilient_parsing=True)

    assert context.resilient_parsing
