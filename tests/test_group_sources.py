"""The checks round ClusterShell's group sources; what they are good for is in test_nodes.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asynctask.errors import GroupError, NodeSetError
from asynctask.group_sources import Resolver, cannot_list, use_groups_file
from asynctask.nodes import expand, groups, parse, regroup


def _message(nodes: str, source: str | None = None) -> str:
    with pytest.raises(GroupError) as caught:
        expand(nodes, source)
    return str(caught.value)


def test_an_unknown_group_of_a_file_is_named_with_the_known_ones(site_groups: Path) -> None:
    """ClusterShell answers an empty set here; a typing error must not look like an empty group."""
    assert _message("@wbe") == (
        f"unknown group '@wbe', known are db, empty, front, loop, odd, web; read {site_groups}; "
        "list the groups with: asynctask nodes -l"
    )


def test_a_group_that_its_command_does_not_know_is_named(site_groups: Path) -> None:
    """The command that failed is shown, with the group in it."""
    message = _message("@shell:tpu")

    assert message.startswith("group '@shell:tpu': unknown, or its group source 'shell' failed: sed ")
    assert message.endswith(f"; read {site_groups}; list the groups with: asynctask nodes -l")


def test_a_command_that_fails_is_named(site_groups: Path) -> None:
    """A source that does not work is no empty group."""
    assert _message("@broken:x").startswith(
        "group '@broken:x': unknown, or its group source 'broken' failed: exit 3;"
    )


def test_an_unknown_source_is_named(site_groups: Path) -> None:
    """Not the group is at fault, but where it is looked for."""
    assert _message("@nosuch:web") == (
        f"group '@nosuch:web': unknown group source 'nosuch'; read {site_groups}; "
        "list the groups with: asynctask nodes -l"
    )


def test_without_any_configuration_the_places_are_told(
    site_groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh machine has no groups; the message says where they would be looked for."""
    from ClusterShell.NodeSet import set_std_group_resolver_config

    places = ["/nonexistent/etc/groups.conf", "/nonexistent/home/groups.conf"]
    set_std_group_resolver_config(places)

    assert _message("@web") == (
        "group '@web': no group source is defined; no groups.conf found, looked for "
        "/nonexistent/etc/groups.conf, /nonexistent/home/groups.conf; write one or name the nodes"
    )


@pytest.mark.parametrize("first", ["asynctask.nodes.expand('x[1-2]')", "asynctask.NodeSet('x')"])
def test_groups_of_the_site_win_over_the_examples_of_the_wheel(tmp_path: Path, first: str) -> None:
    """ClusterShell's wheel brings a groups.conf of examples into the environment that it is installed in."""
    prefix, home = tmp_path / "prefix", tmp_path / "home"
    for root, node in ((prefix, "example"), (home / ".local", "real")):
        directory = root / "etc" / "clustershell"
        directory.mkdir(parents=True)
        (directory / "groups.conf").write_text("[Main]\ndefault: local\n[local]\nmap: cat $CFGDIR/$GROUP\n")
        (directory / "compute").write_text(f"{node}[1-2]\n")
    code = (
        f"import sys; sys.prefix = {str(prefix)!r}\n"
        f"import asynctask, asynctask.nodes; {first}\n"
        "print(asynctask.NodeSet('@compute'), *asynctask.nodes.expand('@compute'))"
    )
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "real[1-2] real1 real2\n"


def test_a_resolver_of_the_program_is_used_and_named(site_groups: Path) -> None:
    """A program may bring its own groups, without any file."""
    from ClusterShell.NodeSet import set_std_group_resolver
    from ClusterShell.NodeUtils import GroupResolver, GroupSource

    set_std_group_resolver(GroupResolver(GroupSource("mine", {"a": "n[1-2]"})))

    assert expand("@a") == ("n1", "n2")
    assert _message("@b") == (
        "unknown group '@b', known are a; groups come from a resolver that the program has set"
    )


def test_a_broken_configuration_is_reported(site_groups: Path) -> None:
    """A file that cannot be read as one is the reason, not the group."""
    site_groups.write_text("map without a section\n")

    assert _message("@web").startswith("group '@web': File contains no section headers.")


def test_a_group_that_contains_itself_is_reported(site_groups: Path) -> None:
    """An endless definition ends in an error."""
    with pytest.raises(NodeSetError, match=r"^node set '@loop': maximum recursion depth exceeded"):
        expand("@loop")


@pytest.mark.parametrize(
    "group",
    ["x;touch {}", "$(touch {})", "`touch {}`", "x|touch {}", "x>{}", "x\ttouch", "-n", "'", "a/../b"],
)
def test_a_group_name_never_reaches_a_shell_unchecked(site_groups: Path, tmp_path: Path, group: str) -> None:
    """ClusterShell puts the name into a shell command; what could become a command is refused before."""
    pwned = tmp_path / "pwned"

    message = _message("@shell:" + group.format(pwned))

    assert message.startswith(
        f"group name {group.format(pwned)!r} is refused, as it would become a part of a shell"
    )
    assert not pwned.exists()


def test_the_check_covers_groups_inside_groups(site_groups: Path) -> None:
    """What a group's definition names is looked up the same way."""
    assert _message("@odd").startswith("group name 'x;y' is refused")


def test_a_node_name_never_reaches_a_shell_unchecked(site_groups: Path, tmp_path: Path) -> None:
    """To find a node's groups its name, too, goes into a command."""
    pwned = tmp_path / "pwned"
    site_groups.write_text("[rev]\nmap: echo n\nreverse: echo $NODE\n")

    with pytest.raises(GroupError, match=r"^node name 'x;touch\$IFS.*' is refused"):
        regroup(f"x;touch$IFS{pwned}")
    assert not pwned.exists()


def test_groups_of_another_file(tmp_path: Path, site_groups: Path) -> None:
    """From then on groups are looked up there."""
    (tmp_path / "other.conf").write_text("[local]\nmap: echo other[1-2]\n")

    use_groups_file(str(tmp_path / "other.conf"))

    assert str(parse("@any")) == "other[1-2]"
    assert Resolver().sources() == ["local"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"no section\n", "File contains no section headers."),
        (b"\xff\n", "'utf-8' codec can't decode"),
    ],
)
def test_a_file_of_groups_that_cannot_be_used(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """ClusterShell would pass over it without a word."""
    path = tmp_path / "other.conf"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(GroupError, match=f"^group configuration {re.escape(str(path))}: {reason}"):
        use_groups_file(str(path))


def test_sources_in_order(site_groups: Path) -> None:
    """The default one is first, or the one that was chosen."""
    assert Resolver().sources()[0] == "file"
    assert Resolver("shell").sources()[:2] == ["shell", "file"]
    with pytest.raises(GroupError, match=r"^unknown group source 'nosuch'; read "):
        Resolver("nosuch").sources()


@pytest.mark.parametrize(("source", "told"), [("mute", True), ("broken", False)])
def test_a_source_that_cannot_list(site_groups: Path, source: str, told: bool) -> None:
    """It is told from one that does not answer."""
    with pytest.raises(GroupError) as raised:
        groups(source)

    assert cannot_list(raised.value) is told
