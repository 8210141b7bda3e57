"""The interface to what starts processes."""

from __future__ import annotations

import inspect

import pytest

from asynctask.manager.launching import Ears, Exit, Launcher, Running
from asynctask.manager.life import Life
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.local.running import LocalRunning
from asynctask.manager.remote.launcher import RemoteLauncher
from asynctask.manager.remote.running import RemoteRunning
from tests.manager.fakes import FakeLauncher, FakeProcess

pytestmark = pytest.mark.one_loop("an interface")

KINDS = [
    (Launcher, LocalLauncher),
    (Launcher, RemoteLauncher),
    (Launcher, FakeLauncher),
    (Running, LocalRunning),
    (Running, RemoteRunning),
    (Running, FakeProcess),
    (Ears, Life),
]


@pytest.mark.parametrize(("interface", "kind"), KINDS)
def test_who_takes_the_part_has_what_it_needs(interface: type, kind: type) -> None:
    """The same methods, which are awaited or not."""
    wanted = {name: each for name, each in vars(interface).items() if inspect.isfunction(each)}
    for name, method in wanted.items():
        if not name.startswith("_"):
            have = getattr(kind, name)
            assert inspect.iscoroutinefunction(have) == inspect.iscoroutinefunction(method), name
            assert list(inspect.signature(have).parameters) == list(inspect.signature(method).parameters)


def test_nobody_knows_is_an_end_of_its_own() -> None:
    """Neither a code nor a signal."""
    assert Exit(None) == Exit(None, None) != Exit(0)
