"""Which manager is meant."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from asynctask.cli.controlling import connecting
from asynctask.cli.controlling.connecting import place_options
from asynctask.manager.control import client
from asynctask.manager.control.place import socket_path

pytestmark = pytest.mark.one_loop("a command line")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The sockets that were connected to."""
    paths: list[Path] = []
    monkeypatch.setattr(client, "Client", paths.append)
    return paths


def connect(*words: str) -> click.testing.Result:
    """Connect as a command line says."""

    @click.command()
    @place_options
    def command(file: str | None, socket: str | None) -> None:
        connecting.connect(file, socket)

    return CliRunner().invoke(command, words)


def test_the_manager_of_this_directory(
    asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a word, unless the variable says another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASYNCTASK_SOCKET", raising=False)
    connect()
    monkeypatch.setenv("ASYNCTASK_SOCKET", "/run/x.sock")
    connect()
    assert asked == [socket_path(tmp_path, environ={**NO_SOCKET}), Path("/run/x.sock")]


def test_the_manager_of_a_file(asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Or of its directory; who says so does not mean that of the variable."""
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASYNCTASK_SOCKET", "/run/x.sock")
    connect("-f", "app/Procfile")
    connect("--file", "app")
    connect("-f", "Procfile")
    there = socket_path(tmp_path / "app", environ=NO_SOCKET)
    assert asked == [there, there, socket_path(tmp_path, environ=NO_SOCKET)]


def test_the_manager_of_a_socket(asked: list[Path]) -> None:
    """Whatever else is said."""
    connect("--socket", "/run/y.sock", "-f", "app")
    assert asked == [Path("/run/y.sock")]


@pytest.mark.parametrize("word", ["--file", "--socket"])
def test_an_empty_word(word: str, asked: list[Path]) -> None:
    """It is most likely an unset variable."""
    result = connect(word, "")
    assert result.exit_code == 2
    assert "it is empty" in result.output
    assert asked == []


NO_SOCKET: dict[str, str] = {}
