"""What is wrong is told, and nothing else suffers: programs that fail in all ways, and impossible calls."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.supervising.labels import Prefixes
from asynctask.cli.supervising.reloading import Loader
from asynctask.errors import ManagerError, TemplateConflictError, TemplateError
from asynctask.manager import (
    Backoff,
    Flapping,
    LogFile,
    Manager,
    ProcessInfo,
    ProcessState,
    ProcessTemplate,
    Readiness,
)
from asynctask.manager.files import load_file
from asynctask.manager.local.launcher import LocalLauncher
from tests.manager.fakes import Heard

NEVER = 600.0
ONE_TRY = Backoff(attempts=1)
_S = ProcessState


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Manager]:
    """A manager of real processes, with one that is well."""
    launcher = LocalLauncher(state_dir=tmp_path, guard=False)
    async with Manager(launcher=launcher) as manager:
        await manager.load(ProcessTemplate("well", ["sleep", "1000"]))
        yield manager
        assert [(each.pid, each.state) for each in manager.info("well").processes] == [(1, _S.RUNNING)]


def script(text: str, **fields: Any) -> ProcessTemplate:
    """A template of a shell script."""
    return ProcessTemplate("web", ["/bin/sh", "-c", text], **fields)


def info(manager: Manager) -> ProcessInfo:
    """The one process of the template."""
    return manager.info("web").processes[0]


async def told(manager: Manager, template: ProcessTemplate, last: str) -> list[str]:
    """Load a template; what is told of its processes up to an event."""
    heard = Heard(manager, "proc.web")
    await manager.load(template)
    async with asyncio.timeout(5):
        return [each.removeprefix("proc.web.") for each in await heard.until(f"proc.web.{last}")]


# -- programs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "reason"), [(None, "no such file"), (0o644, "not executable"), (0o755, "it is a directory")]
)
async def test_a_program_that_cannot_be_executed(
    manager: Manager, tmp_path: Path, mode: int | None, reason: str
) -> None:
    """It says why, and was never spawned."""
    program = tmp_path / "program"
    if mode == 0o755:
        program.mkdir()
    elif mode is not None:
        program.touch(mode)
    events = await told(manager, ProcessTemplate("web", [str(program)], backoff=ONE_TRY), "fatal")
    assert events == ["start", "fatal"]
    assert (info(manager).state, info(manager).reason) == (_S.FATAL, f"{program}: {reason}")


async def test_one_that_exits_at_once_is_flapping(manager: Manager) -> None:
    """It is started as often as allowed, and given up."""
    template = script("exit 3", flapping=Flapping(attempts=2, max_retry=0))
    assert await told(manager, template, "fatal") == [
        "start",
        *("spawn 2", "ready 2", "exit 2 3", "reap 2"),
        *("spawn 3", "ready 3", "exit 3 3", "reap 3"),
        "flap",
        "fatal",
    ]
    assert info(manager).reason == "it ended 2 times within 10 s, at last: it exited with 3"


async def test_one_that_exits_before_it_is_ready_waits_longer_each_time(manager: Manager) -> None:
    """That is a start that failed, whatever its code."""
    backoff = Backoff(initial=0.001, factor=2, jitter=0, attempts=3)
    template = script("exit 0", readiness=Readiness(seconds=NEVER), backoff=backoff)
    heard = Heard(manager, "proc.web.backoff")
    events = await told(manager, template, "fatal")
    assert [each for each in events if " " not in each] == ["start", "backoff", "backoff", "fatal"]
    await heard.until("proc.web.backoff", 2)
    assert [each["retry_in"] for each in heard.messages] == [0.001, 0.002]
    assert info(manager).reason == "before it was ready: it exited with 0"


async def test_one_that_forks_and_exits_leaves_nothing(manager: Manager, tmp_path: Path) -> None:
    """What it has left in its group is ended."""
    left = tmp_path / "left"
    template = script(f"sleep 1000 & echo $! >{left}", restart="never")
    assert await told(manager, template, "reap") == ["start", "spawn 2", "ready 2", "exit 2 0", "reap 2"]
    assert not is_alive(int(left.read_text()))


def is_alive(pid: int) -> bool:
    """Whether a process is there, and more than the record of its end."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_one_that_ignores_its_signal_is_killed(manager: Manager) -> None:
    """When its grace is over."""
    readiness = Readiness(line="up")
    await manager.load(
        script(
            "trap '' TERM; echo up; while :; do sleep 1000; done", readiness=readiness, graceful_timeout=0.02
        )
    )
    heard = Heard(manager, "proc.web.exit")
    await manager.unload("web")
    assert await heard.until("proc.web.exit") == [f"proc.web.exit 2 signal {int(signal.SIGKILL)}"]


