"""Tests of asynctask.cli.control.dry_run."""

from __future__ import annotations

import math
from typing import Any

import pytest

from asynctask.cli.control.dry_run import dry_run
from asynctask.cli.control.ways import Way
from asynctask.cli.request import Copying, Request
from tests.stage import numbered

pytestmark = pytest.mark.one_loop("no loop takes part")


def shown(request: Request, **settings: Any) -> str:
    """The text."""
    return "".join(f"{line}\n" for line in dry_run(request, **settings))


def made(count: int, **settings: Any) -> Request:
    """A request for so many nodes."""
    return Request(targets=tuple(f"web{number}" for number in range(1, count + 1)), **settings)


def test_a_simple_one() -> None:
    """What, where, how."""
    assert shown(made(3, command="uptime")) == (
        "nothing is run\n"
        "nodes:            web[1-3] (3)\n"
        "command:          uptime\n"
        "worker:           ssh\n"
        "fanout:           64 at once\n"
        "connect timeout:  10 s\n"
        "command timeout:  none\n"
    )


def test_all_at_once() -> None:
    """Where values come from stands behind them."""
    request = made(
        5,
        command="systemctl restart app",
        prefix="sudo -S",
        fanout=2,
        connect_timeout=math.inf,
        command_timeout=90.0,
        password_prompt=True,
        sudo="app",
        env=(("A", "b"), ("C", "d")),
        user="root",
        retries=2,
        halt="soon,fail=10%",
        batch="2",
        canary=1,
        check="curl -f http://lb/",
        deadline=3600.0,
        quorum="80%",
        delay=0.5,
    )
    origins = {
        "fanout": "-f",
        "connect_timeout": "mode slow",
        "batch": "--batch",
        "user": "-l",
        "delay": "x.toml",
    }
    assert shown(request, origins=origins) == (
        "nothing is run\n"
        "nodes:            web[1-5] (5)\n"
        "command:          sudo -S systemctl restart app\n"
        "order:            3 batches, each after the one before it (--batch)\n"
        "                  1, the canary: web1\n"
        "                  2: web[2-3] (2)\n"
        "                  3: web[4-5] (2)\n"
        "worker:           ssh\n"
        "fanout:           2 at once (-f)\n"
        "connect timeout:  none (mode slow)\n"
        "command timeout:  90 s\n"
        "login:            as root (-l)\n"
        "sudo:             as app\n"
        "environment:      A, C\n"
        "password:         asked for once, the first line of each command's input\n"
        "retries:          2\n"
        "halt:             soon,fail=10%\n"
        "check:            curl -f http://lb/\n"
        "deadline:         3600 s\n"
        "quorum:           80%\n"
        "delay:            0.5 s (x.toml)\n"
    )


def test_the_command_of_each_node() -> None:
    """Where it differs."""
    text = shown(made(3, command="ping -c1 %h # %n", worker="exec"))
    assert text == (
        "nothing is run\n"
        "nodes:            web[1-3] (3)\n"
        "command:          web1: ping -c1 web1 # 0\n"
        "command:          web2: ping -c1 web2 # 1\n"
        "command:          web3: ping -c1 web3 # 2\n"
        "worker:           exec\n"
        "fanout:           64 at once\n"
        "command timeout:  none\n"
    )


def test_one_command_for_all() -> None:
    """One process serves all nodes."""
    assert "command:          fping web[1-3]\n" in shown(made(3, command="fping %hosts", worker="exec"))


def test_percent_signs_of_other_workers() -> None:
    """They are the command's own."""
    assert "command:          date +%h\n" in shown(made(3, command="date +%h"))


@pytest.mark.parametrize("verbosity", [1, 2])
def test_thousands_of_nodes(verbosity: int) -> None:
    """A screen shows it, unless all is asked for."""
    request = made(5000, command="ping %h", worker="exec", batch="10", verbosity=verbosity)
    lines = shown(request).splitlines()
    if verbosity == 1:
        assert len(lines) < 20
        assert "command:          ... and 4995 more commands; -v shows all" in lines
        assert "                  ... and 495 more batches; -v shows all" in lines
    else:
        assert len(lines) > 5500
        assert "command:          web5000: ping web5000" in lines


def test_the_ways_to_the_nodes() -> None:
    """Those alike in one line."""
    ways = {"web1": Way("root"), "web2": Way("root"), "web3": Way("root", host="10.0.0.3", jump="bastion")}
    text = shown(made(3, command="true"), ways=ways)
    assert "login:            web[1-2]: as root\n" in text
    assert "login:            web3: as root, to 10.0.0.3, by bastion\n" in text
    del ways["web3"]
    alike = shown(made(2, command="true"), ways=ways, origins={"user": "-l"})
    assert "login:            as root (-l)\n" in alike


def test_many_ways() -> None:
    """As with commands."""
    ways = {node: Way("root", host=f"10.0.{number}.1") for number, node in enumerate(numbered(100))}
    text = shown(Request(targets=tuple(ways), command="true"), ways=ways)
    assert "login:            ... and 95 more ways to log in; -v shows all\n" in text


@pytest.mark.parametrize(
    ("copying", "lines"),
    [
        (
            Copying(sources=("a", "b"), dest="/etc", preserve=True),
            [
                "copy:             a to /etc on each node, permissions and times kept",
                "copy:             b to /etc on each node, permissions and times kept",
            ],
        ),
        (Copying(sources=("/etc/motd",)), ["copy:             /etc/motd to its directory on each node"]),
        (
            Copying(sources=("/var/log/x",), dest="logs", back=True),
            ["copy:             /var/log/x on each node to logs here, with .NODE after its name"],
        ),
    ],
)
def test_copies(copying: Copying, lines: list[str]) -> None:
    """What goes where."""
    found = shown(made(2, copying=copying)).splitlines()
    assert found[2 : 2 + len(lines)] == lines
    assert not any(line.startswith("command:") for line in found)
