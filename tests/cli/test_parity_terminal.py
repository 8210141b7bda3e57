"""Options of ``asynctask run`` that a terminal is needed for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asynctask.testing import Cluster
from tests.cli.programs import ERASE, Terminal

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

HERE = ("run", "-R", "exec")


def test_progress_of_a_quiet_run(tmp_path: Path) -> None:
    """``-q -P``: the status line, and nothing else."""
    command = f"while ! test -e {tmp_path}/go; do sleep 0.02; done"

    with Terminal(*HERE, "-q", "-P", "-w", "n[1-2]", command) as terminal:
        assert terminal.wait_for(b"running").endswith(ERASE + b"asynctask: 0/2 done, 2 running")
        (tmp_path / "go").touch()
        assert terminal.wait() == 0

    assert terminal.lines == [b""]


def test_consent() -> None:
    """``--confirm`` asks for the number of nodes."""
    with Terminal(*HERE, "-q", "--confirm", "2", "-w", "n[1-3]", "echo ran") as terminal:
        terminal.wait_for(b"Run 'echo ran' on 3 nodes n[1-3]? Type the number of nodes to go on: ")
        terminal.press(b"3\n")
        assert terminal.wait() == 0

    assert terminal.shown.count(b": ran\n") == 3


async def test_a_password_to_log_in() -> None:
    """``-k`` asks once for all nodes, and shows none of it."""

    def log_in(config: str) -> tuple[int, bytes]:
        with Terminal("run", "-F", config, "-k", "-L", "-q", "-w", "n[1-2]", "echo in") as terminal:
            terminal.wait_for(b"Login password: ")
            terminal.press(b"secret\n")
            return terminal.wait(), terminal.shown

    async with Cluster("n[1-2]", password="secret", keys=False) as cluster:
        status, shown = await asyncio.to_thread(log_in, str(cluster.ssh_config))

    assert (status, shown.split()) == (0, b"n1: in n2: in".split())


def test_commands_that_are_typed() -> None:
    """Without a command they are asked for; names keep their case."""
    with Terminal(*HERE, "-b", "-w", "n1") as terminal:
        terminal.wait_for(b"asynctask>")
        terminal.press(b"@Web1,DB2\r")
        terminal.wait_for(b"asynctask>")
        terminal.press(b"echo x\r")
        terminal.wait_for(b"---------------\nDB2,Web1 (2)\n---------------\nx\n")
        terminal.wait_for(b"asynctask>")
        terminal.press(b"quit\r")
        assert terminal.wait() == 0
