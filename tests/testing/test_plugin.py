"""Tests of asynctask.testing.plugin, in runs of pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
import pytest_asyncio.plugin

from asynctask.testing import Cluster, fixtures, plugin

# Loaded here, they need not be loaded by each run in this process.
LOADED = (Cluster, fixtures, plugin)

USE = """
import asyncssh
import pytest

seen = []

async def hostname(cluster, node):
    async with asyncssh.connect(node, config=[str(cluster.ssh_config)]) as connection:
        return (await connection.run("hostname")).stdout
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on a test file, with this plugin and pytest-asyncio, in a directory of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Run(pytester)


class Run:
    """Runs pytest with the plugin."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.ini = {"asyncio_default_fixture_loop_scope": "function", "filterwarnings": "error"}

    def __call__(self, source: str, *arguments: str, asyncio: bool = True, **ini: str) -> pytest.RunResult:
        """Write the file and the settings, run them."""
        settings = {**self.ini, **ini}
        self.pytester.makeini("[pytest]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        self.pytester.makepyfile(USE + dedent(source))
        plugins = [plugin, pytest_asyncio.plugin] if asyncio else [plugin]
        return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments, plugins=plugins)


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_cluster_in_the_loop_of_the_test(run: Run, scope: str, mode: str) -> None:
    """Whatever loop a test runs in, its cluster is served by it; each test has a new one."""
    result = run(
        f"""
        @pytest.mark.asyncio(loop_scope="{scope}")
        @pytest.mark.parametrize("turn", [1, 2])
        class TestCluster:
            async def test_use(self, asynctask_cluster, turn):
                assert await hostname(asynctask_cluster, "node8") == "node8\\n"
                seen.append(asynctask_cluster)
                assert seen[-1].statistics().connections == 1
                assert [each.statistics().open_connections for each in seen[:-1]] == [0] * (turn - 1)
        """,
        asyncio_mode=mode,
    )
    result.assert_outcomes(passed=2)


def test_loop_scope_from_the_settings(run: Run) -> None:
    """A test without a marker runs in the loop that the settings name."""
    result = run(
        """
        async def test_use(asynctask_cluster):
            assert await hostname(asynctask_cluster, "node1") == "node1\\n"
        """,
        asyncio_mode="auto",
        asyncio_default_test_loop_scope="session",
    )
    result.assert_outcomes(passed=1)


def test_all_fixtures_share_the_cluster(run: Run) -> None:
    """Within one test the cluster is one, also for fixtures of the user's own."""
    result = run(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def busy(asynctask_cluster):
            await hostname(asynctask_cluster, "node2")
            return asynctask_cluster

        async def test_use(busy, asynctask_cluster):
            assert busy is asynctask_cluster
            assert asynctask_cluster.statistics().commands["node2"] == 1
        """,
        asyncio_mode="auto",
    )
    result.assert_outcomes(passed=1)


def test_cluster_size(run: Run) -> None:
    """The ini option says how many nodes there are."""
    result = run(
        """
        async def test_use(asynctask_cluster):
            assert asynctask_cluster.nodes == ("node1", "node2", "node3")
        """,
        asyncio_mode="auto",
        asynctask_cluster_size="3",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("size", ["0", "many", "-1"])
def test_impossible_cluster_size(run: Run, size: str) -> None:
    """A size that is none is said to be wrong."""
    result = run(
        "async def test_use(asynctask_cluster): pass", asyncio_mode="auto", asynctask_cluster_size=size
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*asynctask_cluster_size = {size}: a number of nodes, 1 or more*"])


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_factory(run: Run, scope: str) -> None:
    """Clusters of any shape, several at once, closed after the test."""
    result = run(
        f"""
        from asynctask.testing import Fault

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_use(asynctask_cluster_factory):
            web = await asynctask_cluster_factory("web[1-2]", faults={{"web2": Fault.REFUSED}})
            db = await asynctask_cluster_factory(1, user="dba")
            assert await hostname(web, "web1") == "web1\\n"
            assert await hostname(db, "node1") == "node1\\n"
            with pytest.raises(ConnectionRefusedError):
                await hostname(web, "web2")
            seen.extend([web.ssh_config, db.ssh_config])

        def test_after():
            assert [config.exists() for config in seen] == [False, False]
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_task(run: Run, scope: str) -> None:
    """The task reaches the nodes of the cluster by their names, without more settings."""
    result = run(
        f"""
        @pytest.mark.asyncio(loop_scope="{scope}")
        @pytest.mark.parametrize("turn", [1, 2])
        async def test_use(asynctask_task, asynctask_cluster, turn):
            asynctask_task.shell("hostname", nodes="node[1-3]")
            result = await asynctask_task.run()
            for node in ("node1", "node2", "node3"):
                assert bytes(result.node_buffer(node)) == node.encode()
            assert asynctask_cluster.statistics().connections == 3
        """
    )
    result.assert_outcomes(passed=2)


def test_cluster_is_closed_when_the_test_fails(run: Run) -> None:
    """A failing test leaves nothing to the next one."""
    result = run(
        """
        async def test_fail(asynctask_cluster):
            seen.append(asynctask_cluster.ssh_config.parent)
            connecting = asyncssh.connect("node1", config=[str(asynctask_cluster.ssh_config)])
            connection = await connecting.__aenter__()
            await connection.create_process("sleep 1000")
            seen.append(asynctask_cluster)
            raise LookupError

        def test_after():
            directory, cluster = seen
            assert not directory.exists()
            assert cluster.statistics().running == 0
        """,
        asyncio_mode="auto",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E * LookupError"])


def test_sync_tests_are_told(run: Run) -> None:
    """A plain test would wait for ever for nodes that no loop serves."""
    result = run("def test_use(asynctask_cluster): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*asynctask_cluster is for async tests that pytest-asyncio runs*"])


def test_without_pytest_asyncio(run: Run) -> None:
    """The fixture says what is missing; other tests are not disturbed."""
    del run.ini["asyncio_default_fixture_loop_scope"]
    result = run("def test_use(asynctask_cluster): pass\ndef test_other(): pass", asyncio=False)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*asynctask_cluster needs the plugin pytest-asyncio*"])


def test_fixtures_are_listed(run: Run) -> None:
    """``pytest --fixtures`` explains the public fixtures and hides what is behind them."""
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines(["asynctask_cluster -- *", "*An open *Cluster* for this test.*"])
    result.stdout.no_fnmatch_line("_asynctask*")


def test_costs_nothing_unused() -> None:
    """Loading the plugin, as every run of pytest does, loads nothing else that is heavy."""
    script = f"""
import sys
import pytest, pytest_asyncio
before = set(sys.modules)
import {plugin.__name__}
from asynctask.testing import fixtures
heavy = {{"asyncssh", "anyio", "ClusterShell", "click", "rich", "uvloop", "cryptography"}}
print(*sorted(heavy & {{name.partition(".")[0] for name in set(sys.modules) - before}}))
print(*sorted(name for name in set(sys.modules) - before if name.startswith("asynctask")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = "asynctask asynctask._version asynctask.testing asynctask.testing.fixtures"
    assert done.stdout.splitlines() == ["", f"{modules} {plugin.__name__}"]
