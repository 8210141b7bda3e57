"""Parameters of operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from asynctask.errors import TemplateNotFoundError, UsageError
from asynctask.manager.control.given import Given, matching
from tests.support import refused

pytestmark = pytest.mark.one_loop("pure functions")


def given(**params: Any) -> Given:
    """Parameters of an operation."""
    return Given("op", params)


@pytest.mark.parametrize(
    ("take", "taken"),
    [
        (lambda: given(name="web").text("name"), "web"),
        (lambda: given().text("name", "x"), "x"),
        (lambda: given(name=None).text("name", "x"), "x"),
        (lambda: given().optional_text("name"), None),
        (lambda: given(name="web").optional_text("name"), "web"),
        (lambda: given(names=["a", "b"]).names(), ["a", "b"]),
        (lambda: given(names="a").names(), ["a"]),
        (lambda: given(name="a").names(), ["a"]),
        (lambda: given(names=[]).names(), None),
        (lambda: given().names(), None),
        (lambda: given(wait=False).truth("wait", True), False),
        (lambda: given().truth("wait", True), True),
        (lambda: given(x=1).number("x", None, 0), 1),
        (lambda: given().number("x", 2.5, 0), 2.5),
        (lambda: given(x=7).whole("x"), 7),
        (lambda: given().whole("x", 3), 3),
        (lambda: given(x="+1").whole_or_text("x"), "+1"),
        (lambda: given(x=0).whole_or_text("x"), 0),
        (lambda: given(env={"A": "1"}).environment(), {"A": "1"}),
        (lambda: given().environment(), None),
        (lambda: given(data="ä\n").data(), "ä\n".encode()),
        (lambda: given(data="\ud800").data(), b"?"),
        (lambda: given(data_base64="AP8=").data(), b"\x00\xff"),
        (lambda: given().data(), b""),
    ],
)
def test_what_can_be_taken(take: Callable[[], object], taken: object) -> None:
    """Each kind, given and left out; null is left out."""
    assert take() == taken


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda: given().text("name"), "op: name is missing"),
        (lambda: given(name=3).text("name"), "op: name: 3 is not a string"),
        (lambda: given(name="").text("name"), "op: name: '' is not a string"),
        (lambda: given(names=[1]).names(), "op: names: [1] is not a list of names"),
        (lambda: given(names={"a": 1}).names(), "op: names: {'a': 1} is not a list of names"),
        (lambda: given(names=["a"], name="b").names(), "op: name and names exclude each other"),
        (lambda: given(wait=1).truth("wait", True), "op: wait: 1 is not true or false"),
        (lambda: given(x="1").number("x", None, 0), "op: x: '1' is not a number"),
        (lambda: given(x=True).number("x", None, 0), "op: x: True is not a number"),
        (lambda: given(x=math.nan).number("x", None, 0), "op: x: nan is not a number, 0 or more"),
        (lambda: given(x=-1).number("x", None, 0), "op: x: -1 is not a number, 0 or more"),
        (lambda: given(x=1.5).whole("x"), "op: x: 1.5 is not a whole number from 0 to 2147483647"),
        (lambda: given(x=True).whole("x"), "op: x: True is not a whole number from 0 to 2147483647"),
        (lambda: given(x=6).whole("x", most=5), "op: x: 6 is not a whole number from 0 to 5"),
        (lambda: given().whole("x"), "op: x is missing"),
        (lambda: given(x="").whole_or_text("x"), "op: x: '' is not a whole number or a string"),
        (lambda: given(x=False).whole_or_text("x"), "op: x: False is not a whole number or a string"),
        (lambda: given(x=[]).mapping("x"), "op: x: an object is needed"),
        (lambda: given(env="A=secret").environment(), "op: env: an object is needed"),
        (lambda: given(env={"A": 1}).environment(), "op: env: A: text is needed, not int"),
        (
            lambda: given(env={"A": "x\0"}).environment(),
            "op: env: A: it cannot hold a NUL character",
        ),
        (
            lambda: given(env={"A=": "1"}).environment(),
            "op: env: 'A=' is no name; it has ASCII letters, digits and _, and no digit first",
        ),
        (lambda: given(data=3).data(), "op: data: 3 is not a string"),
        (lambda: given(data_base64=3).data(), "op: data: 3 is not a string"),
        (lambda: given(data_base64="?").data(), "op: data_base64 is no base64"),
        (lambda: given(data="a", data_base64="YQ==").data(), "op: data and data_base64 exclude each other"),
        (lambda: given(nmae="web").done(), "op: no such parameter: 'nmae'"),
        (
            lambda: given(name=["x" * 100]).text("name"),
            f"op: name: ['{'x' * 55}... is not a string",
        ),
    ],
)
def test_what_is_wrong(take: Callable[[], object], message: str) -> None:
    """The message names the operation, the parameter and the value, cut short."""
    refused(UsageError, message, take)


def test_nothing_is_left_over() -> None:
    """When all was taken."""
    parameters = given(name="web")
    assert "name" in parameters
    parameters.text("name")
    parameters.done()


NAMES = ["web", "web-2", "db", "worker[1]"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["db"], ["db"]),
        (["db", "web*"], ["web", "web-2", "db"]),
        (["*"], NAMES),
        (["web", "web"], ["web"]),
        (["worker[1]"], ["worker[1]"]),
        (["[dw]b"], ["db"]),
    ],
)
def test_patterns(patterns: list[str], found: list[str]) -> None:
    """Each name once, in the order of the names; a name is itself before it is a pattern."""
    assert matching(patterns, NAMES) == found


def test_a_process_is_no_template() -> None:
    """Who comes from "asynctask stop web.2" is told what to say here."""
    message = "'web.12@n3' is one process, and this goes for all of a template: name 'web'"
    refused(TemplateNotFoundError, message, lambda: matching(["web.12@n3"], NAMES))
    assert matching(["web.2"], ["web", "web.2"]) == ["web.2"]
    refused(
        TemplateNotFoundError, "no template 'web.x'; there are: web", lambda: matching(["web.x"], ["web"])
    )


def test_a_pattern_that_means_nothing() -> None:
    """It is an error, also beside one that does; capitals count."""
    there = "there are: web, web-2, db, worker[1]"
    refused(TemplateNotFoundError, f"no template 'Web'; {there}", lambda: matching(["web", "Web"], NAMES))
    refused(TemplateNotFoundError, "no template 'x*'; none is loaded", lambda: matching(["x*"], []))
