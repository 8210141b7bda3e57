"""Separate hosts, their links and bastions: what a run does when these are cut; and their harness."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import NodeResult, Outcome, Result, SSHOptions
from tests import netns
from tests.conftest_netns import hosts, network
from tests.netns import Host, Network
from tests.sshd import runs
from tests.support import Recorder, outcome_in_ci
from tests.testing.clients import until

__all__ = ("hosts", "network")

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0  # seconds; a test that needs them has failed
KEEPALIVE = 0.2
#: Seconds after which a dead link is known: three questions without an answer, and one for a slow machine.
NOTICED = KEEPALIVE * 3 + 1
BEHIND_ONE = ("db1", "db2", "db3")
BEHIND_TWO = ("deep1", "deep2")
USE_OF_THE_FIXTURE = """
from tests.conftest_netns import hosts, network

def test_use(hosts):
    raise AssertionError
"""


class Stage:
    """Commands on the hosts that say something, wait for the test, and say something again."""

    def __init__(self, hosts: Network, directory: Path) -> None:
        self.hosts = hosts
        self.heard = Recorder()
        self._go_on = directory / "go-on"
        self.command = f"echo here; until test -e {self._go_on}; do sleep 0.02; done; echo there"
        self.settings: dict[str, Any] = {"ssh": options(hosts), "handler": self.heard, "grace": 5}

    async def begin(self, *nodes: str) -> asyncio.Task[Result]:
        """Run the commands; they have said the first thing."""
        running = asyncio.create_task(asynctask.run(self.command, nodes=nodes, **self.settings))
        await until(
            lambda: running.done() or self.heard.results or self._have_spoken() == len(nodes), PATIENCE
        )
        assert {node: str(result.error) for node, result in self.heard.results.items()} == {}
        return running

    def go_on(self) -> None:
        """Have them say the second thing, and end."""
        self._go_on.touch()

    async def ended(self, *nodes: str) -> None:
        """Wait until the parts of these nodes are over."""
        await until(lambda: self.heard.results.keys() >= set(nodes), PATIENCE)

    def _have_spoken(self) -> int:
        return sum(event.endswith(" here") for event in self.heard.events)


@pytest.fixture
def stage(hosts: Network, tmp_path: Path) -> Stage:
    """The hosts, with commands that wait for the test."""
    return Stage(hosts, tmp_path)


def options(hosts: Network, **changes: Any) -> SSHOptions:
    """The way to the hosts."""
    return SSHOptions(**{"config": hosts.ssh_config, "keepalive": KEEPALIVE, **changes})


async def run(hosts: Network, command: str, *nodes: str, **settings: Any) -> Result:
    """Run a command to its end."""
    async with asyncio.timeout(PATIENCE):
        return await asynctask.run(command, nodes=nodes, **{"ssh": options(hosts), **settings})


def errors(result: Result) -> dict[str, str]:
    """What went wrong, for each node where something did."""
    return {node: str(result[node].error) for node in result if result[node].error is not None}


def said(results: dict[str, NodeResult] | Result, *nodes: str) -> set[tuple[Outcome, bytes]]:
    """How the parts of nodes ended, and all that they said."""
    return {(results[node].outcome, results[node].stdout) for node in nodes}


async def no_connections(*hosts: Host) -> None:
    """Wait until there are none to these; that one was closed is known on the other side a moment later."""
    await until(lambda: not any(host.connections() for host in hosts), PATIENCE)


# -- links ------------------------------------------------------------------------------------------


async def test_a_link_that_is_cut_mid_run(stage: Stage) -> None:
    """The node is unreachable, soon, with its output so far; the other one never hears of it."""
    running = await stage.begin("web1", "web2")
    stage.hosts["web1"].cut()
    cut = time.monotonic()
    await stage.ended("web1")
    assert time.monotonic() - cut < NOTICED
    assert list(stage.heard.results) == ["web1"]
    stage.go_on()
    result = await asyncio.wait_for(running, PATIENCE)
    assert said(result, "web1") == {(Outcome.UNREACHABLE, b"here\n")}
    assert said(result, "web2") == {(Outcome.OK, b"here\nthere\n")}
    assert "web1: connection lost while the command ran" in str(result["web1"].error)


async def test_a_link_that_comes_back_in_time(stage: Stage) -> None:
    """A short break is none: what was sent meanwhile is sent again."""
    stage.settings["ssh"] = options(stage.hosts, keepalive=5)
    running = await stage.begin("web1")
    stage.hosts["web1"].cut()
    stage.go_on()
    await asyncio.sleep(0.3)
    assert not running.done()
    stage.hosts["web1"].mend()
    assert said(await asyncio.wait_for(running, PATIENCE), "web1") == {(Outcome.OK, b"here\nthere\n")}


async def test_a_link_that_was_cut_before(hosts: Network) -> None:
    """The node is unreachable when the time to connect is up; the other one is done long since."""
    hosts["web1"].cut()
    begun = time.monotonic()
    result = await run(hosts, "echo here", "web1", "web2", connect_timeout=1)
    assert 0.99 <= time.monotonic() - begun < 1.5
    assert said(result, "web1") == {(Outcome.UNREACHABLE, b"")}
    assert said(result, "web2") == {(Outcome.OK, b"here\n")}


# -- kept connections -------------------------------------------------------------------------------


async def test_a_connection_is_kept_for_the_next_run(hosts: Network) -> None:
    """A task logs in once, and lets go of the connection at its end."""
    before = hosts["web1"].server.logins()
    async with asynctask.Task(ssh=options(hosts)) as task:
        for word in ("one", "two", "three"):
            task.shell(f"echo {word}", nodes=["web1"])
            result = await task.run()
            assert said(result, "web1") == {(Outcome.OK, f"{word}\n".encode())}
    assert hosts["web1"].server.logins() - before == 1
    await no_connections(hosts["web1"])


def _forgotten(host: Host) -> None:
    host.drop_connections()


def _ended(host: Host) -> None:
    host.server.end_sessions()


@pytest.mark.parametrize("die", [_forgotten, _ended])
async def test_a_kept_connection_that_died(hosts: Network, die: Callable[[Host], None]) -> None:
    """It is replaced, and the command runs, once: silently dead or closed by the server, nobody notices."""
    server = hosts["web1"].server
    lines = server.home / "lines"
    before = server.logins()
    try:
        async with asyncio.timeout(PATIENCE), asynctask.Task(ssh=options(hosts)) as task:
            for word in ("one", "two"):
                task.shell(f"echo {word} | tee -a ~/lines", nodes=["web1", "web2"])
                result = await task.run()
                assert errors(result) == {}
                assert said(result, "web1", "web2") == {(Outcome.OK, f"{word}\n".encode())}
                if word == "one":
                    die(hosts["web1"])
        assert lines.read_text() == "one\ntwo\n"
    finally:
        for host in hosts.values():
            (host.server.home / "lines").unlink(missing_ok=True)
    assert server.logins() - before == 2


# -- bastions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bastions", "targets"), [(("bastion",), BEHIND_ONE), (("bastion", "inner"), BEHIND_TWO)]
)
async def test_behind_bastions(stage: Stage, bastions: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """All targets share one connection to each bastion on the way, which is closed with the run."""
    on_the_way = [stage.hosts[name] for name in bastions]
    before = [host.server.logins() for host in on_the_way]
    running = await stage.begin(*targets)
    assert [host.connections() for host in on_the_way] == [1] * len(bastions)
    stage.go_on()
    result = await asyncio.wait_for(running, PATIENCE)
    assert said(result, *targets) == {(Outcome.OK, b"here\nthere\n")}
    assert [host.server.logins() - logins for host, logins in zip(on_the_way, before, strict=True)] == [
        1
    ] * len(bastions)
    await no_connections(*stage.hosts.values())


async def test_both_kinds_in_one_run(hosts: Network) -> None:
    """Direct, behind one and behind two: each is reached through the last bastion on its way."""
    nodes = ("web1", "bastion", *BEHIND_ONE, "inner", *BEHIND_TWO)
    result = await run(hosts, "echo $SSH_CONNECTION", *nodes)
    assert {node: result[node].stdout.decode().split()[:1] for node in nodes} == {
        node: [hosts[node].gateway] for node in nodes
    }
    await no_connections(*hosts.values())


async def test_cancelled_behind_bastions(stage: Stage) -> None:
    """Cancelled in the middle: nothing stays connected, on the bastions neither."""
    running = await stage.begin(*BEHIND_ONE, *BEHIND_TWO)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert said(stage.heard.results, *BEHIND_ONE, *BEHIND_TWO) == {(Outcome.ABORTED, b"here\n")}
    await no_connections(*stage.hosts.values())


async def test_cancelled_on_the_way(hosts: Network) -> None:
    """Cancelled at any moment of the three logins: the same."""
    for step in range(10):
        running = asyncio.create_task(run(hosts, "echo here", *BEHIND_TWO))
        await asyncio.sleep(step * 0.03)
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE)
        assert running.cancelled() or running.result().ok
        await no_connections(*hosts.values())


async def test_a_bastion_whose_link_is_cut(stage: Stage) -> None:
    """All behind it are unreachable, soon, with their output so far; who is not never hears of it."""
    running = await stage.begin("web1", *BEHIND_ONE, *BEHIND_TWO)
    stage.hosts["bastion"].cut()
    cut = time.monotonic()
    await stage.ended(*BEHIND_ONE, *BEHIND_TWO)
    assert time.monotonic() - cut < NOTICED
    stage.go_on()
    result = await asyncio.wait_for(running, PATIENCE)
    assert said(result, *BEHIND_ONE, *BEHIND_TWO) == {(Outcome.UNREACHABLE, b"here\n")}
    assert said(result, "web1") == {(Outcome.OK, b"here\nthere\n")}


async def test_the_second_bastion_whose_link_is_cut(stage: Stage) -> None:
    """Those behind it are unreachable; those behind the first alone go on."""
    running = await stage.begin(*BEHIND_ONE, *BEHIND_TWO)
    stage.hosts["inner"].cut()
    cut = time.monotonic()
    await stage.ended(*BEHIND_TWO)
    assert time.monotonic() - cut < NOTICED
    stage.go_on()
    result = await asyncio.wait_for(running, PATIENCE)
    assert said(result, *BEHIND_TWO) == {(Outcome.UNREACHABLE, b"here\n")}
    assert said(result, *BEHIND_ONE) == {(Outcome.OK, b"here\nthere\n")}


async def test_a_target_whose_link_is_cut_behind_its_bastion(stage: Stage) -> None:
    """It alone is unreachable; the bastion is kept for the others."""
    running = await stage.begin(*BEHIND_ONE)
    stage.hosts["db2"].cut()
    cut = time.monotonic()
    await stage.ended("db2")
    assert time.monotonic() - cut < NOTICED
    stage.go_on()
    result = await asyncio.wait_for(running, PATIENCE)
    assert said(result, "db2") == {(Outcome.UNREACHABLE, b"here\n")}
    assert said(result, "db1", "db3") == {(Outcome.OK, b"here\nthere\n")}


async def test_a_bastion_that_is_not_there(hosts: Network) -> None:
    """All behind it are unreachable when the time to connect is up, and the bastion is named."""
    hosts["bastion"].cut()
    begun = time.monotonic()
    result = await run(hosts, "echo here", *BEHIND_ONE, *BEHIND_TWO, "web1", connect_timeout=1)
    assert time.monotonic() - begun < 2
    assert said(result, *BEHIND_ONE, *BEHIND_TWO) == {(Outcome.UNREACHABLE, b"")}
    assert said(result, "web1") == {(Outcome.OK, b"here\n")}


async def test_a_kept_bastion_that_died_silently(hosts: Network) -> None:
    """It is replaced, and so are the connections through it; nobody notices."""
    before = hosts["bastion"].server.logins()
    async with asyncio.timeout(PATIENCE), asynctask.Task(ssh=options(hosts)) as task:
        for word in ("one", "two"):
            task.shell(f"echo {word}", nodes=BEHIND_ONE)
            result = await task.run()
            assert errors(result) == {}
            assert said(result, *BEHIND_ONE) == {(Outcome.OK, f"{word}\n".encode())}
            if word == "one":
                hosts["bastion"].drop_connections()
    assert hosts["bastion"].server.logins() - before == 2


# -- the harness ------------------------------------------------------------------------------------


def test_hosts_behind_a_bastion_are_not_reached_directly(hosts: Network) -> None:
    """There is no way to them but through the bastion."""
    places = [(hosts[name].address, hosts[name].server.port) for name in (*BEHIND_ONE, *BEHIND_TWO)]
    codes = []
    for place in places:
        with socket.socket() as probe:
            probe.settimeout(1)
            codes.append(probe.connect_ex(place))
    assert codes == [errno.ENETUNREACH] * len(places)


def test_nothing_is_left_of_a_network(network: Network) -> None:
    """Neither namespaces nor processes nor files, also when the block is left by an exception."""
    made = Network({"one": None, "two": "one"})
    with pytest.raises(ZeroDivisionError), made:
        _ = 1 // 0
    assert not made.ssh_config.parent.exists()
    assert [host.name for host in made.values() if (Path("/run/netns") / host.namespace).exists()] == []
    assert [host.name for host in made.values() if runs(host.server.pid)] == []


def test_left_overs_of_a_killed_run_are_removed(network: Network) -> None:
    """Those of a run that goes on stay."""
    script = """
import os, signal
from tests.netns import Network
with Network({"one": None}) as network:
    print(network["one"].namespace, network["one"].server.home.parent, network.ssh_config.parent, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30, cwd=ROOT
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    name, *directories = done.stdout.split()
    subprocess.run(["rm", "-r", *directories], check=True)
    there = Path("/run/netns") / name
    assert there.exists()
    netns.remove_left_overs()
    assert not there.exists()
    assert all((Path("/run/netns") / host.namespace).exists() for host in network.values())


@pytest.mark.parametrize(("ci", "outcome"), [(None, "skipped"), ("true", "errors")])
def test_without_namespaces(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str | None, outcome: str
) -> None:
    """Tests are skipped with the reason; in CI they fail with it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = outcome_in_ci(pytester, monkeypatch, ci, USE_OF_THE_FIXTURE)
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*network namespaces need root*"])


def test_without_iproute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says what to install."""
    monkeypatch.setattr("shutil.which", lambda name, **_: None if name == "ip" else f"/bin/{name}")
    assert netns.why_not() == "no ip here, get it with: apt-get install iproute2"
