"""From options to the list of targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from asynctask.cli.targets import Targets
from asynctask.errors import GroupError, NodeSetError, UsageError
from tests.cli.conftest import standard_input


def _targets(**options: Any) -> list[str]:
    return list(Targets(**options).resolve())


@pytest.mark.parametrize(
    ("nodes", "targets"),
    [
        (["b2,a1", "c", "a1"], ["b2", "a1", "c"]),
        (["b[3,1]", "a"], ["b1", "b3", "a"]),
        (["n10", "n9"], ["n10", "n9"]),
        (["a[1-3]!a2"], ["a1", "a3"]),
    ],
)
def test_nodes_keep_the_order_given(nodes: list[str], targets: list[str]) -> None:
    """The first time counts."""
    assert _targets(nodes=nodes) == targets


def test_nodes_are_left_out() -> None:
    """Whatever else is among those to leave out."""
    assert _targets(nodes=["a[1-5]"], without=["a2", "a[4-9],b"]) == ["a1", "a3"]


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ({"groups": ["web"]}, ["web1", "web2", "web3"]),
        ({"groups": ["db,web", "@db"]}, ["db1", "db2", "web1", "web2", "web3"]),
        ({"groups": ["db"], "nodes": ["x"]}, ["x", "db1", "db2"]),
        ({"nodes": ["lb,@db"]}, ["lb", "db1", "db2"]),
        ({"groups": ["web"], "without": ["web2"]}, ["web1", "web3"]),
        ({"groups": ["front"], "without_groups": ["web"]}, ["lb"]),
        ({"groups": ["gpu"], "source": "shell"}, ["gpu1", "gpu2"]),
        ({"groups": ["shell:gpu", "db"]}, ["gpu1", "gpu2", "db1", "db2"]),
        ({"everything": True, "source": "shell", "without_groups": ["cpu"]}, ["gpu1", "gpu2"]),
        ({"groups": ["empty", "db"]}, ["db1", "db2"]),
        ({"groups": ["db"], "without_groups": ["empty"]}, ["db1", "db2"]),
    ],
)
def test_groups(site_groups: Path, options: dict[str, Any], targets: list[str]) -> None:
    """By name, with their source, several at once; an empty one among others does not matter."""
    assert _targets(**options) == targets


@pytest.mark.parametrize(
    ("text", "targets"),
    [("rack[1,3]", ["a1", "a3"]), ("rack[1,3],other", ["a1", "a3", "x"]), ("other , rack3", ["x", "a3"])],
)
def test_sets_of_groups(site_groups: Path, text: str, targets: list[str]) -> None:
    """A comma in brackets does not separate groups."""
    groups = "file:\n  rack1: a1\n  rack2: a2\n  rack3: a3\n  other: x\n"
    site_groups.with_name("groups.yaml").write_text(groups)

    assert _targets(groups=[text]) == targets


def test_host_files(tmp_path: Path) -> None:
    """Node sets between blanks and line ends, comments, no last newline; several files."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("b[2-3]  a # not x\n\n# nothing\n\tc\r\nd#e\nlast")
    second.write_bytes("größe\n\xff".encode("latin-1"))

    targets = _targets(hostfiles=[str(first), str(second)], nodes=["z"])

    assert targets == ["z", "b2", "b3", "a", "c", "d", "last", "gr\ufffd\ufffde", "\ufffd"]


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ({"hostfiles": ["-"]}, ["b2", "b3", "a\ufffd"]),
        ({"nodes": ["-", "z"]}, ["b2", "b3", "a\ufffd", "z"]),
        ({"nodes": ["b[1-4]"], "without": ["-"]}, ["b1", "b4"]),
    ],
)
def test_nodes_from_standard_input(tmp_path: Path, options: dict[str, Any], targets: list[str]) -> None:
    """As from a file. It holds nothing for commands then."""
    listed = tmp_path / "listed"
    listed.write_bytes(b"b[2-3] # not x\na\xff")
    with standard_input(listed):
        assert _targets(**options) == targets

    assert Targets(**options).read_from_input
    assert not Targets(nodes=("a",), hostfiles=(str(listed),)).read_from_input


def test_files_as_pdsh_has_them(tmp_path: Path) -> None:
    """``-w ^FILE`` and ``-x ^FILE``."""
    some, few = tmp_path / "some", tmp_path / "few"
    some.write_text("b[1-4]\n")
    few.write_text("b2\nb3\n")

    assert _targets(nodes=[f"^{some}", "c"], without=[f"^{few}"]) == ["b1", "b4", "c"]


def test_host_files_may_name_groups(site_groups: Path, tmp_path: Path) -> None:
    """As any node set may."""
    hosts = tmp_path / "hosts"
    hosts.write_text("@db lb")

    assert _targets(hostfiles=[str(hosts)]) == ["db1", "db2", "lb"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no nodes: name them with -w, -g, -a or --hostfile"),
        ({"without": ["a"]}, "no nodes: name them with -w, -g, -a or --hostfile"),
        ({"hostfiles": ["/dev/null"]}, "no nodes: name them with -w, -g, -a or --hostfile"),
        ({"nodes": [""]}, "-w has no nodes"),
        ({"nodes": ["a", " "]}, "-w has no nodes"),
        ({"nodes": ["a[1-3]", "-a2"]}, "-w -a2: leave nodes out with -x a2"),
        ({"groups": ["empty"]}, "no nodes: the groups that were named are empty"),
        ({"nodes": ["a[1-2]!a[1-2]"]}, "no nodes: the groups that were named are empty"),
        (
            {"nodes": ["a[1-2]"], "without": ["a1", "a2"]},
            "no nodes are left: all that were named are excluded with -x or -X",
        ),
    ],
)
def test_no_target_is_wrong_usage(site_groups: Path, options: dict[str, Any], message: str) -> None:
    """Nothing may ever run for want of a node."""
    with pytest.raises(click.UsageError) as raised:
        _targets(**options)

    assert raised.value.message == message


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"nodes": ["a[1-"]}, NodeSetError, "node set 'a[1-': "),
        ({"nodes": ["a"], "without": ["b["]}, NodeSetError, "node set 'b[': "),
        ({"nodes": ["a,,b"]}, NodeSetError, "node set 'a,,b': "),
        ({"groups": ["nosuch"]}, GroupError, "unknown group '@nosuch', known are "),
        (
            {"groups": ["web"], "without_groups": ["nosuch"]},
            GroupError,
            "unknown group '@nosuch', known are ",
        ),
        ({"groups": ["web"], "source": "nosuch"}, GroupError, "group '@nosuch:web': unknown group source"),
        ({"groups": ["x;touch y"]}, GroupError, "group name 'x;touch y' is refused"),
        ({"groups": ["web,"]}, NodeSetError, ""),
        ({"groups": [""]}, NodeSetError, ""),
        (
            {"hostfiles": ["/nonexistent/f"]},
            UsageError,
            "host file /nonexistent/f: No such file or directory",
        ),
        ({"hostfiles": ["/"]}, UsageError, "host file /: Is a directory"),
    ],
)
def test_what_cannot_be_looked_up(
    site_groups: Path, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """It is said what, and why."""
    with pytest.raises(kind) as raised:
        _targets(**options)

    assert str(raised.value)[: len(message)] == message
