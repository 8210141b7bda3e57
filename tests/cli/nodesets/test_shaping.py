"""What becomes of a set."""

from __future__ import annotations

import pytest

from asynctask.cli.nodesets.shaping import (
    Autostep,
    along_axes,
    formatted,
    least_for_step,
    parts,
    picked,
    sliced,
    step,
    unescaped,
)
from asynctask.errors import NodeSetError
from asynctask.nodes import parse

pytestmark = pytest.mark.one_loop("no event loop runs here")


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("4", 4), ("50%", 0.5), ("12.5%", 0.125)])
def test_step(text: str, value: Autostep) -> None:
    """A number, a share, or all."""
    assert step(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "%", "nan%", "1.5"])
def test_no_step(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        step(text)


@pytest.mark.parametrize(
    ("value", "size", "least"), [(4, 100, 4), (0.5, 5, 3), (1.0, 7, 7), ("auto", 9, 9), ("auto", 2, 3)]
)
def test_least_for_step(value: Autostep, size: int, least: int) -> None:
    """A share is rounded up; auto wants all, and at least three."""
    assert least_for_step(value, size) == least


@pytest.mark.parametrize(
    ("indexes", "nodes"), [("0", "a1"), ("0-1,8", "a[1-2,9]"), ("0-8/2", "a[1,3,5,7,9]"), ("20", "")]
)
def test_sliced(indexes: str, nodes: str) -> None:
    """Places that are not there are nobody's."""
    assert str(sliced(parse("a[1-9]"), indexes)) == nodes


def test_picked() -> None:
    """So many of them, or all."""
    nodes = parse("a[1-9]")

    some = picked(nodes, 4)

    assert len(some) == 4
    assert some.issubset(nodes)
    assert picked(nodes, 9) == nodes


@pytest.mark.parametrize(("text", "axes"), [("1", (0,)), ("1-2,4", (0, 1, 3)), ("0,2", (1,)), ("-1", [-1])])
def test_axes(text: str, axes: object) -> None:
    """Counted from 1; from the end with a minus."""
    assert along_axes(text) == axes


@pytest.mark.parametrize("text", ["-x", "x", "1,,2"])
def test_no_axes(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(NodeSetError, match=r"^--axis"):
        along_axes(text)


@pytest.mark.parametrize(
    ("split", "contiguous", "folded"),
    [
        (None, False, ["a[1-3,7]"]),
        (2, False, ["a[1-2]", "a[3,7]"]),
        (9, False, ["a1", "a2", "a3", "a7"]),
        (None, True, ["a[1-3]", "a7"]),
    ],
)
def test_parts(split: int | None, contiguous: bool, folded: list[str]) -> None:
    """In order."""
    assert [str(part) for part in parts(parse("a[1-3,7]"), split, contiguous)] == folded


def test_nothing_is_one_part() -> None:
    """So that something is written for it."""
    assert len(list(parts(parse(""), 3, False))) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\n\t\r\0", "\n\t\r\0"),
        (r"\\n", r"\n"),
        (r"\x2c\x7e", ",~"),
        (r"\q\x2", r"\q\x2"),
        ("'''+exit()", "'''+exit()"),
    ],
)
def test_unescaped(text: str, value: str) -> None:
    """What stands for a character, and nothing else."""
    assert unescaped(text) == value


def test_formatted() -> None:
    """As Python's ``%`` has it."""
    assert (formatted("%s-ib", "a1"), formatted("%-4s|", "a1"), formatted("%03d%%", 7)) == (
        "a1-ib",
        "a1  |",
        "007%",
    )


@pytest.mark.parametrize("template", ["%d", "%s%s", "", "%", "%(x)s"])
def test_formats_that_do_not_fit(template: str) -> None:
    """They are refused."""
    with pytest.raises(NodeSetError, match=r"^-O "):
        formatted(template, "a1")
