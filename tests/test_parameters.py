"""Tests of asynctask.parameters, through the task."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

import asynctask
from asynctask.errors import PortFullError, UsageError
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.workers.base import Sink
from asynctask.workers.exec import ExecWorker
from asynctask.workers.openssh import OpenSSHWorker
from asynctask.workers.ssh import SSHWorker
from tests.stage import Stage, begin, numbered
from tests.support import Scripted, greet, refused, turns

DEFAULTS = {
    "stderr": False,
    "stdin": False,
    "stdout_msgtree": True,
    "stderr_msgtree": True,
    "engine": "auto",
    "port_qlimit": 32,
    "auto_tree": False,
    "local_workername": "exec",
    "local_worker": ExecWorker,
    "distant_workername": "ssh",
    "distant_worker": SSHWorker,
}
INFOS = {
    "fanout": 64,
    "connect_timeout": 10.0,
    "command_timeout": 0,
    "ssh_user": None,
    "debug": False,
    "grooming_delay": 0.25,
    "engine": None,
}


class Local(ExecWorker):
    """A local worker of a program's own."""

    name: ClassVar[str] = "local"


class Distant(SSHWorker):
    """A distant one."""

    name: ClassVar[str] = "distant"


# -- every key --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_default_at_first(key: str) -> None:
    """What is given besides counts for keys alone that are not known."""
    assert Task().default(key, "other") == DEFAULTS[key]


@pytest.mark.parametrize("key", INFOS)
def test_an_info_at_first(key: str) -> None:
    """``None`` is as good as nothing."""
    assert Task().info(key) == INFOS[key]
    assert Task().info(key, "other") == ("other" if INFOS[key] is None else INFOS[key])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stderr", True),
        ("stdin", True),
        ("stdout_msgtree", False),
        ("stderr_msgtree", False),
        ("engine", "epoll"),
        ("engine", "poll"),
        ("engine", "select"),
        ("port_qlimit", 1),
        ("auto_tree", True),
        ("local_worker", Local),
        ("distant_worker", Distant),
        ("distant_workername", "exec"),
        ("local_workername", "exec"),
        ("USER_colour", "red"),
        ("USER_", None),
    ],
)
def test_a_default_that_was_set(key: str, value: Any) -> None:
    """It is what is told then, and no other task has it."""
    task, other = Task(), Task()
    task.set_default(key, value)
    assert task.default(key, "other") == value
    assert other.default(key, "other") == DEFAULTS.get(key, "other")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fanout", 3),
        ("connect_timeout", 2.5),
        ("command_timeout", 7),
        ("ssh_user", "root"),
        ("debug", True),
        ("print_debug", print),
        ("grooming_delay", 0.5),
        ("anything", [1, 2]),
    ],
)
def test_an_info_that_was_set(key: str, value: Any) -> None:
    """Any key may be set."""
    task = Task()
    task.set_info(key, value)
    assert task.info(key, "other") == value


def test_what_was_not_set_is_what_the_caller_says() -> None:
    """``None`` if it says nothing."""
    task = Task()
    assert (task.default("USER_x"), task.default("USER_x", 5), task.default("unknown", 6)) == (None, 5, 6)
    assert (task.info("x"), task.info("x", 5)) == (None, 5)


# -- what they do -----------------------------------------------------------------------------------


def test_settings_of_the_task_are_told() -> None:
    """Nothing is kept twice."""
    ssh = SSHOptions(user="me")
    task = Task(
        fanout=5, timeout=9, connect_timeout=None, stderr=True, gather="stderr", ssh=ssh, worker="exec"
    )
    assert (task.info("fanout"), task.info("command_timeout"), task.info("connect_timeout", 1)) == (5, 9, 1)
    assert (task.info("ssh_user"), task.default("stderr"), task.default("distant_worker")) == (
        "me",
        True,
        ExecWorker,
    )
    assert (task.default("stdout_msgtree"), task.default("stderr_msgtree")) == (False, True)


