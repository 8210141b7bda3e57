"""Tests of asynctask.ssh.connect: new host keys, and logging in with passwords."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.errors import AuthenticationError, ConnectionFailedError, HostKeyError
from asynctask.ssh.answers import Question
from asynctask.ssh.connect import Connector
from asynctask.ssh.connection import close_connection
from asynctask.ssh.pool import ConnectionPool
from asynctask.testing import Cluster, Fault
from tests.ssh.connecting import PATIENCE, connect, connector, failure
from tests.support import turns

# -- host keys that nobody knows ------------------------------------------------------------------------


def _accepting(cluster: Cluster, **changes: Any) -> SSHOptions:
    return SSHOptions(config=cluster.ssh_config, **{"host_keys": "accept-new", **changes})


async def test_a_new_host_key_is_recorded(cluster: Cluster) -> None:
    """Once; from then on the node is known, also to who is strict."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    known = cluster.known_hosts.read_text()
    async with connector(_accepting(cluster)) as connecting:
        for _ in range(2):
            await close_connection(await connect(connecting, "node1"))
    added = cluster.known_hosts.read_text().removeprefix(known)
    assert added.count("\n") == 1
    assert added.split()[:2] == ["node1", "ssh-ed25519"]
    async with connector(_accepting(cluster, host_keys="strict")) as connecting:
        await close_connection(await connect(connecting, "node1"))
    assert cluster.known_hosts.read_text() == known + added


async def test_a_new_host_key_is_recorded_once_for_many(cluster: Cluster) -> None:
    """Who comes at the same time does not record it again."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    before = cluster.known_hosts.read_text().count("\n")
    async with connector(_accepting(cluster)) as connecting:
        connections = await asyncio.gather(*(connect(connecting, "node1") for _ in range(4)))
        await asyncio.gather(*map(close_connection, connections))
    assert cluster.known_hosts.read_text().count("\n") == before + 1


async def test_a_new_host_key_is_not_for_who_is_strict(cluster: Cluster) -> None:
    """It is refused and not recorded."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    before = cluster.known_hosts.read_text()
    error = await failure(_accepting(cluster, host_keys="strict"), "node1")
    assert type(error) is HostKeyError
    assert error.reason == f"host key unknown: node1 is not in {cluster.known_hosts}"
    assert cluster.known_hosts.read_text() == before


@pytest.mark.parametrize("policy", ["accept-new", "strict"])
async def test_a_changed_host_key_is_refused(cluster: Cluster, policy: str) -> None:
    """It is no new one."""
    cluster.fault("node1", Fault.HOST_KEY_CHANGED)
    before = cluster.known_hosts.read_text()
    error = await failure(_accepting(cluster, host_keys=policy), "node1")
    assert type(error) is HostKeyError
    assert error.reason.startswith(f"host key changed; the known one is in {cluster.known_hosts} line ")
    assert cluster.known_hosts.read_text() == before


async def test_a_host_key_that_changes_meanwhile(cluster: Cluster) -> None:
    """One that was accepted in this run is as good as one on record."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    async with connector(_accepting(cluster)) as connecting:
        await close_connection(await connect(connecting, "node1"))
        cluster.fault("node1", Fault.HOST_KEY_CHANGED)
        with pytest.raises(HostKeyError, match=r"^node1: host key changed"):
            await connect(connecting, "node1")


async def test_a_new_host_key_without_a_login(cluster: Cluster) -> None:
    """Who does not get in has not used it: nothing is recorded."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    before = cluster.known_hosts.read_text()
    error = await failure(_accepting(cluster, user="nobody"), "node1")
    assert type(error) is AuthenticationError
    assert cluster.known_hosts.read_text() == before


# -- passwords ----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def guarded() -> AsyncIterator[Cluster]:
    """Five nodes that take a password and no key."""
    async with Cluster(5, password="open sesame", keys=False) as opened:
        yield opened


WAYS = ("PasswordAuthentication", "KbdInteractiveAuthentication")


def _without(cluster: Cluster, keyword: str) -> None:
    """Leave a way to log in out."""
    text = cluster.ssh_config.read_text()
    cluster.ssh_config.write_text(f"{keyword} no\n{text}")


async def _visit(connecting: Connector, nodes: Sequence[str]) -> None:
    """Connect to all at once and leave."""
    connections = await asyncio.gather(*(connect(connecting, node) for node in nodes))
    await asyncio.gather(*map(close_connection, connections))


