"""What systemd is told."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.manager.systemd import ServiceNotifier


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An abstract socket, as systemd has it, of which this process was told."""
    name = f"asynctask-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        yield listener


def heard(systemd: socket.socket) -> list[list[str]]:
    """The words that have come, by message."""
    messages = []
    while True:
        try:
            messages.append(systemd.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return messages


@pytest.mark.one_loop("system calls")
def test_the_words_of_a_life(systemd: socket.socket) -> None:
    """From ready to stopping, with a line of status that is one line."""
    notifier = ServiceNotifier.from_environment()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.ready("3 processes\nrun")
    notifier.reloading()
    notifier.status("x" * 1000)
    notifier.extend_timeout(2.5)
    notifier.stopping()
    notifier.close()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    ready, reloading, status, extend, stopping = heard(systemd)
    assert ready == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=3 processes run"]
    assert reloading[0] == "RELOADING=1"
    assert before <= int(reloading[1].removeprefix("MONOTONIC_USEC=")) <= after
    assert len(reloading) == 2
    assert status == [f"STATUS={'x' * 512}"]
    assert extend == ["EXTEND_TIMEOUT_USEC=2500000"]
    assert stopping == ["STOPPING=1"]


@pytest.mark.one_loop("system calls")
def test_a_socket_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as good."""
    monkeypatch.chdir(tmp_path)  # its own name may be too long
    path = Path("./notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        notifier = ServiceNotifier(str(path))
        notifier.stopping("bye")
        notifier.close()
        assert listener.recv(100) == b"STOPPING=1\nSTATUS=bye"


@pytest.mark.one_loop("pure functions")
@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_nobody_listens(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Then nothing is done, and there is no watchdog."""
    with caplog.at_level(logging.WARNING):
        notifier = ServiceNotifier.from_environment({**environ, "WATCHDOG_USEC": "1000"})
    assert len(caplog.records) == bool(environ.get("NOTIFY_SOCKET"))
    assert (notifier.wanted, notifier.watchdog) == (False, None)
    notifier.ready()
    notifier.start_watchdog()
    notifier.close()


@pytest.mark.one_loop("pure functions")
@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_whether_there_is_a_watchdog(environ: dict[str, str], seconds: float | None) -> None:
    """What was said to another process does not count."""
    notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": "/x", **environ})
    assert notifier.watchdog == seconds


async def test_signs_of_life(systemd: socket.socket) -> None:
    """The first at once, then one in half the time that there is, until it is closed."""
    notifier = ServiceNotifier(os.environ["NOTIFY_SOCKET"], watchdog=0.02)
    notifier.start_watchdog()
    notifier.start_watchdog()
    began = time.monotonic()
    said = heard(systemd)
    assert said == [["WATCHDOG=1"]]
    while len(said) < 3:
        await asyncio.sleep(0.001)
        said += heard(systemd)
    assert said == [["WATCHDOG=1"]] * 3
    assert time.monotonic() - began > 0.015
    notifier.close()
    notifier.close()
    await asyncio.sleep(0.02)
    notifier.status("closed")
    assert heard(systemd) == []


@pytest.mark.one_loop("system calls")
@pytest.mark.parametrize("address", ["/nowhere/at/all", "/" + "x" * 200, "@a\0b"])
def test_words_that_cannot_be_delivered(
    address: str, caplog: pytest.LogCaptureFixture, systemd: socket.socket
) -> None:
    """They are dropped; the log says so once."""
    notifier = ServiceNotifier(address)
    with caplog.at_level(logging.WARNING):
        notifier.ready()
        notifier.stopping()
    notifier.close()
    assert len(caplog.records) <= 1
    assert all(record.message.startswith("systemd cannot be told") for record in caplog.records)


@pytest.mark.one_loop("system calls")
def test_a_systemd_that_does_not_listen(systemd: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing waits for it."""
    notifier = ServiceNotifier.from_environment()
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            notifier.status("still here")
    notifier.close()
    assert len(caplog.records) == 1
    assert 0 < len(heard(systemd)) < 1000
