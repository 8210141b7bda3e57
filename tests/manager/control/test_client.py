"""Asking a manager without a loop."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from asynctask.errors import ManagerError, TemplateNotFoundError, UsageError
from asynctask.manager import Manager, ProcessTemplate
from asynctask.manager.control import client as client_module
from asynctask.manager.control.client import Client, ManagerEndedError, NoManagerError
from asynctask.manager.control.protocol import encode, hello
from asynctask.manager.control.server import ControlServer
from tests.manager.fakes import FakeLauncher
from tests.support import refused

T = TypeVar("T")
HELLO = encode(hello("m", 1))


async def asked(manager: Manager, path: Path, ask: Callable[[Client], T]) -> T:
    """What a client gets from a manager; it asks in a thread."""

    def run() -> T:
        with Client(path) as client:
            return ask(client)

    async with ControlServer(manager, path):
        return await asyncio.to_thread(run)


async def test_a_call(manager: Manager, run_dir: Path) -> None:
    """Its result, and who has answered."""
    name, answer = await asked(
        manager, run_dir / "a", lambda client: (client.hello["name"], client.call("list"))
    )
    assert (name, answer) == ("m", {"names": []})


async def test_an_error_keeps_its_type(manager: Manager, run_dir: Path) -> None:
    """As if it had been raised here; the client goes on."""

    def ask(client: Client) -> object:
        with pytest.raises(TemplateNotFoundError, match="no template 'x' is loaded"):
            client.call("info", {"name": "x"})
        with pytest.raises(UsageError, match="no operation 'explode'"):
            client.call("explode")
        return client.call("list")

    assert await asked(manager, run_dir / "a", ask) == {"names": []}


async def test_a_stream(manager: Manager, launcher: FakeLauncher, run_dir: Path) -> None:
    """Until it ends; several may follow each other."""
    await manager.load(ProcessTemplate("web", "serve"))
    launcher.processes[0].ears.output("stdout", b"1\n2\n")
    past = {"lines": 5, "follow": False}

    def ask(client: Client) -> list[list[object]]:
        return [[item["line"] for item in client.stream("output", past)] for _ in range(2)]

    assert await asked(manager, run_dir / "a", ask) == [["1", "2"], ["1", "2"]]


async def test_an_answer_larger_than_a_read(manager: Manager, launcher: FakeLauncher, run_dir: Path) -> None:
    """It is put together."""
    await manager.load(ProcessTemplate("web", "serve"))
    launcher.processes[0].ears.output("stdout", b"x" * 200_000 + b"\n")

    def ask(client: Client) -> list[int]:
        return [len(item["line"]) for item in client.stream("output", {"lines": 1, "follow": False})]

    assert await asked(manager, run_dir / "a", ask) == [200_000]


# -- nobody, and others ---------------------------------------------------------------------------


@pytest.mark.one_loop("no loop")
@pytest.mark.parametrize("left", ["nothing", "a socket", "a file above"])
def test_no_manager(left: str, run_dir: Path) -> None:
    """It is told what to do."""
    path = run_dir / "a" / "b.sock"
    if left == "a file above":
        path.parent.touch()
    elif left == "a socket":
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    text = f"no manager runs here (nobody listens at {path}): start one with 'asynctask up'"
    refused(NoManagerError, text, lambda: Client(path))


@contextmanager
def listening(path: Path, *said: bytes, hold: bool = False) -> Iterator[None]:
    """Somebody who says something to the first who connects, and goes; or waits until they go."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)

        def serve() -> None:
            with listener.accept()[0] as peer, suppress(OSError):
                for data in said:
                    peer.sendall(data)
                while hold and peer.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join()


@pytest.mark.one_loop("no loop")
@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"220 smtp ready\r\n", "who listens there is no manager of asynctask"),
        (b"{}\n", "who listens there is no manager of asynctask"),
        (b'{"error":{"type":"ManagerError","text":"not you"}}\n', "not you"),
    ],
)
def test_others_who_listen(said: bytes, text: str, run_dir: Path) -> None:
    """The message names the socket."""
    path = run_dir / "a"
    with listening(path, said):
        refused(ManagerError, f"{path}: {text}", lambda: Client(path))


