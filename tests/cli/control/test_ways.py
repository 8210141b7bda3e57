"""Tests of asynctask.cli.control.ways."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path

import pytest

from asynctask.cli.control.ways import Way, find_ways
from asynctask.errors import SSHConfigError
from asynctask.ssh.options import SSHOptions

pytestmark = pytest.mark.one_loop("no loop takes part")

CONFIG = """\
Host web*
    User deploy
    Port 2222
    ProxyJump bastion
Host db1
    HostName 10.0.0.7
    ProxyCommand nc %h %p
Host same
    HostName %h
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration."""
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("node", "way", "text"),
    [
        ("web1", Way("deploy", port=2222, jump="bastion"), "as deploy, port 2222, by bastion"),
        ("db1", Way("ME", host="10.0.0.7", proxy=True), "as ME, to 10.0.0.7, by a ProxyCommand"),
        ("same", Way("ME"), "as ME"),
        ("root@other:23", Way("root", port=23), "as root, port 23"),
    ],
)
def test_what_the_configuration_says(config: Path, node: str, way: Way, text: str) -> None:
    """The target itself counts first."""
    me = getpass.getuser()
    found = find_ways([node], SSHOptions(config=config))[node]
    assert str(found) == text.replace("ME", me)
    assert found == replace(way, user=way.user.replace("ME", me))


def test_what_options_say_counts_before_the_configuration(config: Path) -> None:
    """Also that there is no host on the way."""
    ways = find_ways(["web1", "db1"], SSHOptions(config=config, user="root", port=22, jump="none"))
    assert ways == {"web1": Way("root"), "db1": Way("root", host="10.0.0.7")}


def test_settings_count_before_the_files(config: Path) -> None:
    """As those of ``ssh -o``."""
    ways = find_ways(["web1"], SSHOptions(config=config, settings=["Port=9", "ProxyJump=gate"]))
    assert ways["web1"] == Way("deploy", port=9, jump="gate")


def test_a_configuration_that_makes_no_sense(tmp_path: Path) -> None:
    """It is said before anything is run."""
    (tmp_path / "config").write_text("Port many\n")
    with pytest.raises(SSHConfigError, match="port 'many' is no number"):
        find_ways(["web1"], SSHOptions(config=tmp_path / "config"))