def test_workers_are_made_with_what_was_set() -> None:
    """From then on; those that are there stay as they are, and what a command says itself counts."""
    task = Task()
    before = task.shell("true", nodes="a")
    task.set_default("stderr", True)
    task.set_default("stdin", True)
    task.set_info("connect_timeout", 3)
    task.set_info("command_timeout", 4)
    worker = task.shell("true", nodes="a")
    assert (worker.stderr, worker.stdin, worker.connect_timeout, worker.timeout) == (True, True, 3, 4)
    assert (before.stderr, before.stdin, before.connect_timeout, before.timeout) == (False, None, 10.0, None)
    own = task.shell("true", nodes="a", stderr=False, stdin=b"", connect_timeout=5, timeout=6)
    assert (own.stderr, own.stdin, own.connect_timeout, own.timeout) == (False, b"", 5, 6)


@pytest.mark.parametrize("value", [0, None])
def test_no_command_timeout_is_no_limit(value: float | None) -> None:
    """As ClusterShell has it."""
    task = Task(timeout=5)
    task.set_info("command_timeout", value)
    assert (task.shell("true", nodes="a").timeout, task.info("command_timeout")) == (None, 0)


@pytest.mark.parametrize(
    ("out", "err", "gather"),
    [(True, True, True), (True, False, "stdout"), (False, True, "stderr"), (False, False, False)],
)
@pytest.mark.parametrize("first", ["stdout_msgtree", "stderr_msgtree"])
def test_which_streams_are_gathered(first: str, out: bool, err: bool, gather: bool | str) -> None:
    """Each by its own key, in any order."""
    task = Task()
    values = {"stdout_msgtree": out, "stderr_msgtree": err}
    task.set_default(first, values.pop(first))
    task.set_default(*values.popitem())
    assert task.shell("true", nodes="a").gather == gather
    assert (task.default("stdout_msgtree"), task.default("stderr_msgtree")) == (out, err)


def test_the_classes_of_workers() -> None:
    """By name or as classes; one for commands with nodes, one for those without."""
    task = Task()
    task.set_default("local_worker", Local)
    task.set_default("distant_worker", Distant)
    assert (type(task.shell("true")), type(task.shell("true", nodes="a"))) == (Local, Distant)
    assert (task.default("local_workername"), task.default("distant_workername")) == ("local", "distant")
    task.set_default("local_workername", "exec")
    task.set_default("distant_workername", "exec")
    assert (type(task.shell("true")), type(task.shell("true", nodes="a"))) == (ExecWorker, ExecWorker)


def test_the_user_of_ssh() -> None:
    """What else is set for SSH stays."""
    options = SSHOptions(port=2222)
    task = Task(ssh=options)
    task.set_info("ssh_user", "root")
    worker = task.shell("true", nodes="a")
    assert isinstance(worker, SSHWorker)
    assert task._settings["ssh"] == SSHOptions(port=2222, user="root")
    assert options.user is None


async def test_the_fanout_can_be_changed_while_running() -> None:
    """At once: more nodes start."""
    stage, nodes = Stage(), numbered(6)
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, nodes))
    running = begin(task)
    await turns(6)
    assert len(stage.running) == 1
    task.set_info("fanout", 4)
    await turns(6)
    assert (len(stage.running), task.fanout, task.info("fanout")) == (4, 4, 4)
    await stage.end_all()
    await running


async def test_how_much_a_port_holds() -> None:
    """Ports that are there stay as they are."""
    task = Task()
    before = task.port()
    task.set_default("port_qlimit", 1)
    port = task.port()
    port.msg_send_nowait("a")
    with pytest.raises(PortFullError):
        port.msg_send_nowait("b")
    assert (before.statistics().qlimit, port.statistics().qlimit) == (32, 1)


async def test_debugging_tells_what_a_worker_does() -> None:
    """Workers that are scheduled from then on, line by line."""
    told: list[tuple[object, str]] = []
    task = Task()
    task.schedule(Scripted(greet, ["before"]))
    task.set_info("print_debug", lambda task, line: told.append((task, line)))
    task.set_info("debug", True)
    task.schedule(Scripted(greet, ["a"]))
    task.set_info("debug", False)
    task.schedule(Scripted(greet, ["after"]))
    await task.run()
    assert told == [(task, "SCRIPTED: a: scripted"), (task, "LINE a stdout: I am a")]


