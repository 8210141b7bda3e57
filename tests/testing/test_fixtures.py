"""Tests of asynctask.testing.fixtures; what the fixtures do is tested in test_plugin."""

from __future__ import annotations

import itertools

import pytest

from asynctask.testing import fixtures

PUBLIC = ("asynctask_cluster", "asynctask_cluster_factory", "asynctask_task")
SCOPES = ("function", "class", "module", "package", "session")


def test_there_is_a_fixture_for_each_loop(request: pytest.FixtureRequest) -> None:
    """Each public fixture has one behind it for each loop scope of pytest-asyncio."""
    wanted = {fixtures.internal_name(*pair) for pair in itertools.product(PUBLIC, SCOPES)}
    found = {value.name for value in vars(fixtures).values() if hasattr(value, "_fixture_function_marker")}
    assert found == wanted


def test_internal_names_do_not_clash() -> None:
    """A name tells the fixture and the loop."""
    assert fixtures.internal_name("x", "module") == "_x_in_module_loop"
