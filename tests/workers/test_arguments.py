"""Tests of asynctask.workers.arguments."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from asynctask.errors import NodeError, PlaceholderError, UsageError
from asynctask.workers.arguments import Args, Arguments, NodeArgs, check_env
from tests.support import refused

NODES = ("a", "b")


def _arguments(args: Args, command: str = "run", *, placeholders: bool = False) -> Arguments:
    return Arguments(args, command, NODES, placeholders=placeholders)


def _commands(args: Args, command: str, *, placeholders: bool = False) -> list[str]:
    arguments = _arguments(args, command, placeholders=placeholders)
    return [arguments.command_for(node, rank) for rank, node in enumerate(NODES)]


async def _answer(node: str) -> None: ...


# -- what a node gets ---------------------------------------------------------------------------------


def test_what_is_left_out_is_as_for_all_nodes() -> None:
    """Each of the four may be given alone."""
    own = NodeArgs()
    assert (own.command, own.env, own.stdin, own.values) == (None, None, None, None)


def test_it_cannot_be_changed() -> None:
    """Nor through the mappings that it was made of."""
    env, values = {"A": "1"}, {"x": "1"}
    own = NodeArgs(env=env, values=values)
    env["A"] = values["x"] = "2"
    assert (own.env, own.values) == ({"A": "1"}, {"x": "1"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        own.command = "true"  # type: ignore[misc]


def test_nothing_of_it_is_shown() -> None:
    """Invariant 11: each may hold a secret."""
    own = NodeArgs(command="s3cret", env={"A": "s3cret"}, stdin=b"s3cret", values={"x": "s3cret"})
    assert repr(own) == "NodeArgs()"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command": " "}, "args: an empty command; None is the command of all nodes"),
        ({"command": b"x"}, "command: text is needed, not bytes"),
        ({"command": "a\0b"}, "command: it cannot hold a NUL character"),
        ({"command": "\ud800"}, "command: it cannot hold half a character, a lone surrogate"),
        ({"stdin": "x"}, "args: stdin is bytes or an async iterable of bytes, not str"),
        ({"stdin": True}, "args: stdin is bytes or an async iterable of bytes, not bool"),
        ({"values": {"host": "x"}}, "values: %{host} has a meaning of its own; choose another name"),
        ({"values": {"x": 3}}, "values: x: text is needed, not int"),
        ({"values": {"x": "a\0"}}, "values: x: it cannot hold a NUL character"),
        ({"values": "x"}, "values: a mapping from name to text, not str"),
        ({"env": {"A": None}}, "env: A: text is needed, not NoneType"),
    ],
)
def test_what_can_never_work(given: Any, message: str) -> None:
    """It is said at once, and no value is repeated."""
    refused(UsageError, message, lambda: NodeArgs(**given))


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "A B", "Ä", "A\n", 3])
def test_a_name_that_is_none(name: Any) -> None:
    """No shell would know it."""
    message = f"env: {name!r} is no name; it has ASCII letters, digits and _, and no digit first"
    refused(UsageError, message, lambda: check_env({name: "s3cret"}))


def test_an_environment_that_is_empty_is_none() -> None:
    """It costs nothing then."""
    assert (check_env({}), check_env(None), check_env({"_a1": ""})) == (None, None, {"_a1": ""})


# -- values in the command ----------------------------------------------------------------------------


def test_values_are_words_for_the_shell() -> None:
    """Whatever is in them, and beside the placeholders that there are anyway."""
    args = {"a": {"x": "one two; $(reboot)"}, "b": {"x": "it's"}}
    assert _commands(args, "echo %{x} %h %n %%") == [
        "echo 'one two; $(reboot)' a 0 %",
        "echo 'it'\"'\"'s' b 1 %",
    ]


def test_without_values_the_command_is_left_as_it_is() -> None:
    """Unless the worker fills placeholders in any case."""
    args = {"a": NodeArgs(env={"A": "1"})}
    assert _commands(args, "date +%d %{x}") == ["date +%d %{x}"] * 2
    assert _commands(args, "echo %h", placeholders=True) == ["echo a", "echo b"]


def test_values_that_the_command_does_not_use_are_no_error() -> None:
    """The same may serve several commands."""
    assert _commands({"a": {"x": "1"}}, "echo %h") == ["echo a", "echo b"]


def test_a_value_that_a_node_lacks_is_said_at_the_call() -> None:
    """With the node and the remedy."""
    message = "no value for %{x} for b: give it in args=, or write %%{x} for a literal %{x}"
    refused(PlaceholderError, message, lambda: _arguments({"a": {"x": "1"}}, "echo %{x}"))


def test_a_name_that_no_node_has_is_unknown() -> None:
    """The message lists those that are there, and does not repeat the command."""
    with pytest.raises(
        PlaceholderError, match=r"^unknown placeholder %\{y\} at character 6 of the"
    ) as caught:
        _arguments({"a": {"x": "1"}, "b": {"z": "1"}}, "echo %{y} hunter2")
    assert str(caught.value).endswith("the placeholders are %h %host %hosts %n %rank %% %{x} %{z}")


def test_a_name_of_ones_own_needs_its_braces() -> None:
    """So that no command changes its meaning by a value that is added."""
    with pytest.raises(PlaceholderError, match=r"^unknown placeholder %x at character 1 of"):
        _arguments({node: {"x": "1"} for node in NODES}, "%x")


def test_a_command_for_all_nodes_at_once_cannot_differ() -> None:
    """It would be one process for all of them."""
    message = "%hosts makes one command for all nodes, and args= tells them apart: give one of them"
    refused(UsageError, message, lambda: _arguments(lambda node: None, "echo %hosts"))


# -- a command of a node's own ------------------------------------------------------------------------


def test_a_node_may_have_a_command_of_its_own() -> None:
    """With its own values if it has some, else as it is."""
    assert _commands({"a": NodeArgs(command="date +%d")}, "true") == ["date +%d", "true"]
    own = NodeArgs(command="echo %{x}@%h", values={"x": "a b"})
    assert _commands({"a": own}, "true") == ["echo 'a b'@a", "true"]


def test_a_command_of_its_own_that_lacks_a_value() -> None:
    """At the call, too."""
    with pytest.raises(PlaceholderError, match=r"^unknown placeholder %\{y\} at"):
        _arguments({"a": NodeArgs(command="%{y}", values={"x": "1"})})


# -- who gets what ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"c": {}}, "args: not among the targets: c"),
        ({str(n): {} for n in range(7)}, "args: not among the targets: 0, 1, 2, 3, 4 and 2 more"),
        ({"a": "x"}, "args: what a node gets is NodeArgs or a mapping of values, not str"),
        ("a", "args: a mapping from node to NodeArgs, or a plain function of the node, not str"),
        (_answer, "args: a mapping from node to NodeArgs, or a plain function of the node, not function"),
    ],
)
def test_args_that_can_never_work(args: Any, message: str) -> None:
    """A node that is no target is named."""
    refused(UsageError, message, lambda: _arguments(args))


def test_a_function_is_called_once_a_node_and_when_it_is_asked_for() -> None:
    """Until the node is over, which frees what it has returned."""
    asked: list[str] = []
    arguments = _arguments(asked.append)
    assert asked == []
    assert arguments.of("a") is arguments.of("a")
    assert arguments.command_for("a", 0) == "run"
    assert asked == ["a"]
    arguments.forget("a")
    assert arguments._given == {}


def test_a_mapping_is_not_forgotten() -> None:
    """A node of it has what it has."""
    arguments = _arguments({"a": {"x": "1"}}, "true")
    arguments.forget("a")
    assert arguments.of("a").values == {"x": "1"}


def _boom(node: str) -> Any:
    raise RuntimeError(node)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_boom, r"its args raised RuntimeError\('a'\)"),
        (lambda node: 3, "its args raised UsageError.'args: what a node gets is NodeArgs or a .*not int'."),
        (lambda node: {"h": ""}, r"its args raised UsageError\('values: %\{h\} has a meaning .*'\)"),
        (lambda node: {"y": "1"}, r"no value for %\{x\}: give it in args=, .*"),
        (lambda node: None, r"no value for %\{x\}: give it in args=, .*"),
        (lambda node: NodeArgs(command="%z", values={}), "unknown placeholder %z at character 1 .*"),
    ],
)
def test_what_is_wrong_with_a_functions_answer_is_its_nodes(function: Any, reason: str) -> None:
    """The others are not disturbed."""
    with pytest.raises(NodeError, match=f"^a: {reason}; the command was not run$"):
        _arguments(function, "echo %{x}").command_for("a", 0)


async def test_a_coroutine_is_no_answer() -> None:
    """And is closed, so that nothing warns of it."""

    async def later() -> None: ...

    with pytest.raises(NodeError, match=re.escape("not coroutine")):
        _arguments(lambda node: later()).of("a")  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("args", "filled"),
    [
        ({"a": {"x": "1"}}, True),
        ({"a": NodeArgs(command="echo %{x}", values={"x": "1"})}, True),
        ({"a": NodeArgs(command="echo")}, False),
        ({"a": NodeArgs(env={"A": "1"})}, False),
        (lambda node: {"x": "1"}, True),
        (lambda node: None, False),
    ],
)
def test_whether_there_are_values_in_it(args: Any, filled: bool) -> None:
    """They are quoted for ``sh``, which then has to run the command."""
    command = "echo %{x}" if filled else "echo"
    assert Arguments(args, command, ["a"], placeholders=False).fills("a") is filled
