"""Tests of asynctask.testing.cluster."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio
import asyncssh
import pytest

import asynctask
from asynctask import SSHOptions
from asynctask.errors import EmptyTargetsError, TaskStateError, UsageError
from asynctask.testing import Cluster, ClusterStatistics, Fault, loopback
from tests.testing.clients import connect, exit_of, needs_ssh, open_files, run_ssh, until


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        (1, ("node1",)),
        (3, ("node1", "node2", "node3")),
        ("web[1-2],db-1.example", ("web1", "web2", "db-1.example")),
        (["b[1-2]", "a", "b1"], ("b1", "b2", "a")),
        (["b", "a"], ("b", "a")),
        ((name for name in "xy"), ("x", "y")),
    ],
)
def test_names(nodes: int | str | Iterable[str], names: tuple[str, ...]) -> None:
    """A number, a node set or names, in the order given."""
    assert Cluster(nodes).nodes == names


@pytest.mark.parametrize("nodes", [0, [], ""])
def test_no_nodes(nodes: int | str | list[str]) -> None:
    """A cluster of nothing is an error."""
    with pytest.raises(EmptyTargetsError):
        Cluster(nodes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cluster(["a b"]), "a b"),
        (lambda: Cluster(["-a"]), "'-a' cannot be the name of a node"),
        (lambda: Cluster(["../a"]), "'../a' cannot be the name of a node"),
        (lambda: Cluster(["a"], faults={"b": Fault.AUTH}), "no node 'b'"),
        (lambda: Cluster(["a"], jump="b"), "no node 'b'"),
        (lambda: Cluster(1, keys=False), "nobody could log in"),
        (lambda: Cluster(1, max_sessions=0), "max_sessions=0: 1 or more"),
    ],
)
def test_misuse(make: Callable[[], Cluster], message: str) -> None:
    """What can never work is refused at the call."""
    with pytest.raises(UsageError, match=message):
        make()


async def test_each_node_is_an_address(cluster: Cluster) -> None:
    """All nodes share the port."""
    (first, port), (second, other_port) = map(cluster.address, cluster.nodes)
    assert (first, second) == ("127.1.0.1", "127.1.0.2")
    assert port == other_port


async def test_asyncssh_reaches_every_node(cluster: Cluster) -> None:
    """The configuration file is enough to reach a node by its name."""
    for node in cluster.nodes:
        async with connect(cluster, node) as connection:
            assert (await connection.run("hostname")).stdout == f"{node}\n"


@needs_ssh
async def test_real_ssh_reaches_every_node(cluster: Cluster) -> None:
    """For OpenSSH too, and without a word on stderr."""
    for node in cluster.nodes:
        finished = await run_ssh(cluster.ssh_config, node, "hostname")
        assert (finished.code, finished.stdout, finished.stderr) == (0, f"{node}\n".encode(), b"")


async def test_nodes_have_their_own_host_keys(cluster: Cluster) -> None:
    """A client that ends up on the wrong node would notice."""
    keys = [line.split(None, 1)[1] for line in cluster.known_hosts.read_text().splitlines()]
    assert len(set(keys)) == 2


async def test_nodes_have_their_own_homes(cluster: Cluster) -> None:
    """What one node writes, the other does not see."""
    async with connect(cluster, "node1") as connection:
        await connection.run("echo one >file")
    async with connect(cluster, "node2") as connection:
        assert (await connection.run("ls")).stdout == ""
    assert (cluster.home("node1") / "file").read_text() == "one\n"


async def test_the_files_are_private(cluster: Cluster) -> None:
    """Nobody else can look into the directory."""
    assert cluster.ssh_config.parent.stat().st_mode & 0o077 == 0


async def test_the_user_has_a_name() -> None:
    """The name to log in with can be chosen; the configuration has it."""
    async with Cluster(1, user="operator") as cluster, connect(cluster) as connection:
        assert (await connection.run("echo $USER $LOGNAME")).stdout == "operator operator\n"


async def test_statistics() -> None:
    """Connections and commands are counted while they go on and after."""
    async with Cluster(2) as cluster:
        async with connect(cluster, "node1") as connection:
            async with connection.create_process("cat") as process:
                process.stdin.write("x\n")
                await process.stdout.readline()
                now = cluster.statistics()
                assert now == ClusterStatistics(
                    connections=1, open_connections=1, logins=1, commands={"node1": 1, "node2": 0}, running=1
                )
            await connection.run("true")
        await cluster.wait_idle()
    assert cluster.statistics() == ClusterStatistics(
        connections=1, open_connections=0, logins=1, commands={"node1": 2, "node2": 0}, running=0
    )


async def test_environment_that_is_asked_for() -> None:
    """What matches the patterns reaches the command, the rest is passed over, the node's own stays."""
    sent = {"FOO_BAR": "1", "FOO": "2", "LANG": "C", "USER": "root"}
    async with Cluster(1, accept_env=["FOO_*", "USER"]) as cluster, connect(cluster) as connection:
        done = await connection.run('echo "$FOO_BAR,$FOO,$LANG,$USER"', env=sent)
    assert done.stdout == "1,,,asynctask\n"


