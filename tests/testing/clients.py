"""What the tests of the cluster use to talk to it: asyncssh, the real ``ssh``, and patience."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.testing import Cluster

__all__ = ("Finished", "connect", "exit_of", "needs_ssh", "open_files", "run_ssh", "until")

needs_ssh = pytest.mark.skipif(
    shutil.which("ssh") is None and os.environ.get("CI") != "true",
    reason="no ssh here, get it with: apt-get install openssh-client",
)


@dataclass(frozen=True)
class Finished:
    """How a run of ``ssh`` ended."""

    code: int | None
    stdout: bytes
    stderr: bytes


def connect(
    cluster: Cluster, node: str = "node1", **options: Any
) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    """Connect to a node by its name, with the cluster's own configuration file."""
    connecting: AbstractAsyncContextManager[asyncssh.SSHClientConnection] = asyncssh.connect(
        node, config=[str(cluster.ssh_config)], **options
    )
    return connecting


async def run_ssh(config: Path, *arguments: str, timeout: float = 20.0) -> Finished:
    """Run the real ``ssh`` with a configuration file."""
    process = await asyncio.create_subprocess_exec(
        "ssh",
        "-F",
        str(config),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(timeout):
        stdout, stderr = await process.communicate()
    return Finished(process.returncode, stdout, stderr)


async def until(happened: Callable[[], object], timeout: float = 10.0) -> None:
    """Let the loop turn until something is true."""
    async with asyncio.timeout(timeout):
        while not happened():
            await asyncio.sleep(0)


def open_files(kind: str = "") -> set[str]:
    """What this process has open: all, or what is described by a word that begins with ``kind``.

    Sockets and pipes have numbers in their descriptions. What a watcher of the tests looks at in /proc is
    left out.
    """
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor that lists the directory
            found.add(str(entry.readlink()))
    return {target for target in found if target.startswith(kind) and not target.startswith("/proc/")}


class _Pidfd:
    """A descriptor that becomes readable when a process ends."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


async def exit_of(pid: int, timeout: float = 10.0) -> None:
    """Wait until a process that is not our child has ended, reaped or not."""
    try:
        pidfd = _Pidfd(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    with closing(pidfd):
        loop.add_reader(pidfd, ended.set)
        try:
            async with asyncio.timeout(timeout):
                await ended.wait()
        finally:
            loop.remove_reader(pidfd)
