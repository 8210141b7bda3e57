"""What becomes of a node with each fault, through the public API; the nodes beside it notice nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

import asynctask
from asynctask import Outcome, Result, SSHOptions
from asynctask.ssh import groups as groups_module
from asynctask.ssh import session as session_module
from asynctask.testing import Cluster, Fault
from asynctask.testing.misbehaving import NOT_UTF8

Lines = dict[str, list[tuple[str, bytes]]]

ILL = "node2"
COMMAND = "echo hello; head -c 200000 /dev/zero"
OUTPUT = b"hello\n" + bytes(200_000)


@dataclass(frozen=True)
class Row:
    """A line of the table: fault, outcome, message."""

    fault: Fault
    outcome: Outcome
    message: str = ""
    """How the error begins after the node's name; nothing: there is no error."""
    rc: int | None = None
    signal: int | None = None
    out: bytes | None = b""
    """``None``: another test looks at it."""
    dropped: int = 0
    """How many connections the node dropped."""


# The place is the node's address and port; {n} is how often it was tried.
TABLE = [
    Row(Fault.REFUSED, Outcome.REFUSED, "{place} refused the connection"),
    Row(Fault.SILENT, Outcome.UNREACHABLE, "no login within 0.5 s"),
    Row(Fault.RESET, Outcome.UNREACHABLE, "{place} closed the connection before the login", dropped=3),
    Row(
        Fault.GARBAGE_BANNER,
        Outcome.UNREACHABLE,
        "{place}: the SSH handshake failed (Banner line too long)",
    ),
    Row(Fault.DROP_KEX, Outcome.UNREACHABLE, "{place} closed the connection before the login", dropped=3),
    Row(Fault.DROP_HALF, Outcome.OK, rc=0, out=OUTPUT, dropped=1),
    Row(
        Fault.MAX_STARTUPS,
        Outcome.UNREACHABLE,
        "{place} closed the connection before the login (Exceeded MaxStartups)",
        dropped=3,
    ),
    Row(
        Fault.PENALTY,
        Outcome.UNREACHABLE,
        "{place} takes no connection from here for now (Not allowed at this time)",
        dropped=1,
    ),
    Row(Fault.NEVER_CLOSES, Outcome.OK, rc=0, out=OUTPUT),
    Row(Fault.AUTH, Outcome.AUTH_FAILED, "login as asynctask refused"),
    Row(
        Fault.HOST_KEY_CHANGED, Outcome.HOST_KEY, "host key changed; the known one is in {known_hosts} line 2"
    ),
    Row(Fault.HOST_KEY_UNKNOWN, Outcome.HOST_KEY, "host key unknown: node2 is not in {known_hosts}"),
    Row(Fault.NO_CHANNEL, Outcome.SPAWN_FAILED, "the server did not run the command: open failed"),
    Row(Fault.CHANNEL_HANGS, Outcome.UNREACHABLE, "logged in, but the command did not start within 0.5 s"),
    Row(Fault.NO_EXEC, Outcome.SPAWN_FAILED, "the server did not run the command: Session request failed"),
    Row(Fault.EXEC_HANGS, Outcome.UNREACHABLE, "logged in, but the command did not start within 0.5 s"),
    Row(Fault.CHATTY, Outcome.OK, rc=0, out=b"*** node2 ***\n" + OUTPUT),
    Row(Fault.INVALID_UTF8, Outcome.OK, rc=0, out=NOT_UTF8 + OUTPUT),
    Row(Fault.DROP, Outcome.UNREACHABLE, "connection lost while the command ran (", out=None),
    Row(Fault.KILLED, Outcome.SIGNALLED, rc=137, signal=9, out=None),
    Row(
        Fault.NO_STATUS,
        Outcome.UNREACHABLE,
        "connection lost while the command ran (the server closed the channel)",
        out=OUTPUT,
    ),
    Row(Fault.LINGERS, Outcome.OK, rc=0, out=OUTPUT),
    Row(Fault.FLOOD_STDOUT, Outcome.TIMED_OUT, out=None),
    Row(Fault.FLOOD_STDERR, Outcome.TIMED_OUT, out=None),
    Row(Fault.DRIPS, Outcome.TIMED_OUT, out=b"h"),
    Row(Fault.THROTTLED, Outcome.TIMED_OUT, out=None),
]
# These are over only when their time is: it is short, but long enough for the others on a busy machine.
WITHOUT_START = {Fault.SILENT, Fault.CHANNEL_HANGS, Fault.EXEC_HANGS}
WITHOUT_END = {Fault.FLOOD_STDOUT, Fault.FLOOD_STDERR, Fault.DRIPS, Fault.THROTTLED}


@pytest_asyncio.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """Three nodes; what an ill one is given to show that its command has ended is short."""
    monkeypatch.setattr(groups_module, "FIND_WAIT", 0.1)
    monkeypatch.setattr(session_module, "KILL_WAIT", 0.1)
    monkeypatch.setattr(session_module, "OUTPUT_GRACE", 0.1)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    async with Cluster(3) as opened:
        yield opened


async def _run(cluster: Cluster, command: str, **settings: Any) -> Result:
    settings = {"connect_timeout": 10, "timeout": 10, "grace": 0.05, **settings}
    ssh = SSHOptions(config=cluster.ssh_config, retries=2)
    return await asynctask.run(command, nodes=cluster.nodes, ssh=ssh, **settings)


def _undisturbed(cluster: Cluster, result: Result) -> None:
    well = [node for node in cluster.nodes if node != ILL]
    assert [(result[node].outcome, result[node].stdout) for node in well] == [(Outcome.OK, OUTPUT)] * 2


