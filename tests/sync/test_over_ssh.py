"""Tests of what a blocking task does over SSH: copies, users, sudo, terminals, parameters."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynctask import NodeArgs, SSHOptions, Sudo
from asynctask.errors import EmptyTargetsError, UsageError
from asynctask.sync import (
    DistantWorker,
    EventHandler,
    ExecWorker,
    NodeSet,
    Task,
    TaskError,
    WorkerError,
    WorkerSsh,
)
from tests.sshd import OpenSSHServer
from tests.support import refused
from tests.sync.helpers import New, Old, written_down


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five bytes to copy."""
    path = tmp_path / "source"
    path.write_bytes(b"hello")
    os.utime(path, (1e9, 1e9))
    return path


# -- copies -------------------------------------------------------------------------------------------


def test_a_copy_and_its_worker(task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """The worker says what it copies, to where; a node's exit status is 0."""
    there = tmp_path / "there"
    handler = New()
    worker = task.copy(source, str(there), ",".join(ssh_nodes), handler=handler, preserve=True)
    assert type(worker) is DistantWorker
    assert (worker.source, worker.dest, worker.reverse, worker.preserve, worker.command) == (
        str(source),
        str(there),
        False,
        True,
        None,
    )
    assert (worker.nodes, repr(worker)) == (
        NodeSet.fromlist(ssh_nodes),
        f"<DistantWorker {str(source)!r} -> {str(there)!r}>",
    )
    task.run()
    assert (there.read_bytes(), there.stat().st_mtime) == (b"hello", 1e9)
    assert written_down(worker.iter_retcodes()) == [(0, ",".join(ssh_nodes))]
    assert (handler.events[0], handler.events[-1]) == ("start", "close False")
    for node in ssh_nodes:
        assert [event for event in handler.events if node in event] == [f"pickup {node}", f"hup {node} 0"]


def test_a_copy_from_nodes(task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """Each has its name, which ends in the node's; older handlers hear of it, too."""
    handler = Old()
    back = tmp_path / "back"
    back.mkdir()
    worker = task.rcopy(str(source), back, ssh_nodes[0], handler=handler, timeout=20, stderr=True)
    assert (worker.reverse, worker.preserve) == (True, False)
    assert repr(worker) == f"<DistantWorker {str(back)!r} <- {str(source)!r}>"
    task.resume()
    assert [path.name for path in back.iterdir()] == [f"source.{ssh_nodes[0]}"]
    assert handler.events == ["start", f"pickup {ssh_nodes[0]}", f"hup {ssh_nodes[0]} 0", "close"]


def test_reverse_as_an_argument(task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """``copy(reverse=True)`` is ``rcopy()``, whatever that is given."""
    for worker in (
        task.copy(source, tmp_path, ssh_nodes, reverse=True),
        task.rcopy(source, tmp_path, ssh_nodes, reverse=False),
    ):
        assert worker.reverse
    task.abort()


def test_a_copy_that_fails(task: Task, ssh_nodes: tuple[str, ...], tmp_path: Path, source: Path) -> None:
    """Exit status 1; the result says why."""
    worker = task.copy(source, tmp_path / "none" / "there", ssh_nodes[0])
    task.run()
    assert (worker.node_retcode(ssh_nodes[0]), task.max_retcode()) == (1, 1)
    error = task.result[ssh_nodes[0]].error
    assert error is not None
    assert "no such file or directory" in str(error)


def test_a_copy_leaves_identical_files_alone(
    task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path
) -> None:
    """On request."""
    there = tmp_path / "there"
    numbers = []
    for _ in range(2):
        task.copy(source, there, ssh_nodes[0], skip_identical=True)
        task.run()
        numbers.append(there.stat().st_ino)
    assert numbers[0] == numbers[1]


def test_a_copy_by_hand(task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """WorkerSsh has either a command or a source."""
    worker = WorkerSsh(ssh_nodes[0], None, 20, source=source, dest=tmp_path / "there", preserve=True)
    task.schedule(worker)
    task.run()
    assert (worker.node_retcode(ssh_nodes[0]), (tmp_path / "there").read_bytes()) == (0, b"hello")
    with pytest.raises(WorkerError, match=r"^worker has already been scheduled$"):
        task.schedule(worker)


def test_progress(task: Task, ssh_nodes: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """With the façade's worker."""
    heard: list[object] = []

    class Handler(EventHandler):
        def ev_progress(self, worker: Any, node: str, progress: Any) -> None:
            heard.append((worker, worker.current_node, node, progress.done, progress.total, progress.files))

    worker = task.copy(source, tmp_path / "there", ssh_nodes[0], handler=Handler())
    task.run()
    assert heard[-1] == (worker, ssh_nodes[0], ssh_nodes[0], 5, 5, 1)


# -- misuse -------------------------------------------------------------------------------------------

HERE = "/"


@pytest.mark.parametrize(
    ("kind", "text", "call"),
    [
        (UsageError, "source /nowhere: no such file or directory", lambda t: t.copy("/nowhere", "x", "n1")),
        (
            UsageError,
            "dest /nowhere: must be a directory that exists, copies go into it",
            lambda t: t.rcopy("x", "/nowhere", "n1"),
        ),
        (TaskError, "local copy not supported: name the nodes", lambda t: t.copy(HERE, "x", None)),
        (
            TaskError,
            "tree mode required, and there is none yet: use tree=False or leave it out",
            lambda t: t.copy(HERE, "x", "n1", tree=True),
        ),
        (
            UsageError,
            "the worker 'exec' copies no files: give worker='ssh', or another that does",
            lambda t: t.schedule(ExecWorker("n1", None, source=HERE, dest="x")),
        ),
        (UsageError, "dest: where does the copy go to?", lambda _: WorkerSsh("n1", None, source=HERE)),
        (
            UsageError,
            "command= runs something, source= copies something: give one of them",
            lambda _: WorkerSsh("n1", None, command="true", source=HERE, dest="x"),
        ),
        (TaskError, "sudo= is for commands over SSH", lambda t: t.shell("true", sudo=True)),
        (TaskError, "pty= is for commands over SSH", lambda t: t.shell("true", pty=True)),
        (
            TaskError,
            "ssh= is for commands over SSH",
            lambda t: t.shell("true", nodes="n1", remote=False, ssh=SSHOptions()),
        ),
        (TaskError, "args= is for commands with nodes=", lambda t: t.shell("true", args={})),
    ],
)
def test_what_cannot_work(task: Task, kind: type[Exception], text: str, call: Callable[[Any], Any]) -> None:
    """It is said at the call, and nothing is scheduled."""
    refused(kind, text, lambda: call(task))
    task.run()
    assert task.max_retcode() is None


def test_a_copy_to_no_nodes(task: Task) -> None:
    """As with a command."""
    with pytest.raises(EmptyTargetsError):
        task.copy(HERE, "x", "")


@pytest.mark.parametrize("keyword", ["remote", "stdin", "pool"])
def test_a_copy_with_what_does_not_fit(task: Task, keyword: str) -> None:
    """Unknown keywords are errors."""
    with pytest.raises(TypeError):
        task.copy(HERE, "x", "n1", **{keyword: True})  # type: ignore[arg-type]


# -- commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{user}@{node}", "{user}@{node}:{port}"])
def test_a_user_in_the_target(task: Task, ssh_nodes: tuple[str, ...], sshd: OpenSSHServer, text: str) -> None:
    """``user@node`` is the name of the target everywhere."""
    target = text.format(user=sshd.user, node=ssh_nodes[0], port=sshd.port)
    task.set_info("ssh_user", "nobody-of-this-name")
    worker = task.shell("echo hello", nodes=target, stdin=False)
    task.run()
    assert worker.nodes == NodeSet(target)
    assert written_down(worker.iter_buffers()) == [(b"hello", target)]
    assert task.node_buffer(target) == b"hello"


def test_environment_and_arguments(task: Task, ssh_nodes: tuple[str, ...]) -> None:
    """For all nodes, and for each."""
    first, second = ssh_nodes
    worker = task.shell(
        "echo $COLOUR %{word}",
        nodes=",".join(ssh_nodes),
        stdin=False,
        env={"COLOUR": "red"},
        args={first: {"word": "a b"}, second: NodeArgs(env={"COLOUR": "blue"}, values={"word": "c"})},
    )
    task.run()
    assert [worker.node_buffer(node) for node in ssh_nodes] == [b"red a b", b"blue c"]


@pytest.mark.parametrize("settings", [{}, {"nodes": "n1", "remote": False}])
def test_an_environment_here(task: Task, settings: dict[str, Any]) -> None:
    """Commands that do not go over SSH have one, too."""
    worker = task.run("echo $COLOUR", env={"COLOUR": "red"}, **settings)
    assert worker.read(*settings.get("nodes", "").split()) == b"red"


def test_a_terminal(task: Task, ssh_nodes: tuple[str, ...]) -> None:
    """On request."""
    for pty, rc in ((False, 1), (True, 0)):
        assert (
            task.run("test -t 1", nodes=ssh_nodes[0], stdin=False, pty=pty).node_retcode(ssh_nodes[0]) == rc
        )


def test_sudo(task: Task, ssh_nodes: tuple[str, ...], tmp_path: Path) -> None:
    """The program that is named runs the command."""
    program = tmp_path / "sudo"
    program.write_text('#!/bin/sh\nwhile test "$1" != --; do shift; done\nshift\nexec "$@"\n')
    program.chmod(0o755)
    worker = task.run("echo done", nodes=ssh_nodes[0], stdin=False, sudo=Sudo(command=str(program)))
    assert (worker.node_buffer(ssh_nodes[0]), worker.node_retcode(ssh_nodes[0])) == (b"done", 0)


def test_how_to_connect(
    task: Task, sshd: OpenSSHServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said for one command or copy, where the user's own configuration says nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ssh = SSHOptions(config=sshd.files.ssh_config)
    node = sshd.nodes[0]
    shell = task.shell("true", nodes=node, ssh=ssh)
    copy = task.copy(sshd.files.ssh_config, tmp_path / "there", node, ssh=ssh)
    task.run()
    assert (shell.node_retcode(node), copy.node_retcode(node)) == (0, 0)


# -- by the system's ssh ------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["worker", "infos"])
def test_by_the_program(
    task: Task,
    sshd: OpenSSHServer,
    tmp_path: Path,
    source: Path,
    first: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker ``openssh`` starts ssh, as the infos for it say, in whatever order all is set."""
    node = sshd.nodes[0]
    if first == "worker":
        task.set_default("distant_workername", "openssh")
    task.set_info("ssh_options", f"-F '{sshd.files.ssh_config}'")
    task.set_info("ssh_path", shutil.which("ssh"))
    if first == "infos":
        task.set_default("distant_workername", "openssh")
    shell = task.shell("echo hello", nodes=node, stdin=False)
    copy = task.copy(source, tmp_path / "there", node)
    task.run()
    assert (shell.node_buffer(node), copy.node_retcode(node)) == (b"hello", 0)
    assert (tmp_path / "there").read_bytes() == b"hello"
    assert len(caplog.records) == (0 if first == "worker" else 2)


def test_infos_for_the_program_are_nothing_to_other_workers(task: Task, ssh_nodes: tuple[str, ...]) -> None:
    """They go on as if there were none."""
    task.set_info("ssh_options", "-F /nowhere")
    task.set_info("ssh_path", "/nowhere")
    assert task.run("true", nodes=ssh_nodes[0]).node_retcode(ssh_nodes[0]) == 0
    assert task.run("true", nodes="n1", remote=False).node_retcode("n1") == 0
    assert task.run("true").retcode() == 0
