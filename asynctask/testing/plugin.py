"""The pytest plugin: test clusters and a ready task as fixtures.

Every run of pytest imports this module where asynctask is installed: so it imports nothing but
pytest, and the rest when a fixture is used. The fixtures need pytest-asyncio and are for async tests
in any of its loop scopes: what a test gets lives, and is closed, in the event loop that the test runs
in. For a cluster that several tests share, write a fixture of your own round ``Cluster``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asynctask.task import Task
    from asynctask.testing.cluster import Cluster
    from asynctask.testing.fixtures import ClusterFactory

__all__ = ("asynctask_cluster", "asynctask_cluster_factory", "asynctask_task")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option for the size of the cluster."""
    parser.addini("asynctask_cluster_size", "how many nodes the fixture asynctask_cluster has", default="8")


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures behind those below, if pytest-asyncio is there to run them."""
    if _has_pytest_asyncio(config):
        from asynctask.testing import fixtures

        config.pluginmanager.register(fixtures, fixtures.__name__)


@pytest.fixture
def asynctask_cluster(request: pytest.FixtureRequest) -> Cluster:
    """An open ``asynctask.testing.Cluster`` for this test.

    Its nodes are node1 to node8, or as many as the ini option ``asynctask_cluster_size`` says.
    """
    cluster: Cluster = _of_loop(request, "asynctask_cluster")
    return cluster


@pytest.fixture
def asynctask_cluster_factory(request: pytest.FixtureRequest) -> ClusterFactory:
    """An async function that opens a cluster, which is closed after the test.

    It takes the arguments of ``asynctask.testing.Cluster``.
    """
    factory: ClusterFactory = _of_loop(request, "asynctask_cluster_factory")
    return factory


@pytest.fixture
def asynctask_task(request: pytest.FixtureRequest) -> Task:
    """An ``asynctask.Task`` that reaches the nodes of ``asynctask_cluster`` by their names.

    It is closed after the test.
    """
    task: Task = _of_loop(request, "asynctask_task")
    return task


def _of_loop(request: pytest.FixtureRequest, fixture: str) -> Any:
    if not _has_pytest_asyncio(request.config):
        pytest.fail(f"the fixture {fixture} needs the plugin pytest-asyncio", pytrace=False)
    marker = request.node.get_closest_marker("asyncio")
    if marker is None:
        pytest.fail(f"the fixture {fixture} is for async tests that pytest-asyncio runs", pytrace=False)
    from asynctask.testing.fixtures import internal_name

    marked = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope")  # ``scope`` is the old name
    loop_scope = marked or request.config.getini("asyncio_default_test_loop_scope")
    return request.getfixturevalue(internal_name(fixture, loop_scope))


def _has_pytest_asyncio(config: pytest.Config) -> bool:
    module = sys.modules.get("pytest_asyncio.plugin")
    return module is not None and config.pluginmanager.is_registered(module)
