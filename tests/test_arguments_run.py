"""Tests of ``args=`` and ``env=`` in runs of local commands, and of what the ssh worker makes of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynctask.errors import NoCapacityError, PlaceholderError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.task import Task, run
from asynctask.workers.arguments import NodeArgs
from asynctask.workers.base import Sink
from asynctask.workers.ssh import SSHWorker
from tests.support import OK, Scripted, refused

NASTY = "a b; echo $HOME `id` \"'\n*"


async def test_values_reach_the_command_as_they_are() -> None:
    """Nothing in them means anything to the shell."""
    args = {"a": {"x": NASTY}, "b": {"x": ""}}
    result = await run("printf %%s-%%s %{x} %h", nodes="a,b", worker="exec", args=args)
    assert [result[node].stdout for node in "ab"] == [f"{NASTY}-a".encode(), b"-b"]


async def test_a_command_on_this_machine_takes_values_too() -> None:
    """Under its key; without values its command is left as it is."""
    result = await run("echo %{x}", args={"localhost": {"x": "1"}})
    assert result["localhost"].text == "1"
    result = await run("echo %h", args={"localhost": NodeArgs(stdin=b"")})
    assert result["localhost"].text == "%h"


async def test_input_and_command_of_a_nodes_own() -> None:
    """The others have those of all."""
    args = {"a": NodeArgs(command="tr a-z A-Z"), "b": NodeArgs(stdin=b"own")}
    result = await run("cat", nodes="a,b,c", worker="exec", stdin=b"all", args=args)
    assert [result[node].text for node in "abc"] == ["ALL", "own", "all"]


async def test_a_stream_of_a_nodes_own() -> None:
    """Where the worker reads nothing else."""

    async def stream() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    result = await run("cat", nodes="a,b", worker="exec", args={"a": NodeArgs(stdin=stream())})
    assert [result[node].text for node in "ab"] == ["one two", ""]


async def test_the_environment_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process has, what all nodes get, what one gets: the later goes first."""
    for name in "XYZ":
        monkeypatch.setenv(f"ASYNCTASK_{name}", "process")
    async with Task(env={"ASYNCTASK_Y": "task"}) as task:
        echo = "echo $ASYNCTASK_X $ASYNCTASK_Y $ASYNCTASK_Z"
        args = {"a": NodeArgs(env={"ASYNCTASK_Z": NASTY})}
        worker = task.shell('printf "$ASYNCTASK_Z"', nodes="a,b", worker="exec", args=args)
        task.shell(echo, key="task")
        task.shell(echo, key="command", env={"ASYNCTASK_X": "command"})
        task.shell(echo, key="none", env=None)
        result = await task.run()
    assert [worker.node_buffer(node) for node in "ab"] == [NASTY.encode(), b"process"]
    assert {node: result[node].text for node in ("task", "command", "none")} == {
        "task": "process task process",
        "command": "command process process",
        "none": "process process process",
    }
    assert os.environ["ASYNCTASK_Y"] == "process"


async def test_a_function_is_asked_when_the_turn_of_a_node_comes() -> None:
    """Once, in the order in which they start."""
    asked: list[str] = []

    def args(node: str) -> Any:
        asked.append(node)
        return {"x": node * 2} if node != "b" else NodeArgs(command="echo own", env={"A": "1"}, stdin=b"")

    async with Task(fanout=1) as task:
        worker = task.shell("echo %{x}", nodes="a,b,c", worker="exec", args=args)
        assert asked == []
        await task.run()
    assert asked == ["a", "b", "c"]
    assert [worker.node_buffer(node) for node in "abc"] == [b"aa", b"own", b"cc"]


async def test_a_node_that_is_put_back_is_not_asked_again() -> None:
    """It starts when there is room, with what it has."""
    asked: list[str] = []
    tries: list[str] = []

    async def play(node: str, sink: Sink) -> Ended:
        tries.append(worker.command_for(node, 0))
        if len(tries) == 1:
            raise NoCapacityError(node, "no room")
        return OK

    def args(node: str) -> NodeArgs:
        asked.append(node)
        return NodeArgs(command="echo %{x}", values={"x": "1"})

    worker = Scripted(play, ["a"], args=args)
    async with Task() as task:
        task.schedule(worker)
        assert (await task.run()).ok
    assert (tries, asked) == (["echo 1", "echo 1"], ["a"])


async def test_a_function_that_raises_ends_its_node_alone() -> None:
    """Its command is not run."""

    def args(node: str) -> dict[str, str]:
        return {"x": {"a": "1", "c": "3"}[node]}

    result = await run("echo %{x}", nodes="a,b,c", worker="exec", args=args)
    assert [result[node].outcome for node in "abc"] == [Outcome.OK, Outcome.ABORTED, Outcome.OK]
    assert str(result["b"].error) == "b: its args raised KeyError('b'); the command was not run"


async def test_a_function_that_leaves_out_a_value_ends_its_node_alone() -> None:
    """As far as the others are concerned, nothing has happened."""
    result = await run(
        "echo %{x}", nodes="a,b", worker="exec", args=lambda node: {"x": "1"} if node == "a" else None
    )
    assert [result[node].outcome for node in "ab"] == [Outcome.OK, Outcome.ABORTED]
    reason = "no value for %{x}: give it in args=, or write %%{x} for a literal %{x}"
    assert str(result["b"].error) == f"b: {reason}; the command was not run"


def test_what_can_be_told_at_the_call_is_told_at_the_call() -> None:
    """Nothing is scheduled then."""
    task = Task()
    refused(
        UsageError,
        "args: not among the targets: z",
        lambda: task.shell("true", nodes="a", args={"z": {}}),
    )
    with pytest.raises(PlaceholderError, match=r"^no value for %\{x\} for b: "):
        task.shell("echo %{x}", nodes="a,b", args={"a": {"x": "1"}})
    with pytest.raises(UsageError, match=r"^env: 'A B' is no name; "):
        task.shell("true", nodes="a", env={"A B": ""})
    with pytest.raises(UsageError, match=r"^env: a mapping from name to text, not str$"):
        Task(env="A=1")  # type: ignore[arg-type]
    assert task._prepared is None


def test_a_remote_command_without_values_is_left_as_it_is() -> None:
    """So ``%`` needs no doubling there."""
    plain = SSHWorker("date +%d", ["a", "b"])
    assert (plain.command_for("b", 1), plain.env_for("b")) == ("date +%d", None)
    worker = SSHWorker("date +%d", ["a", "b"], env={"A": "1"}, args={"a": NodeArgs(env={"B": "2"})})
    assert worker.command_for("a", 0) == "date +%d"
    assert (worker.env_for("a"), worker.env_for("b")) == ({"A": "1", "B": "2"}, {"A": "1"})


def test_a_remote_command_with_values() -> None:
    """The placeholders that local commands have work then, too."""
    worker = SSHWorker("echo %{x} %h %n %%", ["a", "b"], args={node: {"x": NASTY} for node in "ab"})
    quoted = "'" + NASTY.replace("'", "'\"'\"'") + "'"
    assert worker.command_for("b", 1) == f"echo {quoted} b 1 %"


def test_no_value_shows_in_a_repr() -> None:
    """Neither of the worker nor of what it holds."""
    worker = SSHWorker("echo %{x}", ["a"], env={"A": "s3cret"}, args={"a": {"x": "s3cret"}})
    assert (
        "s3cret"
        not in f"{worker!r} {worker._arguments!r} {worker._arguments and worker._arguments.of('a')!r}"
    )