async def test_one_pattern_is_a_string() -> None:
    """It is not a sequence of letters."""
    async with Cluster(1, accept_env="FOO") as cluster, connect(cluster) as connection:
        assert (await connection.run("echo $FOO", env={"FOO": "1"})).stdout == "1\n"


@needs_ssh
async def test_jump() -> None:
    """All nodes but one are reached through that one."""
    async with Cluster(3, jump="node2") as cluster:
        for node in cluster.nodes:
            finished = await run_ssh(cluster.ssh_config, node, "hostname")
            assert (finished.code, finished.stdout) == (0, f"{node}\n".encode())
        assert cluster.statistics().connections == 5


async def test_wait_idle_says_what_goes_on(cluster: Cluster) -> None:
    """Waiting is bounded, and tells what it waited for."""
    async with connect(cluster) as connection:
        process = await connection.create_process("sleep 1000")
        await until(lambda: cluster.statistics().running == 1)
        with pytest.raises(
            TimeoutError, match=r"^not idle after 0.01 s: 1 connections open, 1 commands running$"
        ):
            await cluster.wait_idle(timeout=0.01)
        process.close()
    await cluster.wait_idle()


async def test_closing_leaves_nothing() -> None:
    """Running commands, open, silent and half-made connections: all of it is gone."""
    children = _has_children()
    await _close_a_busy_cluster()  # what the loop itself opens at first use is there from now on
    tasks = asyncio.all_tasks()
    files = open_files()
    await _close_a_busy_cluster()
    await until(lambda: open_files() <= files)
    await until(lambda: asyncio.all_tasks() == tasks)
    assert _has_children() == children


async def _close_a_busy_cluster() -> None:
    async with Cluster(3, faults={"node2": Fault.SILENT}) as cluster:
        directory = cluster.ssh_config.parent
        connection = await connect(cluster).__aenter__()
        process = await connection.create_process("trap '' TERM; sleep 1000 & echo $!; wait", encoding=None)
        grandchild = int(await process.stdout.readline())
        _, silent = await asyncio.open_connection(*cluster.address("node2"))
        _, half_made = await asyncio.open_connection(*cluster.address("node3"))
        await until(lambda: cluster.statistics().open_connections == 3)
    assert cluster.statistics().running == 0
    assert cluster.statistics().open_connections == 0
    assert not directory.exists()
    await exit_of(grandchild)
    silent.close()
    half_made.close()
    connection.abort()
    await connection.wait_closed()


async def test_closing_while_connections_come_in() -> None:
    """Clients that are just connecting are cut off, not left waiting."""
    async with Cluster(1) as cluster:
        clients = [asyncio.ensure_future(_connect_once(cluster)) for _ in range(5)]
        await until(lambda: cluster.statistics().connections >= 1)
    async with asyncio.timeout(10):
        await asyncio.gather(*clients)
    assert cluster.statistics().open_connections == 0


async def _connect_once(cluster: Cluster) -> None:
    try:
        async with connect(cluster):
            pass
    except (OSError, asyncssh.Error):
        pass


@pytest.mark.parametrize("how", ["native", "anyio"])
async def test_closing_survives_cancellation(how: str) -> None:
    """A cancelled test leaves no process, no connection and no file behind."""
    entered = asyncio.Event()
    seen: list[Path] = []
    children: list[int] = []
    clusters: list[Cluster] = []

    async def use() -> None:
        async with Cluster(1) as cluster:
            clusters.append(cluster)
            seen.append(cluster.ssh_config.parent)
            async with connect(cluster) as connection:
                process = await connection.create_process("echo $$; exec sleep 1000", encoding=None)
                children.append(int(await process.stdout.readline()))
                entered.set()
                await asyncio.Event().wait()

    if how == "native":
        task = asyncio.create_task(use())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(use)
            await entered.wait()
            group.cancel_scope.cancel()
    await exit_of(children[0])
    assert clusters[0].statistics().running == 0
    await until(lambda: not seen[0].exists())


