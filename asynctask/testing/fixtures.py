"""What stands behind the fixtures of the pytest plugin: one set for each loop scope of pytest-asyncio.

An async fixture has a fixed loop, but a test may run in the loop of its function, class, module,
package or session. So each fixture exists once for each of these loops, all of them made anew for
each test, and the plugin hands a test those of its own loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynctask.nodes import NodeSet
    from asynctask.task import Task
    from asynctask.testing.cluster import Cluster
    from asynctask.testing.faults import Fault

__all__ = ("ClusterFactory", "internal_name")

_LoopScope = Literal["function", "class", "module", "package", "session"]
_LOOP_SCOPES: tuple[_LoopScope, ...] = ("function", "class", "module", "package", "session")


class ClusterFactory(Protocol):
    """What the fixture ``asynctask_cluster_factory`` is."""

    async def __call__(
        self,
        nodes: int | str | NodeSet | Iterable[str] = 8,
        *,
        faults: Mapping[str, Fault] | None = None,
        user: str = "asynctask",
    ) -> Cluster:
        """Open a cluster; it is closed after the test."""


def internal_name(fixture: str, loop_scope: str) -> str:
    """The name of the fixture behind a public one, for the loop of a scope."""
    return f"_{fixture}_in_{loop_scope}_loop"


def _factory_fixture(loop_scope: _LoopScope) -> Callable[..., Any]:
    @pytest_asyncio.fixture(
        name=internal_name("asynctask_cluster_factory", loop_scope), loop_scope=loop_scope
    )
    async def factory() -> AsyncIterator[ClusterFactory]:
        from asynctask.testing.cluster import Cluster

        async with AsyncExitStack() as clusters:

            async def start(nodes: int | str | NodeSet | Iterable[str] = 8, **options: Any) -> Cluster:
                return await clusters.enter_async_context(Cluster(nodes, **options))

            yield start

    return factory


def _cluster_fixture(loop_scope: _LoopScope) -> Callable[..., Any]:
    @pytest_asyncio.fixture(name=internal_name("asynctask_cluster", loop_scope), loop_scope=loop_scope)
    async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
        from asynctask.testing.cluster import Cluster

        async with Cluster(_size(request.config)) as opened:
            yield opened

    return cluster


def _task_fixture(loop_scope: _LoopScope) -> Callable[..., Any]:
    @pytest_asyncio.fixture(name=internal_name("asynctask_task", loop_scope), loop_scope=loop_scope)
    async def task(asynctask_cluster: Cluster) -> AsyncIterator[Task]:
        from asynctask.ssh.options import SSHOptions
        from asynctask.task import Task

        # An entered task holds no task group and no cancel scope, so it may be open over a yield.
        async with Task(ssh=SSHOptions(config=asynctask_cluster.ssh_config)) as entered:
            yield entered

    return task


def _size(config: pytest.Config) -> int:
    text = config.getini("asynctask_cluster_size")
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"asynctask_cluster_size = {text}: a number of nodes, 1 or more")
    return int(text)


for _scope in _LOOP_SCOPES:
    globals()[f"factory_in_{_scope}_loop"] = _factory_fixture(_scope)
    globals()[f"cluster_in_{_scope}_loop"] = _cluster_fixture(_scope)
    globals()[f"task_in_{_scope}_loop"] = _task_fixture(_scope)
