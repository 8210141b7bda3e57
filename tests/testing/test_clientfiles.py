"""Tests of asynctask.testing.clientfiles."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import asyncssh
import pytest

from asynctask.testing.clientfiles import ClientFiles, Endpoint, generate_key, write_client_files
from tests.testing.clients import needs_ssh

HOST_KEYS = {"a1": generate_key("a1"), "a10": generate_key("a10")}


@pytest.fixture
def files(tmp_path: Path) -> ClientFiles:
    """The files for two nodes."""
    directory = tmp_path / "with a space"
    directory.mkdir()
    endpoints = {
        "a1": Endpoint("127.1.0.1", 2201, HOST_KEYS["a1"]),
        "a10": Endpoint("127.1.0.2", 2202, HOST_KEYS["a10"]),
    }
    return write_client_files(directory, user="tester", endpoints=endpoints)


def _hosts_in(known_hosts: Path) -> list[str]:
    return [line.split()[0] for line in known_hosts.read_text().splitlines()]


def test_the_key_is_private(files: ClientFiles) -> None:
    """Nobody else can read the key, or ssh would not use it."""
    assert stat.S_IMODE(files.key_file.stat().st_mode) == 0o600


def test_the_key_pair_belongs_together(files: ClientFiles) -> None:
    """The written private key is the one whose public half is returned."""
    assert asyncssh.read_private_key(files.key_file).public_data == files.key.public_data
    assert asyncssh.read_public_key(files.key_file.with_suffix(".pub")).public_data == files.key.public_data


@needs_ssh
def test_ssh_understands_the_configuration(files: ClientFiles) -> None:
    """OpenSSH reads from the file what was meant, spaces in paths included."""
    options = _options(files.ssh_config, "a10")
    wanted = {
        "hostname": "127.1.0.2",
        "port": "2202",
        "user": "tester",
        "hostkeyalias": "a10",
        "identityfile": str(files.key_file),
        "identitiesonly": "yes",
        "identityagent": "none",
        "userknownhostsfile": str(files.known_hosts),
        "batchmode": "yes",
    }
    assert {name: options[name] for name in wanted} == wanted


def _options(config: Path, node: str) -> dict[str, str]:
    shown = subprocess.run(["ssh", "-F", config, "-G", node], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in shown.stdout.splitlines())


@needs_ssh
def test_a_jump_is_on_the_way_to_all_others(tmp_path: Path) -> None:
    """And not to itself."""
    endpoints = {name: Endpoint("127.1.0.1", 2201, key) for name, key in HOST_KEYS.items()}
    files = write_client_files(tmp_path, user="tester", endpoints=endpoints, jump="a1", questions=True)
    assert _options(files.ssh_config, "a10")["proxyjump"] == "a1"
    assert "proxyjump" not in _options(files.ssh_config, "a1")
    assert _options(files.ssh_config, "a1")["batchmode"] == "no"


def test_known_hosts_has_every_node(files: ClientFiles) -> None:
    """The host keys are there by node name."""
    known = asyncssh.read_known_hosts(str(files.known_hosts))
    for node, key in HOST_KEYS.items():
        found, *_ = known.match(node, "", None)
        assert [each.public_data for each in found] == [key.public_data]


def test_forget_host_takes_one_node_out(files: ClientFiles) -> None:
    """A node whose name begins alike stays, and so does what others wrote."""
    with files.known_hosts.open("a") as file:
        file.write("elsewhere ssh-ed25519 AAAA\n")
    files.forget_host("a1")
    assert _hosts_in(files.known_hosts) == ["a10", "elsewhere"]


def test_remember_host_writes_a_node_once(files: ClientFiles) -> None:
    """Remembering a known node leaves one line for it."""
    files.remember_host("a1", Endpoint("127.1.0.1", 2201, HOST_KEYS["a1"]))
    assert _hosts_in(files.known_hosts) == ["a10", "a1"]
