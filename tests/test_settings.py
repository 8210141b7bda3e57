"""Tests of asynctask.settings."""

from __future__ import annotations

import inspect

import asynctask
from asynctask.settings import (
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_FANOUT,
    DEFAULTS,
    LOCAL,
    CopySettings,
    ShellSettings,
    WorkerSettings,
)
from asynctask.workers.base import DEFAULT_GRACE, Worker
from asynctask.workers.copy import CopyWorker
from asynctask.workers.ssh import SSHWorker


def test_the_defaults_are_clustershells() -> None:
    """Fanout 64 and ten seconds to connect."""
    assert (DEFAULT_FANOUT, DEFAULT_CONNECT_TIMEOUT, DEFAULT_GRACE) == (64, 10.0, 3.0)
    assert asynctask.Task().fanout == DEFAULT_FANOUT


def test_every_setting_of_a_task_has_a_default() -> None:
    """Except the worker, which depends on whether nodes are named."""
    assert WorkerSettings.__annotations__.keys() - DEFAULTS.keys() == {"worker"}


def test_a_command_takes_what_a_task_takes_and_more() -> None:
    """The task's settings are defaults for each of its commands."""
    more = ShellSettings.__annotations__.keys() - WorkerSettings.__annotations__.keys()
    assert more == {"nodes", "key", "fanout", "stdin", "env", "args", "sudo", "pty", "autoclose", "options"}
    assert WorkerSettings.__annotations__.keys() < ShellSettings.__annotations__.keys()


def test_every_setting_is_described() -> None:
    """The documentation is made from the docstrings."""
    assert all(f"{name}: " in str(WorkerSettings.__doc__) for name in WorkerSettings.__annotations__)
    for settings in (ShellSettings, CopySettings):
        more = settings.__annotations__.keys() - WorkerSettings.__annotations__.keys()
        assert all(f"{name}: " in str(settings.__doc__) for name in more)


def test_every_setting_goes_somewhere() -> None:
    """To the worker, unless the task itself makes something of it."""
    of_workers = inspect.signature(Worker.__init__).parameters | inspect.signature(SSHWorker).parameters
    used_by_the_task = {"worker", "key", "options"}
    assert ShellSettings.__annotations__.keys() - used_by_the_task <= of_workers.keys()
    of_copies = inspect.signature(Worker.__init__).parameters | inspect.signature(CopyWorker).parameters
    assert CopySettings.__annotations__.keys() - used_by_the_task <= of_copies.keys()


def test_no_nodes_named_is_not_an_empty_set() -> None:
    """The mark for it shows as a name and is true, so nobody takes it for empty."""
    assert (repr(LOCAL), bool(LOCAL)) == ("LOCAL", True)
