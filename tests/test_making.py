"""Tests of asynctask.making: which class runs a command or makes a copy, and with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from asynctask.errors import EmptyTargetsError, UsageError
from asynctask.making import make_copier
from asynctask.outcome import Ended
from asynctask.parameters import Parameters
from asynctask.settings import DEFAULTS
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.workers.base import Sink, Worker
from asynctask.workers.copy import CopyWorker
from asynctask.workers.resources import Resources
from tests.support import OK, refused

PARAMETERS = Parameters(dict(DEFAULTS), lambda: 64, lambda fanout: None)


class Courier(Worker):
    """Copies nothing; shows what it was made with."""

    name: ClassVar[str] = "courier"
    remote: ClassVar[bool] = False

    def __init__(self, source: object, dest: object, nodes: Sequence[str], **settings: Any) -> None:
        self.made_with = (source, dest, settings.pop("reverse"), settings.pop("preserve", None))
        super().__init__("", nodes, **settings)

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        return OK


class Local(Courier):
    """Runs commands on this machine, and has a worker that copies."""

    copier: ClassVar[str | type[Worker] | None] = Courier


class Remote(Courier):
    """Goes over the network, and says nothing of copies."""

    remote: ClassVar[bool] = True


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to copy."""
    path = tmp_path / "source"
    path.write_bytes(b"x")
    return path


def _made(source: object, nodes: Any = "a[1-2]", *, reverse: bool = False, **settings: Any) -> Worker:
    return make_copier(
        source, "/dest", nodes, settings, {**DEFAULTS, "timeout": 7.0}, PARAMETERS, reverse=reverse
    )


@pytest.mark.parametrize("worker", [None, "ssh", Remote])
def test_a_copy_goes_by_sftp(source: Path, worker: Any) -> None:
    """Unless the commands' worker says otherwise; what is left out is taken from the task."""
    ssh = SSHOptions(config=False)
    copier = _made(source, worker=worker, ssh=ssh, preserve=True, skip_identical=True)
    assert isinstance(copier, CopyWorker)
    assert (copier.nodes, copier.timeout, copier.ssh, copier.preserve) == (("a1", "a2"), 7.0, ssh, True)
    assert not copier.reverse


def test_a_worker_may_say_who_copies(source: Path) -> None:
    """By its class."""
    copier = _made(source, worker=Local, reverse=True, timeout=3.0, options={"preserve": 5})
    assert isinstance(copier, Courier)
    assert (copier.made_with, copier.timeout) == ((source, "/dest", True, 5), 3.0)


def test_a_worker_may_say_who_copies_by_name(source: Path) -> None:
    """Then its class is imported when there is something to copy."""

    class Named(Local):
        copier: ClassVar[str | type[Worker] | None] = "copy"

    assert type(_made(source, worker=Named)) is CopyWorker


def test_commands_on_this_machine_have_nobody_who_copies(source: Path) -> None:
    """Nothing is copied to hosts that were not meant."""
    message = "the worker 'exec' copies no files: give worker='ssh', or another that does"
    refused(UsageError, message, lambda: _made(source, worker="exec"))


def test_ssh_options_for_a_copy_that_does_not_connect(source: Path) -> None:
    """They would have no effect."""
    message = "ssh= is of no use to the worker 'courier'"
    refused(UsageError, message, lambda: _made(source, worker=Local, ssh=SSHOptions(config=False)))


def test_a_setting_that_copies_do_not_have(source: Path) -> None:
    """They read no input, and have no environment."""
    message = "unknown settings for a copy: env, stdin"
    refused(TypeError, message, lambda: _made(source, env={}, stdin=b""))


def test_the_environment_of_a_task_is_for_commands(source: Path) -> None:
    """A copy of the same task does without."""
    defaults = {**DEFAULTS, "env": {"A": "1"}}
    assert make_copier(source, "/dest", "a", {}, defaults, PARAMETERS, reverse=False).env is None


def test_a_copy_to_nobody(source: Path) -> None:
    """Is an error, as with commands."""
    with pytest.raises(EmptyTargetsError):
        _made(source, [])


def test_infos_about_the_program_reach_the_worker_that_starts_it(source: Path) -> None:
    """Commands and copies alike; what is given for the one command comes first."""
    task = Task(worker="openssh")
    task.set_info("ssh_options", "-v -C")
    made = [
        task.shell("true", nodes="a"),
        task.copy(source, "/x", "a"),
        task.shell("true", nodes="a", options={"ssh_options": ["-4"]}),
    ]
    assert [worker._ssh_options for worker in made] == [("-v", "-C"), ("-v", "-C"), ("-4",)]  # type: ignore[attr-defined]
    assert not hasattr(task.shell("true", nodes="a", worker="ssh"), "_ssh_options")


@pytest.mark.parametrize("settings", [{"sudo": True}, {"pty": True}])
def test_who_has_no_login(settings: dict[str, Any]) -> None:
    """A worker on this machine takes neither sudo nor a terminal."""
    name = next(iter(settings))
    with pytest.raises(UsageError) as caught:
        Task().shell("true", nodes="a", worker="exec", **settings)
    assert str(caught.value) == f"{name}= is of no use to the worker 'exec'"
    Task().shell("true", nodes="a", worker="exec", sudo=False, pty=False)


def test_a_copy_reads_no_input(source: Path) -> None:
    """Nothing can be written to it."""
    with pytest.raises(UsageError, match=r"^a copy reads no input: nothing can be written to it$"):
        Task().copy(source, "/x", "a").write(b"x")