async def test_debugging_prints_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    """As ClusterShell does; what is no text is replaced."""

    async def play(node: str, sink: Sink) -> Any:
        sink.started()
        sink.data("stdout", b"\xff\n")
        return await greet(node, sink)

    task = Task()
    task.set_info("debug", True)
    task.schedule(Scripted(play, ["a"]))
    await task.run()
    assert capsys.readouterr().out.splitlines()[:2] == ["SCRIPTED: a: scripted", "LINE a stdout: \ufffd"]


async def test_the_engine_is_the_loop_that_runs(request: pytest.FixtureRequest) -> None:
    """Whatever was asked for."""
    task = Task()
    task.set_default("engine", "select")
    assert task.info("engine") == request.config.getoption("--loop")
    await asyncio.sleep(0)


# -- misuse -----------------------------------------------------------------------------------------

KNOWN = (
    "stderr, stdin, stdout_msgtree, stderr_msgtree, engine, port_qlimit, auto_tree, local_workername,"
    " local_worker, distant_workername, distant_worker"
)


@pytest.mark.parametrize("key", ["colour", "user_colour", "fanout", "", 5])
def test_an_unknown_default(key: Any) -> None:
    """Only names that begin with ``USER_`` are free: the rest may mean something one day."""
    task = Task()
    refused(
        UsageError,
        f"unknown default {key!r}: one of {KNOWN}, or a name that begins with USER_",
        lambda: task.set_default(key, 1),
    )
    assert task.default(key) is None


@pytest.mark.parametrize("value", [1, "yes", None])
@pytest.mark.parametrize("key", ["stderr", "stdin", "stdout_msgtree", "stderr_msgtree", "auto_tree"])
def test_a_default_that_is_true_or_false(key: str, value: Any) -> None:
    """What is neither changes nothing."""
    task = Task()
    refused(UsageError, f"{key}={value!r}: True or False", lambda: task.set_default(key, value))
    assert task.default(key) == DEFAULTS[key]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("engine", "kqueue", "engine='kqueue': one of auto, epoll, poll, select; it is the asyncio loop"),
        ("port_qlimit", 0, "port_qlimit=0: how many messages a port holds, 1 or more"),
        ("port_qlimit", "9", "port_qlimit='9': how many messages a port holds, 1 or more"),
        ("local_worker", 5, "worker=5: a name or a subclass of asynctask.Worker"),
        ("local_workername", "ssh", "the local worker cannot be 'ssh', which goes over the network"),
        (
            "local_worker",
            SSHWorker,
            "the local worker cannot be 'ssh', which goes over the network",
        ),
        (
            "distant_workername",
            "stream",
            "the worker 'stream' runs no command: make an asynctask.StreamWorker and schedule it",
        ),
    ],
)
def test_a_default_that_does_not_fit(key: str, value: Any, text: str) -> None:
    """It is refused at the call, and changes nothing."""
    task = Task()
    refused(UsageError, text, lambda: task.set_default(key, value))
    assert task.default(key) == DEFAULTS[key]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("fanout", 0, "fanout=0: how many nodes run at once, 1 or more"),
        (
            "connect_timeout",
            -1,
            "connect_timeout=-1: a number of seconds, 0 or more, or None for no limit",
        ),
        (
            "command_timeout",
            "5",
            "command_timeout='5': a number of seconds, 0 or more, or None for no limit",
        ),
        ("ssh_user", 5, "ssh_user=5: a name, or None for the configured one"),
        ("ssh_user", "", "ssh_user='': a name, or None for the configured one"),
        ("ssh_options", "-o 'x", 'ssh_options="-o \'x": text of words as a shell has them, or None'),
        ("ssh_options", ["-4"], "ssh_options=['-4']: text of words as a shell has them, or None"),
        (
            "ssh_path",
            "sshpass -e ssh",
            "ssh_path='sshpass -e ssh': one program, without arguments; those go into ssh_options",
        ),
        ("ssh_path", " ", "ssh_path=' ': one program, without arguments; those go into ssh_options"),
        ("debug", 1, "debug=1: True or False"),
        ("print_debug", "print", "print_debug='print': a function of the task and a line of text"),
        (
            "engine",
            "epoll",
            "info 'engine' tells what runs the task, and cannot be set: it is the asyncio loop",
        ),
    ],
)
def test_an_info_that_does_not_fit(key: str, value: Any, text: str) -> None:
    """Likewise."""
    task = Task()
    before = task.info(key)
    refused(UsageError, text, lambda: task.set_info(key, value))
    assert task.info(key) == before


