"""``asynctask run`` over SSH, to a cluster in this process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest_asyncio

import asynctask
from asynctask import SSHOptions
from asynctask.testing import Cluster, Fault
from tests.cli.programs import PROGRAM, Finished, run

FAULTS = {
    "refused": Fault.REFUSED,
    "silent": Fault.SILENT,
    "locked": Fault.AUTH,
    "changed": Fault.HOST_KEY_CHANGED,
    "dropped": Fault.DROP,
}


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Four nodes that are well, and some that are not."""
    async with Cluster([*(f"web{number}" for number in range(1, 5)), *FAULTS], faults=FAULTS) as opened:
        yield opened


UNCHECKED = (
    b"asynctask: host keys are not checked:"
    b" who is between here and the nodes can read and change everything\n"
)


async def _run(cluster: Cluster, *words: str, stdin: bytes | None = None) -> Finished:
    source = subprocess.DEVNULL if stdin is None else stdin
    return await asyncio.to_thread(partial(run, "run", "-F", str(cluster.ssh_config), *words, stdin=source))


def _block(nodes: str, text: str) -> str:
    return f"---------------\n{nodes}\n---------------\n{text}\n"


async def test_all_is_well(cluster: Cluster) -> None:
    """Each line with its node."""
    status, stdout, stderr = await _run(cluster, "-w", "web[1-4]", "hostname; echo err >&2")

    assert status == 0
    assert sorted(stdout.decode().splitlines()) == [f"web{n}: web{n}" for n in range(1, 5)]
    assert sorted(stderr.decode().splitlines()) == [f"web{n}: err" for n in range(1, 5)]


async def test_who_could_not_be_reached(cluster: Cluster) -> None:
    """Each with what happened and what to do; the others are not held up."""
    nodes = ["web1", "refused", "locked", "changed", "dropped", "no-such-host.invalid"]

    status, stdout, stderr = await _run(cluster, "-S", "-w", ",".join(nodes), "echo hi")

    result = await asynctask.run("echo hi", nodes=nodes, ssh=SSHOptions(config=cluster.ssh_config))
    assert [node_result.node for node_result in result.failures] == nodes[1:]
    assert (status, sorted(stdout.splitlines())) == (255, [b"dropped: hi", b"web1: hi"])
    *lines, summary = stderr.decode().splitlines()
    assert lines == [f"asynctask: {failed.error}" for failed in result.failures]
    assert summary == (
        "asynctask: 1 ok, 2 unreachable: dropped,no-such-host.invalid, 1 refused: refused,"
        " 1 authentication failed: locked, 1 host key wrong: changed"
    )


async def test_who_does_not_answer(cluster: Cluster) -> None:
    """``-t`` is how long that may take."""
    assert await _run(cluster, "-S", "-t", "0.3", "-w", "silent", "echo hi") == (
        255,
        b"",
        b"asynctask: silent: no login within 0.3 s; is it up and reachable?\n",
    )


async def test_the_same_for_several(cluster: Cluster) -> None:
    """Said once; a time-out keeps what was printed before."""
    command = 'echo begun; test "$(hostname)" = web1 || sleep 60'

    status, stdout, stderr = await _run(cluster, "-b", "-S", "-u", "1.5", "-w", "web[1-4]", command)

    assert (status, stdout.decode()) == (255, _block("web1", "begun") + _block("web[2-4] (3)", "begun"))
    assert stderr == b"asynctask: web[2-4] (3): timed out\n"


async def test_another_user(cluster: Cluster) -> None:
    """``-l`` logs in as somebody, whom these nodes do not know."""
    _, _, stderr = await _run(cluster, "-l", "nobody", "-w", "web1", "true")

    assert stderr.startswith(b"asynctask: web1: login as nobody refused")


async def test_any_host_key(cluster: Cluster) -> None:
    """``--host-keys off`` takes what comes."""
    assert await _run(cluster, "--host-keys", "off", "-w", "changed", "hostname") == (
        0,
        b"changed: changed\n",
        UNCHECKED,
    )


async def test_new_host_keys(cluster: Cluster) -> None:
    """``--host-keys accept-new`` records the first key of a node, and takes no other after that."""
    with cluster.known_hosts.open() as file:
        others = [line for line in file if not line.startswith("web1 ")]
    cluster.known_hosts.write_text("".join(others))
    for policy in ("accept-new", "strict"):
        assert await _run(cluster, "--host-keys", policy, "-w", "web1", "hostname") == (
            0,
            b"web1: web1\n",
            b"",
        )
    status, stdout, _ = await _run(cluster, "--host-keys", "accept-new", "-S", "-w", "changed", "hostname")
    assert (status, stdout) == (255, b"")


async def test_input(cluster: Cluster) -> None:
    """All nodes get all of it, also those that start later."""
    status, stdout, stderr = await _run(
        cluster, "-b", "-f2", "-w", "web[1-4]", "wc -c", stdin=b"x" * 1_000_000
    )

    assert (status, stdout.decode(), stderr) == (0, _block("web[1-4] (4)", "1000000"), b"")


async def test_ctrl_c_reaches_the_nodes(cluster: Cluster) -> None:
    """Their commands are gone when the program is."""
    words = ["run", "-F", str(cluster.ssh_config), "-q", "-S", "-w", "web[1-2]", "echo x; sleep 60"]
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        lines = [await process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        stdout, stderr = await process.communicate()
    await cluster.wait_idle()

    assert (process.returncode, sorted(lines), stdout) == (130, [b"web1: x\n", b"web2: x\n"], b"")
    assert stderr.startswith(b"asynctask: SIGINT: stopping what still runs: web[1-2] (2)\n")
    assert cluster.statistics().running == 0


async def test_a_server_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """What it says when it hangs up is written out, on one line."""
    text = b"\x1b[31mgo away\nweb1: ok\xc2\x9b"
    fields = b"\x01" + (2).to_bytes(4, "big") + len(text).to_bytes(4, "big") + text + bytes(4)
    padding = 16 - (len(fields) + 5) % 8
    packet = (len(fields) + 1 + padding).to_bytes(4, "big") + bytes([padding]) + fields + bytes(padding)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            writer.write(b"SSH-2.0-Rude\r\n" + packet)
            await reader.read()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = tmp_path / "ssh_config"
        config.write_text(f"Host rude\n HostName 127.0.0.1\n Port {port}\n StrictHostKeyChecking no\n")
        finished = await asyncio.to_thread(run, "run", "-F", str(config), "-w", "rude", "true")

    status, stdout, stderr = finished
    assert (status, stdout) == (0, b"")
    assert stderr.startswith(UNCHECKED)
    stderr = stderr.removeprefix(UNCHECKED)
    assert stderr.startswith(f"asynctask: rude: port {port} of 127.0.0.1".encode())
    assert rb"(^[[31mgo away^Jweb1: ok\x9b)" in stderr
    assert [byte for byte in stderr if byte < 32 or byte > 126] == [10]
