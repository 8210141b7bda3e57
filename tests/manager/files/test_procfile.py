"""Tests of asynctask.manager.files.procfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import TemplateError
from asynctask.manager.files.procfile import parse_procfile
from asynctask.manager.template import ProcessTemplate

pytestmark = pytest.mark.one_loop("nothing here waits")

SRV = Path("/srv")


def test_a_procfile() -> None:
    """A shell runs each command, in the directory, with the variables and a port of its own."""
    text = "# comment\n\nweb: gunicorn app:app -b :$PORT\r\n  work_er-1 :sleep 1 && true # x  \n"

    assert parse_procfile(text, directory=SRV, env={"A": "1", "PORT": "3"}, port=6000) == {
        "web": ProcessTemplate(
            "web", "gunicorn app:app -b :$PORT", shell=True, env={"A": "1"}, cwd="/srv", port=6000
        ),
        "work_er-1": ProcessTemplate(
            "work_er-1", "sleep 1 && true # x", shell=True, env={"A": "1"}, cwd="/srv", port=6100
        ),
    }


def test_the_order_of_the_file_is_kept() -> None:
    """It is that of the ports, which begin where foreman's do."""
    templates = parse_procfile("b: x\na: x\nc: x", directory=SRV)

    assert [(name, each.port) for name, each in templates.items()] == [("b", 5000), ("a", 5100), ("c", 5200)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Procfile: there is no process in it: a line is NAME: COMMAND"),
        ("# a: b", "Procfile: there is no process in it: a line is NAME: COMMAND"),
        ("a: x\nweb python app.py", "Procfile:2: a line is NAME: COMMAND"),
        ("a b: x", "Procfile:1: a line is NAME: COMMAND"),
        ("a:", "Procfile:1: a: command: it is empty"),
        ("a: x\n\na: y", "Procfile:3: 'a' is in line 1 already: give it another name"),
        (
            "a.b: x",
            "Procfile:1: a.b: name 'a.b': a name has letters, digits, _ and -, and does not begin with -",
        ),
        ("a: x\0", "Procfile:1: a: command: it cannot hold a NUL character"),
    ],
)
def test_what_makes_no_sense(text: str, message: str) -> None:
    """The line is told, and what is wrong with it."""
    with pytest.raises(TemplateError) as caught:
        parse_procfile(text, directory=SRV)
    assert str(caught.value) == message


def test_no_port_is_left() -> None:
    """The first is too high."""
    with pytest.raises(TemplateError) as caught:
        parse_procfile("a: x\nb: x", directory=SRV, port=65500)
    assert str(caught.value) == "Procfile:2: b: port 65600: 65535 or less is needed"