@pytest.mark.one_loop("no loop")
def test_a_manager_that_is_about_to_end(run_dir: Path) -> None:
    """It still takes connections, and says nothing."""
    path = run_dir / "a"
    with listening(path):
        refused(ManagerEndedError, f"{path}: the manager ended before it had answered", lambda: Client(path))


@pytest.mark.one_loop("no loop")
def test_nobody_says_anything(run_dir: Path) -> None:
    """As when the manager was stopped with Ctrl-Z."""
    path = run_dir / "a"
    text = "the manager does not answer: it hangs, or was stopped"
    with listening(path, hold=True):
        refused(ManagerError, f"{path}: {text}", lambda: Client(path, patience=0.01))


@pytest.mark.one_loop("no loop")
def test_a_queue_that_is_full(run_dir: Path) -> None:
    """Nobody takes the connections: that is given up, too."""
    path = run_dir / "a"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        refused(ManagerError, f"{path}: it does not answer", lambda: Client(path, patience=0.0))


@pytest.mark.one_loop("no loop")
def test_an_answer_without_an_end(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept for ever."""
    monkeypatch.setattr(client_module, "MOST_ANSWER", 1000)
    path = run_dir / "a"
    with listening(path, b"x" * 200_000):
        refused(ManagerError, f"{path}: the manager's answer is endless", lambda: Client(path))


@pytest.mark.one_loop("no loop")
def test_a_manager_that_ends(run_dir: Path) -> None:
    """In the middle of an answer, or before."""
    path = run_dir / "a"
    with (
        listening(path, HELLO, b'{"id":1,"res', hold=False),
        Client(path) as client,
        pytest.raises(ManagerError),
    ):
        client.call("list")
    path.unlink()
    with listening(path, HELLO):
        client = Client(path)
    with client, pytest.raises(ManagerError, match="the manager"):
        client.call("list")


@pytest.mark.one_loop("no loop")
def test_a_manager_that_falls_silent(run_dir: Path) -> None:
    """Signs of life are waited for, but not for ever."""
    path = run_dir / "a"
    with (
        listening(path, HELLO, b'{"alive":true}\n' * 3, hold=True),
        Client(path, silence=0.02) as client,
        pytest.raises(ManagerError, match="the manager does not answer: it hangs, or was stopped"),
    ):
        client.call("list")


@pytest.mark.one_loop("no loop")
def test_an_answer_that_is_none(run_dir: Path) -> None:
    """What belongs to others is passed over; what has no sense is an error."""
    path = run_dir / "a"
    with (
        listening(
            path, HELLO, b'{"id":9,"result":{}}\n{"id":1,"result":3}\n{"id":1,"error":[]}\n', hold=True
        ),
        Client(path) as client,
        pytest.raises(ManagerError, match="an error that cannot be understood"),
    ):
        client.call("list")


@pytest.mark.one_loop("no loop")
def test_a_request_that_is_too_long(run_dir: Path) -> None:
    """It is not even sent."""
    path = run_dir / "a"
    with listening(path, HELLO, hold=True), Client(path) as client:
        refused(
            UsageError,
            "send: a request may have 1048576 bytes: send less at once",
            lambda: client.call("send", {"data": "x" * (1 << 20)}),
        )


@pytest.mark.one_loop("no loop")
def test_another_user_listens(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would learn what is sent; only root may have meant that."""
    path = run_dir / "a"
    monkeypatch.setattr(client_module, "peer_uid", lambda _: 4242)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with listening(path, HELLO, hold=True):
        refused(ManagerError, f"{path}: another user (uid 4242) listens there", lambda: Client(path))
    path.unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with listening(path, HELLO, hold=True), Client(path) as client:
        assert not client.has_more
