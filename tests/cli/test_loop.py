"""The event loop of the command line."""

from __future__ import annotations

import asyncio
import resource
import sys

import pytest

from asynctask.cli.loop import run_loop


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits on descriptors, as they were and as they were set; no real one changes."""
    made = [(100, 200)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: made[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    return made


def _module_of_loop() -> str:
    async def ask() -> int:
        modules.append(type(asyncio.get_running_loop()).__module__.split(".")[0])
        return 7

    modules: list[str] = []
    assert run_loop(ask()) == 7
    return modules[0]


def test_it_is_uvloop(limits: list[tuple[int, int]]) -> None:
    """Where there is one; what the coroutine returns is handed on."""
    assert _module_of_loop() == "uvloop"


def test_without_uvloop(limits: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own does."""
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert _module_of_loop() == "asyncio"


def test_all_descriptors_may_be_used(limits: list[tuple[int, int]]) -> None:
    """The soft limit is raised to the hard one, once."""
    _module_of_loop()
    _module_of_loop()

    assert limits == [(100, 200), (200, 200)]


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_limit_that_is_not_granted(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """It goes without."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert _module_of_loop() == "uvloop"


@pytest.mark.parametrize("hard", [1 << 30, resource.RLIM_INFINITY])
def test_more_descriptors_than_anybody_needs(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    """The limit stays within reason: programs that close all descriptors up to it would take for ever."""
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    _module_of_loop()

    assert made == [(16384, hard)]
