"""Where on a command line the user is."""

from __future__ import annotations

import click
import pytest

from asynctask.cli.completing.place import Place, find_place

pytestmark = pytest.mark.one_loop("no loop is used")


@click.group()
def program() -> None:
    """A program."""


@program.command(context_settings={"allow_interspersed_args": False})
@click.option("-w", "--nodes", multiple=True)
@click.option("-b", "gather", is_flag=True)
@click.option("-v", count=True)
@click.option("--color")
@click.option("--history/--no-history", default=None)
@click.option("--copy", is_flag=True)
@click.argument("words", nargs=-1)
def run(**_: object) -> None:
    """Options end at the first word."""


@program.command()
@click.option("-q", is_flag=True)
@click.argument("first")
@click.argument("second", nargs=2)
def compare(**_: object) -> None:
    """Options may be anywhere."""


@program.group()
def inner() -> None:
    """A group in a group."""


@inner.command()
@click.option("--deep")
def leaf(**_: object) -> None:
    """A command in it."""


def _place(line: str) -> Place:
    assert isinstance(program, click.Group)
    *words, text = line.split(" ")
    found = find_place(program, words, text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "command", "text"),
    [
        ("", "program", ""),
        ("ru", "program", "ru"),
        ("--vers", "program", "--vers"),
        ("--whatever r", "program", "r"),
        ("run -", "run", "-"),
        ("run --col", "run", "--col"),
        ("run -b", "run", "-b"),
        ("run -bv", "run", "-bv"),
        ("run -w", "run", "-w"),
        ("run --history --n", "run", "--n"),
        ("inner le", "inner", "le"),
        ("inner leaf --d", "leaf", "--d"),
        ("compare a -", "compare", "-"),
    ],
)
def test_names_and_options(line: str, command: str, text: str) -> None:
    """Of sub-commands, also in groups of groups; options where options may be."""
    place = _place(line)

    assert (place.ctx.command.name, place.param, place.text) == (command, None, text)


@pytest.mark.parametrize(
    ("line", "param", "prefix", "text"),
    [
        ("run -w ", "nodes", "", ""),
        ("run -w we", "nodes", "", "we"),
        ("run -w --", "nodes", "", "--"),
        ("run -bw we", "nodes", "", "we"),
        ("run -wwe", "nodes", "-w", "we"),
        ("run -bwwe", "nodes", "-bw", "we"),
        ("run --nodes=we", "nodes", "--nodes=", "we"),
        ("run --color=", "color", "--color=", ""),
        ("run --color au", "color", "", "au"),
        ("run -w a --nodes b", "nodes", "", "b"),
        ("inner leaf --deep x", "deep", "", "x"),
    ],
)
def test_values_of_options(line: str, param: str, prefix: str, text: str) -> None:
    """In the next word or in the same."""
    place = _place(line)

    assert place.param is not None
    assert (place.param.name, place.prefix, place.text) == (param, prefix, text)


@pytest.mark.parametrize(
    ("line", "param", "index"),
    [
        ("run ", "words", 0),
        ("run -b -w a l", "words", 0),
        ("run -b ls -l", "words", 1),  # it is an option of the command that is run
        ("run ls -w a -", "words", 3),
        ("run -- -x", "words", 0),
        ("run - x", "words", 1),
        ("run --copy a b", "words", 1),
        ("run --copy a -w n1 b", "words", 1),
        ("compare ", "first", 0),
        ("compare a b", "second", 1),
        ("compare a -q b c", "second", 2),
    ],
)
def test_arguments(line: str, param: str, index: int) -> None:
    """Which, and how many come before."""
    place = _place(line)

    assert place.param is not None
    assert (place.param.name, place.index) == (param, index)


def test_too_many_arguments() -> None:
    """There is nothing to complete there."""
    place = _place("compare a b c d")

    assert place.param is None


@pytest.mark.parametrize(("line", "dashed"), [("run -- ", True), ("run x -- ", False), ("run ", False)])
def test_the_two_dashes(line: str, dashed: bool) -> None:
    """Those of the command that is run are not ours."""
    assert _place(line).dashed is dashed


def test_what_is_given() -> None:
    """Options before it, with their values."""
    place = _place("run -bvv -w a --nodes=b --unknown --color ")

    assert place.given == {"gather": [], "v": [], "nodes": ["a", "b"], "color": []}
    assert not place.copying


@pytest.mark.parametrize(
    ("line", "copying"), [("run --copy ", True), ("run --copy a -", True), ("run -b ", False)]
)
def test_copying(line: str, copying: bool) -> None:
    """Its arguments are files, and options may follow them."""
    assert _place(line).copying is copying


def test_an_unknown_command() -> None:
    """Nobody knows what it takes."""
    assert isinstance(program, click.Group)
    assert find_place(program, ["reboot"], "") is None