def test_an_unknown_worker_is_named() -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match=r"^unknown worker 'rsh': choose one of .*exec.*, or give a class$"):
        asynctask.Task().set_default("distant_workername", "rsh")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("scp_user", "copies log in as info 'ssh_user' says, or ~/.ssh/config"),
        ("scp_path", "copies go by SFTP and start no scp; use asynctask.SSHOptions or ~/.ssh/config"),
        ("scp_options", "copies go by SFTP and start no scp; use asynctask.SSHOptions or ~/.ssh/config"),
        ("rpdcp_path", "copies go by SFTP and start no scp; use asynctask.SSHOptions or ~/.ssh/config"),
        ("rsh_user", "no rsh is started; use asynctask.SSHOptions or ~/.ssh/config"),
        ("pdsh_path", "no pdsh is started; use asynctask.SSHOptions or ~/.ssh/config"),
    ],
)
def test_an_info_without_effect_is_said_in_the_log(
    key: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A script may rely on it; it is kept all the same."""
    task = Task()
    task.set_info(key, "value")
    task.set_info("mine", 1)
    assert (task.info(key), task.info("mine")) == ("value", 1)
    assert [record.getMessage() for record in caplog.records] == [f"info {key!r} has no effect: {why}"]


@pytest.mark.parametrize("key", ["ssh_path", "ssh_options"])
def test_an_info_for_one_worker_is_said_in_the_log_of_others(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once that worker is chosen there is nothing to say."""
    task = Task()
    task.set_info(key, "-4")
    assert [record.getMessage() for record in caplog.records] == [
        (
            f"info {key!r} has an effect on the worker 'openssh' alone: 'ssh' starts no program; for it use"
            " asynctask.SSHOptions or ~/.ssh/config"
        )
    ]
    task.set_default("distant_workername", "openssh")
    task.set_info(key, "-6")
    assert (task.info(key), len(caplog.records)) == ("-6", 1)


def test_what_the_infos_say_to_a_worker_that_starts_ssh() -> None:
    """Words as a shell has them, ``~`` is the home directory; ``None`` and nothing are the same."""
    task = Task(worker="openssh")
    parameters = task._parameters
    assert parameters.program_options(None) == {}
    task.set_info("ssh_options", "-i ~/key -o 'ProxyCommand=nc %h %p'")
    words = ["-i", str(Path("~/key").expanduser()), "-o", "ProxyCommand=nc %h %p"]
    assert parameters.program_options(None) == {"ssh_options": words}
    task.set_info("ssh_path", "~/bin/ssh")
    assert parameters.program_options("openssh") == {
        "ssh_path": str(Path("~/bin/ssh").expanduser()),
        "ssh_options": words,
    }
    assert (parameters.program_options("ssh"), parameters.program_options(ExecWorker)) == ({}, {})
    task.set_info("ssh_options", None)
    task.set_info("ssh_path", "")
    assert parameters.program_options(None) == {}


def test_the_worker_that_starts_ssh_can_be_chosen() -> None:
    """By its name."""
    task = Task()
    task.set_default("distant_workername", "openssh")
    assert task.default("distant_workername") == "openssh"
    assert type(task.shell("true", nodes="a")) is OpenSSHWorker


def test_no_connect_timeout_is_no_limit() -> None:
    """ClusterShell's 0 is none."""
    task = Task()
    task.set_info("connect_timeout", 0)
    assert task.shell("true", nodes="a", worker="exec").connect_timeout is None
