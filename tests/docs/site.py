"""The site that the examples run on: the nodes of the documentation and what can be run there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from asynctask.testing import Cluster, Fault

__all__ = ("Site", "open_site")

ROOT = Path(__file__).parent.parent.parent
NODES = "web[1-5],db[1-2]"
DOWN = "web5"
#: Take a password and no key.
OLD = "old[1-2]"
#: Two are reached through the third.
INNER, BASTION = "inner[1-2]", "bastion"
USER = "admin"
PASSWORD = "correct horse"

# Commands of the nodes, which know their own name: small stand-ins that answer the same every time.
_COMMANDS = {
    "uname": """\
        case "$ASYNCTASK_NODE" in
            web3) echo 6.1.0-25-amd64 ;;
            *) echo 6.1.0-28-amd64 ;;
        esac
        """,
    "systemctl": """\
        case "$1 $ASYNCTASK_NODE" in
            "is-active web2") echo failed; exit 3 ;;
            is-active*) echo active ;;
        esac
        """,
    "apt-get": """\
        echo Reading package lists...
        test "$ASYNCTASK_NODE" != web4 || exec sleep 60
        echo Done
        """,
    "journalctl": """\
        echo "app started"
        echo "app ready"
        exec sleep 60
        """,
    "whoami": 'echo "${ELEVATED:-admin}"',
    # It asks as sudo does; the first argument after its options is behind "--".
    "sudo": """\
        while [ "$1" != -- ]; do
            case $1 in -p) prompt=$2; shift ;; -u) user=$2; shift ;; esac
            shift
        done
        shift
        until [ "$answer" = "{password}" ]; do
            printf %s "$prompt" >&2
            IFS= read -r answer || exit 1
        done
        ELEVATED=$user exec "$@"
        """,
    # The real one, which asks the system's user database for the home directory.
    "ssh": 'PATH=${PATH#*:} exec ssh -F "$HOME/.ssh/config" "$@"',
    "asynctask": 'exec {python} -m asynctask "$@"',
    "python": 'exec {python} "$@"',
    "pytest": 'exec {python} -m pytest -p no:cacheprovider {plugin} "$@"',
}


class Site:
    """Where examples run: a cluster, a home that leads to it, an empty directory."""

    def __init__(self, clusters: Sequence[Cluster], home: Path, directory: Path) -> None:
        self.clusters = clusters
        self.home = home
        self.directory = directory

    def path(self, name: str) -> Path:
        """The path of a file that a page names."""
        return self.home / name.removeprefix("~/") if name.startswith("~/") else self.directory / name

    def plain(self, text: str) -> str:
        """The text with the ports and addresses that real nodes have."""
        for cluster in self.clusters:
            for node in cluster.nodes:
                address, port = cluster.address(node)
                text = text.replace(f"port {port} of {address}", f"port 22 of {node}")
        return text


@asynccontextmanager
async def open_site(root: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Start the nodes and put this process, and what it starts, into the place of their user."""
    home, directory, commands = root / "home", root / "work", root / "bin"
    for path in (home / ".ssh", directory, commands):
        path.mkdir(parents=True)
    _write_commands(commands)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "80")
    for name in (
        "SSH_AUTH_SOCK",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "CLUSTERSHELL_CFGDIR",
        "PYTEST_ADDOPTS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(directory)
    clusters = (
        Cluster(NODES, faults={DOWN: Fault.REFUSED}, user=USER, pty=True),
        Cluster(OLD, user=USER, password=PASSWORD, keys=False),
        Cluster(f"{BASTION},{INNER}", user=USER, jump=BASTION),
    )
    async with AsyncExitStack() as stack:
        for cluster in clusters:
            await stack.enter_async_context(cluster)
        (home / ".ssh" / "config").write_text(_joined(clusters))
        yield Site(clusters, home, directory)


def _joined(clusters: Sequence[Cluster]) -> str:
    """A configuration for all of them: each for its own nodes."""
    parts = []
    for cluster in clusters:
        parts += [f"Host {' '.join(cluster.nodes)}\n", f'  Include "{cluster.ssh_config}"\n']
    return "".join(parts)


def _write_commands(directory: Path) -> None:
    installed = any(point.value == "asynctask.testing.plugin" for point in entry_points(group="pytest11"))
    plugin = "" if installed else "-p asynctask.testing.plugin"
    filled = {"python": sys.executable, "plugin": plugin, "password": PASSWORD}
    for name, script in _COMMANDS.items():
        path = directory / name
        text = re.sub(r"\{(python|plugin|password)\}", lambda found: filled[found[1]], script)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
