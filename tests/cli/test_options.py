"""What the options of several sub-commands have in common."""

from __future__ import annotations

import math
from typing import Any

import click
import pytest
from click.testing import CliRunner

from asynctask.cli.options import (
    SECONDS,
    VARIABLE,
    configuration_options,
    control_options,
    copying_options,
    given,
    login_options,
    output_options,
    record_options,
    running_options,
    target_options,
    variable_option,
)

pytestmark = pytest.mark.one_loop("no loop at all")


@click.command()
@target_options
@running_options
@variable_option
@copying_options
@output_options
@control_options
@record_options
@configuration_options
@click.pass_context
def _all(ctx: click.Context, /, **_options: Any) -> None:
    click.echo(repr(given(ctx)))


@click.command()
@login_options
@click.option("-t", type=SECONDS)
@click.option("--env", type=VARIABLE)
@click.pass_context
def _few(ctx: click.Context, /, **_options: Any) -> None:
    click.echo(repr(given(ctx)))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {}),
        (["-w", "a", "-w", "b"], {"nodes": ("a", "b")}),
        (["-f", "64"], {"fanout": 64}),
        (["-q", "--no-history"], {"quiet": True, "history": False}),
        (["-O", "a=b", "--conf", "f"], {"overrides": ("a=b",), "conf": "f"}),
        (["--halt", "now,fail=1", "--batch", "5%"], {"halt": "now,fail=1", "batch": "5%"}),
    ],
)
def test_only_what_was_written_is_given(words: list[str], found: dict[str, Any]) -> None:
    """Also where it is what would hold anyway; what was not written is a matter of the configuration."""
    result = CliRunner().invoke(_all, words)

    assert (result.exit_code, result.output) == (0, f"{found!r}\n")


def test_no_two_options_are_called_the_same() -> None:
    """click would take the last one without a word."""
    spelled = [word for param in _all.params for word in (*param.opts, *param.secondary_opts)]

    assert sorted(set(spelled)) == sorted(spelled)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-t", "0.5"], {"t": 0.5}),
        (["-t", "0"], {"t": math.inf}),
        (["-t", "5m"], {"t": 300.0}),
        (["-t", "250ms"], {"t": 0.25}),
        (["--env", "A=b=c"], {"env": ("A", "b=c")}),
        (["--env", "A="], {"env": ("A", "")}),
        (["-l", "root"], {"user": "root"}),
    ],
)
def test_values(words: list[str], found: dict[str, Any]) -> None:
    """Times, of which 0 is no limit; variables."""
    assert CliRunner().invoke(_few, words).output == f"{found!r}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-t", "nan"], "Invalid value for '-t': 'nan' is no number of seconds."),
        (
            ["-t", "x"],
            'Invalid value for \'-t\': a time is seconds, or text like "500ms", "10s", "5m", "2h", not \'x\'',
        ),
        (["-t", "-1"], "Invalid value for '-t': -1.0 is not in the range x>=0."),
        (["--env", "=x"], "Invalid value for '--env': '=x': NAME=VALUE is expected"),
        (["--env", "A"], "Invalid value for '--env': 'A': NAME=VALUE is expected"),
    ],
)
def test_values_that_make_no_sense(words: list[str], message: str) -> None:
    """One line that names the option and what is expected."""
    result = CliRunner().invoke(_few, words)

    assert (result.exit_code, result.output.splitlines()[-1]) == (2, f"Error: {message}")


@pytest.mark.parametrize("seconds", ["inf", "nan"])
def test_a_delay_has_an_end(seconds: str) -> None:
    """Else no second node would ever start."""
    result = CliRunner().invoke(_all, ["--delay", seconds])

    message = f"Error: Invalid value for '--delay': {seconds!r} is no number of seconds."
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, message)