async def test_one_whose_log_disk_is_full_goes_on(manager: Manager) -> None:
    """That is told once, however much it prints, and its lines can be read all the same."""
    template = script("printf '1\\n2\\n3\\n4\\n5\\n'; exec sleep 1000", stdout=LogFile(path="/dev/full"))
    heard = Heard(manager, "proc.web.warning")
    await manager.load(template)
    async with asyncio.timeout(5):
        await heard.until("proc.web.warning")
        with manager.output("web", history=5) as lines:
            assert [(await anext(lines)).line for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]
    assert heard.messages[0]["text"].startswith("log /dev/full cannot be written: No space left on device")
    assert info(manager).state is _S.RUNNING


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, and takes no connection."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_one_that_never_opens_its_port_is_not_ready(manager: Manager, closed_port: int) -> None:
    """It is ended, and tried again later."""
    readiness = Readiness(tcp=str(closed_port), timeout=0.05, interval=0.01)
    template = script("exec sleep 1000", readiness=readiness)
    assert await told(manager, template, "backoff") == [
        "start",
        "spawn 2",
        "warning 2",
        f"exit 2 signal {int(signal.SIGTERM)}",
        "stop_pid 2",
        "reap 2",
        "backoff",
    ]
    assert info(manager).reason == (
        f"it did not become ready: no connection to 127.0.0.1:{closed_port}: {os.strerror(111)}, after 0.05 s"
    )


# -- calls and files ------------------------------------------------------------------------


async def test_a_template_that_is_loaded_twice(manager: Manager) -> None:
    """The first one stays."""
    with pytest.raises(TemplateConflictError):
        await manager.load(ProcessTemplate("well", ["sleep", "2000"]))
    assert manager.info("well").template.command == ("sleep", "1000")


@pytest.mark.parametrize("wish", [-1, "-2"])
async def test_a_scale_below_zero(manager: Manager, wish: int | str) -> None:
    """There are as many as before."""
    with pytest.raises(ManagerError) as caught:
        await manager.scale("well", wish)
    assert str(caught.value) == "well: cannot scale from 1 to -1: it can be 0 to 10000"
    assert manager.info("well").numprocesses == 1


class File:
    """The file of ``asynctask up``."""

    names = ("well",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_again(self) -> dict[str, ProcessTemplate]:
        """What it says now."""
        return {**load_file(self._path).templates}


@pytest.mark.parametrize(
    ("name", "text", "line", "reason"),
    [
        ("Procfile", "well: sleep 2000\nweb serve\n", 2, "a line is NAME: COMMAND"),
        (
            "asynctask.toml",
            '[process.well]\ncommand = "sleep 2000"\nnumproceses = 2\n',
            3,
            "[process.well]: numproceses: there is no such field; did you mean 'numprocesses'?",
        ),
    ],
)
async def test_a_file_that_is_malformed(
    manager: Manager, tmp_path: Path, name: str, text: str, line: int, reason: str
) -> None:
    """Its line and what is wrong there are told, and nothing that runs is touched."""
    said: list[str] = []
    now = {"well": manager.info("well").template}
    loader = Loader(manager, File(tmp_path / name), now, Prefixes(), said.append)
    (tmp_path / name).write_text(text)
    with pytest.raises(TemplateError) as caught:
        await loader.reload()
    assert str(caught.value) == f"{tmp_path / name}:{line}: {reason}"
    assert said == [f"nothing was changed: {caught.value}"]
    assert manager.info("well").template is now["well"]
