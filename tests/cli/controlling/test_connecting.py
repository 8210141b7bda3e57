"""Which manager is meant."""

from __future__ import annotations

import os
import subprocess
import sys
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
    monkeypatch.delenv("ASYNCTASK_SOCKET")
    assert asked == [socket_path(tmp_path), Path("/run/x.sock")]


def test_the_manager_of_a_file(asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Or of its directory; who says so does not mean that of the variable."""
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASYNCTASK_SOCKET", "/run/x.sock")
    connect("-f", "app/Procfile")
    connect("--file", "app")
    connect("-f", "Procfile")
    monkeypatch.delenv("ASYNCTASK_SOCKET")
    there = socket_path(tmp_path / "app")
    assert asked == [there, there, socket_path(tmp_path)]


def test_the_manager_of_a_file_that_names_its_socket(
    asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As "asynctask up" has read it; the variable comes first there, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASYNCTASK_SOCKET", raising=False)
    (tmp_path / "asynctask.toml").write_text('[manager]\nsocket = "run/s"\n[process.web]\ncommand = "x"\n')
    connect()
    connect("-f", ".")
    connect("-f", "asynctask.toml")
    connect("-f", "Procfile")
    monkeypatch.setenv("ASYNCTASK_SOCKET", "/run/x.sock")
    connect()
    assert asked == [
        *[tmp_path / "run/s"] * 3,
        socket_path(tmp_path, environ={**os.environ, "ASYNCTASK_SOCKET": ""}),
        Path("/run/x.sock"),
    ]


@pytest.mark.parametrize(
    "text",
    ["[manager", "manager = 5", "[manager]\nsocket = 5", "x = 1", "[manager]\nsocket = '~nobody-at-all/s'"],
)
def test_a_file_that_is_being_written(
    text: str, asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its manager goes on, and can be asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASYNCTASK_SOCKET", raising=False)
    (tmp_path / "asynctask.toml").write_text(text)
    connect()
    assert asked == [socket_path(tmp_path)]


def test_the_runtime_directory_is_the_same_for_a_file(
    asked: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who names the file means the socket that "asynctask up" has made."""
    (tmp_path / "r").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    monkeypatch.delenv("ASYNCTASK_SOCKET", raising=False)
    connect()
    connect("-f", "Procfile")
    assert asked[0] == asked[1] == socket_path(tmp_path)


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


def test_it_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    """Start-up is felt at every call: no event loop, and nothing of what only a manager needs."""
    program = (
        "import sys\n"
        "from asynctask.cli import main\n"
        "for words in 'ps', 'status', 'start', 'stop a.1', 'restart', 'scale a=1', 'reload', 'send a b':\n"
        f"    sys.argv[1:] = [*words.split(), '--socket', {str(tmp_path / 'none')!r}]\n"
        "    try: main()\n"
        "    except SystemExit as exc: print(exc.code)\n"
        "heavy = {'anyio', 'asyncio', 'click', 'rich', 'asynctask.manager.template', 'asynctask.emitter'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*"13111111", "['click']"]
