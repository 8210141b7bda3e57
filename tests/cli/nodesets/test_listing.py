"""Lists of groups."""

from __future__ import annotations

import pytest

from asynctask.cli.nodesets.listing import completions, every_source, group_lines, source_lines
from asynctask.errors import GroupError
from asynctask.nodes import parse

pytestmark = [
    pytest.mark.one_loop("no event loop runs here"),
    pytest.mark.usefixtures("site_groups"),
]


@pytest.mark.parametrize(
    ("source", "quiet", "first"),
    [(None, False, "file (default)"), ("shell", False, "shell (default)"), ("mute", True, "mute")],
)
def test_sources(source: str | None, quiet: bool, first: str) -> None:
    """The one in force is marked."""
    lines = source_lines(source, quiet=quiet)

    assert lines[0] == first
    assert {line.removesuffix(" (default)") for line in lines} == {"file", "shell", "mute", "broken"}


@pytest.mark.parametrize(
    ("level", "prefix", "lines"),
    [
        (1, True, ["@shell:cpu", "@shell:gpu"]),
        (1, False, ["@cpu", "@gpu"]),
        (2, False, ["@cpu cpu[1-4]", "@gpu gpu[1-2]"]),
        (3, True, ["@shell:cpu cpu[1-4] 4", "@shell:gpu gpu[1-2] 2"]),
    ],
)
def test_groups(level: int, prefix: bool, lines: list[str]) -> None:
    """More or less of them."""
    assert list(group_lines(level, "shell", prefix=prefix)) == lines


@pytest.mark.parametrize(
    ("level", "lines"),
    [(1, ["@gpu"]), (2, ["@gpu gpu2"]), (3, ["@gpu gpu2 1/2"])],
)
def test_groups_of_nodes(level: int, lines: list[str]) -> None:
    """Those that have any of them."""
    assert list(group_lines(level, "shell", parse("gpu[2-9]"), prefix=False)) == lines


def test_every_source_is_listed_whatever_is_wrong_with_another() -> None:
    """What is wrong is kept."""
    problems: list[GroupError] = []

    lines = list(every_source(1, "shell", None, problems, prefix=True))

    assert lines[:2] == ["@cpu", "@gpu"]
    assert "@file:web" in lines
    assert len(problems) == 2


def test_completions() -> None:
    """Sources, groups, nodes."""
    assert list(completions(None, parse("a[1-2]")))[-1] == "a1 a2"
    assert "@shell:" in list(completions(None, None))
    assert list(completions("shell", None)) == ["@shell:cpu", "@shell:gpu"]


def test_completions_of_a_source_that_cannot_list() -> None:
    """There are none."""
    assert list(completions("mute", None)) == []
