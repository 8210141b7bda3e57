"""The group of sub-commands."""

from __future__ import annotations

import click
from click.testing import CliRunner, Result

from asynctask import __version__
from asynctask.cli.group import group

SUMMARIES = {"run": "Run a command on many nodes.", "nodes": "Work on node sets."}


def _invoke(*words: str) -> Result:
    return CliRunner().invoke(group(SUMMARIES), words, prog_name="asynctask")


def test_help_lists_the_commands() -> None:
    """With their summaries, which need no import, in the order in which they are given."""
    result = _invoke("--help")

    assert result.exit_code == 0
    assert result.stdout.endswith(
        "Commands:\n  run    Run a command on many nodes.\n  nodes  Work on node sets.\n"
    )
    assert _invoke("-h").stdout == result.stdout


def test_version() -> None:
    """Also beside other words."""
    result = _invoke("--version", "run")

    assert (result.exit_code, result.stdout) == (0, f"asynctask {__version__}\n")


def test_an_unknown_command() -> None:
    """Is wrong usage."""
    result = _invoke("rnu")

    assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Error: No such command 'rnu'.")


def test_a_command_is_loaded_by_its_name() -> None:
    """One that has no summary is none, though there is a module of this name."""
    commands = group(SUMMARIES)
    context = click.Context(commands)

    run = commands.get_command(context, "run")

    assert isinstance(run, click.Command)
    assert run.name == "run"
    assert commands.get_command(context, "demo") is None
    assert commands.list_commands(context) == ["run", "nodes"]
