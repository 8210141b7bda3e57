"""Who printed a line."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from asynctask.cli.supervising.labels import Prefixes, label_of, shown_line
from asynctask.manager.template import ProcessTemplate
from tests.cli.supervising.fakes import line

pytestmark = pytest.mark.one_loop("nothing waits")


def template(name: str, **more: object) -> dict[str, ProcessTemplate]:
    """A template by its name."""
    return {name: ProcessTemplate(name, "true", **more)}  # type: ignore[arg-type]


def printed(prefixes: Prefixes, label: str, stream: str = "stdout", moment: float = 0.0) -> bytes:
    """What stands in front of a line of a process; its number is that of its label."""
    name, _, place = label.partition(".")
    index, _, node = place.partition("@")
    text = line(b"", name=name, pid=hash(label), stream=stream, index=int(index) - 1, time=moment)
    return prefixes.output(replace(text, node=node or None))


@pytest.mark.parametrize(
    ("index", "node", "label"),
    [(0, None, "web.1"), (2, "n3", "web.3@n3"), (None, None, "web#17"), (None, "n3", "web#17@n3")],
)
def test_names_of_processes(index: int | None, node: str | None, label: str) -> None:
    """They are counted from 1; one that is run once has the manager's number."""
    assert label_of("web", index, node, 17) == label


def test_a_column_for_all() -> None:
    """It is as wide as the longest name that can come."""
    prefixes = Prefixes()
    templates = {**template("web", numprocesses=10), **template("w", nodes="n[9-11]")}
    prefixes.expect(templates, {"web": [None], "w": ["n9", "n10", "n11"]})
    assert printed(prefixes, "web.1") == b"web.1   | "
    assert printed(prefixes, "web.10", "stderr") == b"web.10  ! "
    assert printed(prefixes, "w.1@n11", "audit") == b"w.1@n11 (audit) "
    assert prefixes.system(0) == b"system  | "


def test_a_longer_name_later() -> None:
    """The column grows, to a bound."""
    prefixes = Prefixes()
    assert printed(prefixes, "web.1") == b"web.1  | "
    assert printed(prefixes, "n" * 50 + ".1") == b"n" * 50 + b".1 | "
    assert printed(prefixes, "web.1") == b"web.1".ljust(40) + b" | "


def test_a_color_for_each_template() -> None:
    """In turn; standard error is red besides."""
    prefixes = Prefixes(colored=True)
    prefixes.expect({**template("a"), **template("b")}, {})
    assert printed(prefixes, "b.1") == b"\x1b[33mb.1   \x1b[0m\x1b[33m |\x1b[0m "
    assert printed(prefixes, "a.1", "stderr") == b"\x1b[36ma.1   \x1b[0m\x1b[31m !\x1b[0m "
    assert prefixes.system(0) == b"\x1b[1msystem |\x1b[0m "


def test_the_time_comes_first() -> None:
    """With milliseconds, as it is here."""
    prefixes = Prefixes(timestamps="%H:%M:%S")
    moment = 1_700_000_000.25
    here = time.strftime("%H:%M:%S", time.localtime(moment)).encode()
    assert printed(prefixes, "web.1", "stdout", moment) == here + b".250 web.1  | "
    assert prefixes.system(moment + 0.5) == here + b".750 system | "


@pytest.mark.parametrize(
    ("text", "may_color", "shown"),
    [
        (b"\x1b[31ma\x1b[2J", False, b"^[[31ma^[[2J"),
        (b"\x1b[1;31ma\x1b[2Jb", True, b"\x1b[1;31ma^[[2Jb\x1b[0m"),
        (b"\x1b[2Ja", True, b"^[[2Ja"),
        (b"a\x1b]0;title\x07\x1b[0m", True, b"a^[]0;title^G\x1b[0m\x1b[0m"),
        (b"plain", True, b"plain"),
    ],
)
def test_what_a_terminal_is_shown(text: bytes, may_color: bool, shown: bytes) -> None:
    """Nothing that drives it, but for colours of what runs here."""
    assert shown_line(text, may_color=may_color) == shown


def test_processes_that_are_gone_are_not_kept() -> None:
    """Nor those that say something when they are gone."""
    prefixes = Prefixes()
    for number in range(10_050):
        prefixes.output(line(b"", pid=number))
    assert len(prefixes._kept) < 10_000
    prefixes.forget(10_049)
    assert 10_049 not in prefixes._kept
