"""Tests of asynctask.rules.quoting: event data never becomes shell text."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from asynctask.errors import PlaceholderError
from asynctask.nodes import Template
from asynctask.rules.quoting import check_places
from tests.rules.support import HOSTILE

pytestmark = pytest.mark.one_loop("nothing here waits")

NAMES = ("path",)
#: What fuzzed commands are made of.
PIECES = (
    *("'", '"', "`", "\\", "#", " ", "\n", "$(", ")", "${x:-", "}", "${x}", "x", "<<E\n", "E\n"),
    *("%%", "$'", "((", "))", "echo ", ";", "["),
    *["%{path}"] * 4,
)
WORST = "a'\n`touch F`\"$(touch F)\ntouch F\n#'\ntouch F\nE\ntouch F\n"


@pytest.mark.parametrize(
    "command",
    [
        "cat %{path}",
        "cat x%{path}y >out",
        "cat 'a b' \"c d\" %{path}",
        "cat \\' %{path} \\\\",
        "x=$(cat %{path}); echo $x",
        "cat ${HOME}/%{path} $#",
        "echo a#b %{path} # a comment",
        "# a comment with ' in it\ncat %{path}",
        "cat '%%' %{path}",
    ],
)
def test_a_word_of_the_command(command: str) -> None:
    """There data may stand."""
    assert check_places(command, NAMES) == {"path"}


@pytest.mark.parametrize(
    ("command", "inside"),
    [
        ("cat '%{path}'", "single quotes"),
        ('cat "%{path}"', "double quotes"),
        ('cat "\\"%{path}"', "double quotes"),
        ('echo "$(cat %{path})"', "double quotes"),
        ("echo `cat %{path}`", "backquotes"),
        ("cat \\%{path}", "a backslash's reach"),
        ("cat # %{path}", "a comment"),
        ("cat <<E\n%{path}\nE\n", "a here-document"),
        ("echo $((1 + %{path}))", "arithmetic"),
        ("echo ${x:-%{path}}", "${"),
        ("echo $'%{path}'", "$' quotes"),
    ],
)
def test_where_its_quotes_would_not_protect(command: str, inside: str) -> None:
    """The command is refused, and what else can be done is told."""
    with pytest.raises(PlaceholderError) as caught:
        check_places(command, NAMES)
    assert str(caught.value) == (
        f"%{{path}} stands inside {inside}, where its own quotes would not protect: leave the quotes out,"
        ' %{path} is one word whatever is in it; or use "$ASYNCTASK_PATH"'
    )


def test_what_needs_no_quotes_may_stand_anywhere() -> None:
    """A number, the name of a rule."""
    assert check_places('echo "%{count} files"', NAMES, ("count",)) == {"count"}


def test_commands_without_data_are_not_looked_into() -> None:
    """They may have what they like."""
    assert check_places("cat <<E\n`x`\nE\n", NAMES) == frozenset()


@pytest.mark.parametrize("command", ["echo %{pth}", "date +%F", "echo %hosts"])
def test_unknown_placeholders(command: str) -> None:
    """A mistake is told before anything has happened."""
    with pytest.raises(PlaceholderError):
        check_places(command, NAMES)


def test_hostile_values_are_one_word_each() -> None:
    """For a real shell, whatever is in them."""
    template = Template('printf "%%s\\\\0" ' + "%{path} " * 2, NAMES)
    for value in HOSTILE:
        command = template.render("n", values={"path": value}).encode(errors="surrogateescape")
        printed = subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout
        assert printed == (value.encode(errors="surrogateescape") + b"\0") * 2


def test_no_command_that_is_taken_runs_what_is_in_the_data(tmp_path: Path) -> None:
    """Made at random out of all that has to do with quotes, and run."""
    chance = random.Random(5)  # the same each time
    ran = 0
    while ran < 60:
        command = "".join(chance.choice(PIECES) for _ in range(chance.randint(2, 10)))
        try:
            if not check_places(command, NAMES):
                continue
        except PlaceholderError:
            continue
        text = Template(command, NAMES).render("n", values={"path": WORST})
        subprocess.run(
            ["sh", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, check=False
        )
        assert not (tmp_path / "F").exists(), command
        ran += 1