async def test_an_exception_passes_through() -> None:
    """The cluster is closed and the error is the caller's."""
    seen: list[Path] = []

    async def fail() -> None:
        async with Cluster(1) as cluster:
            seen.append(cluster.ssh_config.parent)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert [directory.exists() for directory in seen] == [False]


async def test_a_failed_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was opened before the failure is closed again."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("asynctask.testing.cluster.write_client_files", fail)
    with pytest.raises(OSError, match="disk full"):
        async with Cluster(2):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_cluster_is_opened_once() -> None:
    """Neither twice at once nor again after closing."""
    cluster = Cluster(1)
    async with cluster:
        with pytest.raises(TaskStateError, match="opened once"):
            await cluster.__aenter__()
    with pytest.raises(TaskStateError, match="opened once"):
        await cluster.__aenter__()


@pytest.mark.parametrize(
    "use",
    [
        lambda cluster: cluster.ssh_config,
        lambda cluster: cluster.known_hosts,
        lambda cluster: cluster.address("node1"),
        lambda cluster: cluster.home("node1"),
        lambda cluster: cluster.fault("node1", Fault.AUTH),
        lambda cluster: cluster.disconnect("node1"),
    ],
)
async def test_use_while_not_open(use: Callable[[Cluster], object]) -> None:
    """Before and after it is open there is nothing to use."""
    cluster = Cluster(1)
    with pytest.raises(TaskStateError, match="the cluster is not open"):
        use(cluster)
    async with cluster:
        use(cluster)
    with pytest.raises(TaskStateError, match="the cluster is not open"):
        use(cluster)


@pytest.mark.parametrize("use", ["address", "home", "disconnect"])
async def test_unknown_node(cluster: Cluster, use: str) -> None:
    """A name that is no node's is an error."""
    with pytest.raises(UsageError, match="no node 'node9'"):
        getattr(cluster, use)("node9")


def test_another_loop_cannot_close_it() -> None:
    """Leaving in another event loop than the one of the nodes is refused."""
    with asyncio.Runner() as home, asyncio.Runner() as elsewhere:
        cluster = home.run(Cluster(1).__aenter__())
        with pytest.raises(TaskStateError, match="left in the event loop"):
            elsewhere.run(cluster.__aexit__(None, None, None))
        home.run(cluster.__aexit__(None, None, None))


async def test_five_hundred_nodes() -> None:
    """A large cluster costs one descriptor a node and no task; its last node works."""
    tasks = len(asyncio.all_tasks())
    sockets = open_files("socket:")
    async with Cluster(500) as cluster:
        assert len(open_files("socket:") - sockets) == 500
        assert len(asyncio.all_tasks()) == tasks
        async with connect(cluster, "node500") as connection:
            assert (await connection.run("hostname")).stdout == "node500\n"


async def test_where_there_is_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 127.0.0.1 is the only local address, each node has a port and all else is the same."""

    async def bind_nodes(count: int) -> list[socket.socket]:
        return [loopback.bind("127.0.0.1", 0) for _ in range(count)]

    monkeypatch.setattr("asynctask.testing.cluster.bind_nodes", bind_nodes)
    async with Cluster(2) as cluster:
        assert [cluster.address(node)[0] for node in cluster.nodes] == ["127.0.0.1", "127.0.0.1"]
        for node in cluster.nodes:
            async with connect(cluster, node) as connection:
                assert (await connection.run("hostname")).stdout == f"{node}\n"


async def test_waiting_for_commands_alone() -> None:
    """A task that is entered keeps its connections, and nothing may run all the same."""
    async with Cluster(1) as cluster, asynctask.Task(ssh=SSHOptions(config=cluster.ssh_config)) as task:
        task.shell("true", nodes="node1")
        await task.run()
        await cluster.wait_idle(connections=False)
        assert cluster.statistics().open_connections == 1
        with pytest.raises(
            TimeoutError, match=r"^not idle after 0\.01 s: 1 connections open, 0 commands running$"
        ):
            await cluster.wait_idle(0.01)