def test_the_table_is_complete() -> None:
    """Each fault has one line."""
    assert sorted(row.fault.name for row in TABLE) == sorted(fault.name for fault in Fault)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault.name)
async def test_outcome(cluster: Cluster, row: Row) -> None:
    """The ill node ends with its outcome, and the message says what was wrong; the others are well."""
    cluster.fault(ILL, row.fault)
    result = await _run(
        cluster,
        COMMAND,
        connect_timeout=0.5 if row.fault in WITHOUT_START else 10,
        timeout=0.5 if row.fault in WITHOUT_END else 10,
    )
    ill = result[ILL]
    address, port = cluster.address(ILL)
    message = row.message.format(place=f"port {port} of {address}", known_hosts=cluster.known_hosts)
    assert (ill.outcome, ill.rc, ill.signal) == (row.outcome, row.rc, row.signal), ill.error
    assert (ill.error is not None) == bool(message)
    assert str(ill.error or "").startswith(f"{ILL}: {message}" if message else "")
    if row.out is not None:
        assert ill.stdout == row.out
    assert cluster.statistics().dropped == row.dropped
    _undisturbed(cluster, result)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.KILLED])
async def test_what_came_before_the_end_is_kept(cluster: Cluster, fault: Fault) -> None:
    """The output of a command that was cut off is there up to the cut."""
    cluster.fault(ILL, fault)
    result = await _run(cluster, 'echo hello; [ "$(hostname)" != node2 ] || exec sleep 1000')
    assert [each.stdout for each in result.values()] == [b"hello\n"] * 3


async def _lines_until(cluster: Cluster, command: str, enough: dict[str, int], **settings: Any) -> Lines:
    """Take what comes until each node has printed so many lines, then stop it all."""
    ssh = SSHOptions(config=cluster.ssh_config)
    lines: Lines = {node: [] for node in enough}
    async with asynctask.stream(command, nodes=cluster.nodes, ssh=ssh, grace=0.05, **settings) as output:
        async for node, stream, line in output:
            lines[node].append((stream, line))
            if all(len(lines[each]) >= count for each, count in enough.items()):
                break
    return lines


async def test_a_flood_does_not_drown_the_others(cluster: Cluster) -> None:
    """A reader gets whole lines of the flood, and all that the other nodes print."""
    cluster.fault(ILL, Fault.FLOOD_STDOUT)
    lines = await _lines_until(cluster, "seq 500", {"node1": 500, ILL: 10_000, "node3": 500})
    assert set(lines.pop(ILL)) == {("stdout", b"flood")}
    numbers = [("stdout", str(number).encode()) for number in range(1, 501)]
    assert lines == {"node1": numbers, "node3": numbers}


async def test_a_flood_of_stderr_while_stdin_is_full(cluster: Cluster) -> None:
    """Input that nobody takes and errors without end on one node; the others get all of their input."""
    cluster.fault(ILL, Fault.FLOOD_STDERR)
    data = bytes(3 << 20)
    enough = {"node1": 1, ILL: 10_000, "node3": 1}
    lines = await _lines_until(cluster, "wc -c", enough, stdin=data, stderr=True)
    assert set(lines.pop(ILL)) == {("stderr", b"flood")}
    assert [(stream, line.strip()) for ((stream, line),) in lines.values()] == [("stdout", b"3145728")] * 2


async def test_a_slow_line_loses_nothing(cluster: Cluster) -> None:
    """A node at 1 KiB a second that is given the time ends well, with all of its output."""
    cluster.fault(ILL, Fault.THROTTLED)
    result = await _run(cluster, "head -c 384 /dev/zero; exit 3")
    assert [(each.outcome, each.rc) for each in result.values()] == [(Outcome.FAILED, 3)] * 3
    assert [each.stdout for each in result.values()] == [bytes(384)] * 3


async def test_a_slow_line_that_is_not_given_the_time(cluster: Cluster) -> None:
    """What came until then is kept."""
    cluster.fault(ILL, Fault.THROTTLED)
    result = await _run(cluster, COMMAND, timeout=0.5)
    out = result[ILL].stdout
    assert 128 <= len(out) < 4096
    assert OUTPUT.startswith(out)
    _undisturbed(cluster, result)


@pytest.mark.parametrize("fault", [Fault.AUTH, Fault.HOST_KEY_CHANGED, Fault.HOST_KEY_UNKNOWN, Fault.PENALTY])
async def test_is_not_tried_again(cluster: Cluster, fault: Fault) -> None:
    """A server that means it is asked once."""
    cluster.fault(ILL, fault)
    await _run(cluster, COMMAND)
    assert cluster.statistics().connections == 3


async def test_all_nodes_drop_half(cluster: Cluster) -> None:
    """Where every server drops every other connection, every node ends well."""
    for node in cluster.nodes:
        cluster.fault(node, Fault.DROP_HALF)
    result = await _run(cluster, COMMAND)
    assert result.ok
    now = cluster.statistics()
    assert (now.connections, now.dropped, now.logins) == (6, 3, 3)


@pytest.mark.one_loop("what a fault leaves behind in the cluster is no matter of the loop")
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
async def test_is_well_again(cluster: Cluster, fault: Fault) -> None:
    """A fault that was taken back leaves no trace in the next run."""
    cluster.fault(ILL, fault)
    await _run(cluster, "echo first", timeout=0.2, connect_timeout=0.2)
    cluster.fault(ILL, None)
    result = await _run(cluster, COMMAND)
    assert [(each.outcome, each.stdout) for each in result.values()] == [(Outcome.OK, OUTPUT)] * 3