@pytest.mark.parametrize("without", [None, *WAYS])
async def test_a_password(guarded: Cluster, without: str | None) -> None:
    """By either way in which a server asks for it."""
    if without is not None:
        _without(guarded, without)
    async with connector(SSHOptions(config=guarded.ssh_config, password="open sesame")) as connecting:
        await _visit(connecting, guarded.nodes)
    assert guarded.statistics().logins == 5


@pytest.mark.parametrize("without", WAYS)
async def test_a_wrong_password(guarded: Cluster, without: str) -> None:
    """It is tried once; whoever punishes wrong ones sees no more."""
    _without(guarded, without)
    error = await failure(SSHOptions(config=guarded.ssh_config, password="wrong"), "node1")
    assert type(error) is AuthenticationError
    assert str(error) == f"node1: login as {guarded.user} refused: wrong password"


async def test_nobody_knows_the_password(guarded: Cluster) -> None:
    """Then none is tried."""
    error = await failure(SSHOptions(config=guarded.ssh_config), "node1")
    assert type(error) is AuthenticationError
    assert error.reason.startswith(f"login as {guarded.user} refused, ")


@pytest.mark.parametrize(("each", "asked"), [(False, 1), (True, 5)])
@pytest.mark.parametrize("without", WAYS)
async def test_a_prompt(guarded: Cluster, without: str, each: bool, asked: int) -> None:
    """One question for all nodes, or one for each."""
    questions: list[Question] = []

    async def prompt(question: Question) -> str:
        questions.append(question)
        await turns(3)
        return "open sesame"

    _without(guarded, without)
    async with connector(SSHOptions(config=guarded.ssh_config, prompt=prompt, ask_each=each)) as connecting:
        await _visit(connecting, guarded.nodes)
        await _visit(connecting, guarded.nodes)
    assert len(questions) == asked
    assert {(question.kind, question.user, question.echo) for question in questions} == {
        ("password", guarded.user, False)
    }
    if each:
        assert {question.node for question in questions} == set(guarded.nodes)
        assert {question.text for question in questions} == {
            f"Password for {guarded.user}@{node}: " for node in guarded.nodes
        }
    else:
        assert questions[0].text == f"Password for {guarded.user}: "


async def test_nobody_answers(guarded: Cluster) -> None:
    """No answer is no password, for any node, and nobody is asked again."""
    asked: list[str] = []

    def prompt(question: Question) -> None:
        asked.append(question.node)

    async with connector(SSHOptions(config=guarded.ssh_config, prompt=prompt)) as connecting:
        results = await asyncio.gather(
            *(connect(connecting, node) for node in guarded.nodes), return_exceptions=True
        )
    assert [type(result) for result in results] == [AuthenticationError] * 5
    assert len(asked) == 1


async def test_a_prompt_that_fails(guarded: Cluster) -> None:
    """The node is told."""

    def prompt(question: Question) -> str:
        raise OSError("no terminal")

    error = await failure(SSHOptions(config=guarded.ssh_config, prompt=prompt), "node1")
    assert type(error) is AuthenticationError
    assert "the prompt for a password failed (OSError: no terminal)" in str(error)


async def test_a_slow_prompt_costs_no_time(guarded: Cluster) -> None:
    """The timeout of connecting is not for people: also for those who wait for the same answer."""
    seconds = 0.6

    async def prompt(question: Question) -> str:
        await asyncio.sleep(seconds + 0.2)
        return "open sesame"

    options = SSHOptions(config=guarded.ssh_config, prompt=prompt, retries=0)
    async with ConnectionPool() as pool:
        leases = await asyncio.gather(*(pool.lease(node, options, seconds) for node in guarded.nodes))
        for lease in leases:
            await lease.release()
    assert guarded.statistics().logins == 5


async def test_who_hangs_after_the_prompt(guarded: Cluster) -> None:
    """The time goes on when the answer is there."""

    async def prompt(question: Question) -> str:
        for node in guarded.nodes:
            guarded.fault(node, Fault.CHANNEL_HANGS)
        await asyncio.sleep(0.1)
        return "open sesame"

    options = SSHOptions(config=guarded.ssh_config, prompt=prompt, retries=0)
    async with ConnectionPool() as pool:
        lease = await pool.lease("node1", options, 0.5)
        with pytest.raises(ConnectionFailedError, match=r"did not start within 0.5 s$"):
            await asyncio.wait_for(lease.open(lambda connection: connection.run("true")), PATIENCE)
        await lease.release()
