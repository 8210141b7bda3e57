"""Tests of asynctask.manager.local.spawning: real processes, in whatever way they are started."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.local import gates, spawning
from asynctask.manager.local.programs import Program
from asynctask.manager.local.spawning import spawn
from tests.manager.local.conftest import Launch
from tests.support import children, unable

NOBODY = pwd.getpwnam("nobody")
#: More descriptors than a system grants to anybody.
TOO_MANY = 1 << 40

#: One that needs no gate, one for the shell, and one for Python.
GATES: dict[str, dict[str, Any]] = {
    "none": {},
    "shell": {"rlimits": {"core": 0}},
    "python": {"custom_streams": ["data"]},
}
each_gate = pytest.mark.parametrize("fields", GATES.values(), ids=GATES)


def _need_root() -> None:
    if os.geteuid() != 0:
        unable("only root may run processes as somebody else")


@each_gate
async def test_a_session_of_its_own(launch: Launch, fields: dict[str, Any]) -> None:
    """It leads a session and a group, whose numbers are its own."""
    started = await launch("read line", stdin=True, **fields)
    pid = started.running.os_pid
    assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)


@each_gate
async def test_directory_and_mask(launch: Launch, fields: dict[str, Any], tmp_path: Path) -> None:
    """As the template says; a mask of 0 is one, too."""
    first = await launch("pwd; umask", cwd=str(tmp_path), umask=0o027, **fields)
    second = await launch("umask", umask=0, **fields)
    await first.end()
    await second.end()
    assert first.stdout == f"{tmp_path}\n0027\n".encode()
    assert second.stdout == b"0000\n"


@each_gate
async def test_another_user(launch: Launch, fields: dict[str, Any]) -> None:
    """With its groups, and with its home."""
    _need_root()
    started = await launch("id -u; id -g; id -G; echo $HOME", user="nobody", **fields)
    await started.end()
    groups = " ".join(str(each) for each in os.getgrouplist("nobody", NOBODY.pw_gid))
    expected = f"{NOBODY.pw_uid}\n{NOBODY.pw_gid}\n{groups}\n{NOBODY.pw_dir}\n"
    assert (started.stdout.decode(), started.output.get("stderr")) == (expected, None)


@each_gate
async def test_nothing_of_ours_is_inherited(launch: Launch, fields: dict[str, Any]) -> None:
    """Only the standard streams, and custom ones; no ignored signal; a sensible environment."""
    ours = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(ours, True)
    script = "ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; env | grep -c ASYNCTASK_GATE"
    try:
        started = await launch(script, **fields)
    finally:
        os.close(ours)
    await started.end()
    *fds, blocked, ignored, gates_seen = started.stdout.decode().splitlines()
    custom = ["3"] if "custom_streams" in fields else []
    assert fds == ["0", "1", "2", *custom, str(3 + len(custom))]  # the last is that of ls itself
    assert (int(blocked.split()[1], 16), int(ignored.split()[1], 16), gates_seen) == (0, 0, "0")


@each_gate
async def test_input_is_not_touched(launch: Launch, fields: dict[str, Any]) -> None:
    """A gate takes no byte of it, and there is none where none was asked for."""
    with_input = await launch("cat", stdin=True, **fields)
    await with_input.running.write(b"\nline\nend")
    await with_input.running.close_input()
    without = await launch("cat", **fields)
    await with_input.end()
    await without.end()
    assert (with_input.stdout, without.stdout) == (b"\nline\nend", b"")


@each_gate
async def test_where_output_goes(
    launch: Launch, fields: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """To us, nowhere, where ours goes, and standard error where standard output goes."""
    script = "echo out; echo err >&2"
    both = await launch(script, **fields)
    merged = await launch(script, stderr="stdout", **fields)
    half = await launch(script, stdout="null", **fields)
    none = await launch(script, stdout="inherit", stderr="stdout", **fields)
    for each in (both, merged, half, none):
        await each.end()
    assert both.output == {"stdout": b"out\n", "stderr": b"err\n"}
    assert merged.output == {"stdout": b"out\nerr\n"}
    assert half.output == {"stderr": b"err\n"}
    assert none.output == {}
    assert capfd.readouterr() == ("out\nerr\n", "")


@pytest.mark.parametrize("user", [None, "nobody"])
@pytest.mark.parametrize("streams", [(), ("data",)])
async def test_limits_are_in_force_from_the_start(launch: Launch, user: str | None, streams: Any) -> None:
    """Soft and hard ones; the program never ran without."""
    if user is not None:
        _need_root()
    rlimits = {"nofile": (50, 60), "core": 0}
    started = await launch(
        "ulimit -Sn; ulimit -Hn; ulimit -Hc", rlimits=rlimits, user=user, custom_streams=streams
    )
    await started.end()
    assert started.stdout == b"50\n60\n0\n"


async def test_custom_streams(launch: Launch) -> None:
    """Descriptors 3 and up in their order, for both directions; they may be many."""
    names = [f"s{number}" for number in range(12)]
    script = (
        "import os, sys\n"
        "for fd in range(3, 15): os.write(fd, b'I am %d' % fd)\n"
        "sys.stdout.buffer.write(os.read(4, 99) + os.read(14, 99) + os.read(14, 99))\n"
    )
    started = await launch([sys.executable, "-S", "-c", script], custom_streams=names)
    await started.running.write(b"to 4, ", "s1")
    await started.running.write(b"to 14", "s11")
    await started.running.close_input("s11")
    assert (await started.end()).code == 0
    assert started.output == {
        "stdout": b"to 4, to 14",
        **{name: b"I am %d" % (place + 3) for place, name in enumerate(names)},
    }


async def test_odd_variables_go_through_a_gate(monkeypatch: pytest.MonkeyPatch, launch: Launch) -> None:
    """A shell would forget them."""
    monkeypatch.setenv("odd.name", "kept")
    started = await launch(["/usr/bin/env"], rlimits={"core": 0})
    await started.end()
    assert b"odd.name=kept\n" in started.stdout


# -- what fails ---------------------------------------------------------------------------------


async def failing(launch: Launch, what: Any, **fields: Any) -> str:
    """Why it is not started; nothing is left of it."""
    with pytest.raises(LaunchError) as caught:
        await launch(what, **fields)
    assert children() == set()
    assert not caught.value.temporary
    return str(caught.value)


@each_gate
async def test_the_reason_is_told(launch: Launch, fields: dict[str, Any], tmp_path: Path) -> None:
    """The same words in each way."""
    plain = tmp_path / "plain"
    plain.write_text("")
    assert await failing(launch, ["no-such-program"], **fields) == "no-such-program: not found in PATH"
    assert await failing(launch, ["/no/such"], **fields) == "/no/such: no such file"
    assert await failing(launch, [str(tmp_path)], **fields) == f"{tmp_path}: it is a directory"
    assert await failing(launch, [str(plain)], **fields) == f"{plain}: not executable"
    assert await failing(launch, ["true"], cwd="/no/such", **fields) == "cwd '/no/such': no such directory"
    assert await failing(launch, ["true"], cwd=str(plain), **fields) == f"cwd '{plain}': not a directory"


@pytest.mark.parametrize("streams", [(), ("data",)])
async def test_a_limit_that_is_not_permitted(launch: Launch, streams: Any) -> None:
    """The program was never executed."""
    message = await failing(launch, ["true"], rlimits={"nofile": TOO_MANY}, custom_streams=streams)
    assert message.startswith(f"limit nofile={TOO_MANY}: not permitted")


async def test_a_user_that_is_not_permitted(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is needed."""

    def refuse(*args: Any, **more: Any) -> None:
        raise PermissionError(errno.EPERM, "not permitted", None)

    monkeypatch.setattr(subprocess, "Popen", refuse)  # whoever runs this may be root
    message = await failing(launch, ["true"], user="nobody")
    who = f"user nobody and group {NOBODY.pw_gid}"
    assert message == f"{who}: not permitted: only root may run processes as somebody else"


@pytest.mark.parametrize("made", range(3))
async def test_no_descriptor_is_left(launch: Launch, monkeypatch: pytest.MonkeyPatch, made: int) -> None:
    """Those that were made are closed; it is tried again later."""
    pipe, left = os.pipe, [None] * made

    def scarce() -> tuple[int, int]:
        if not left:
            raise OSError(errno.EMFILE, "Too many open files")
        left.pop()
        return pipe()

    monkeypatch.setattr(os, "pipe", scarce)
    with pytest.raises(LaunchError) as caught:
        await launch(["true"], stdin=True)
    monkeypatch.undo()
    expected = "true: no file descriptor is left for it (ulimit -n)"
    assert (str(caught.value), caught.value.temporary) == (expected, True)


async def test_what_no_system_takes(launch: Launch) -> None:
    """An argument list that is too long is one."""
    assert await failing(launch, ["true", "x" * (1 << 20)]) == "true: argument list too long"


# -- the gate of Python -------------------------------------------------------------------------

BY_PYTHON = Program(argv=["/bin/sleep", "60"], env={}, custom_streams=("data",))


async def test_cancelling_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the gate is waited for."""
    monkeypatch.setattr(gates, "_PYTHON", "import time; time.sleep(60)")
    born: list[int] = []
    starting = asyncio.create_task(spawn(BY_PYTHON, born.append))
    while not born:
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert children() == set()


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("import time; time.sleep(60)", "its descriptors were not in place after 0.1 s"),
        ("raise SystemExit(3)", "the Python that was to place its descriptors has failed"),
    ],
)
async def test_a_gate_that_fails(monkeypatch: pytest.MonkeyPatch, python: str, reason: str) -> None:
    """It has bounds, and nothing is left of it."""
    monkeypatch.setattr(gates, "_PYTHON", python)
    if "sleep" in python:
        monkeypatch.setattr(spawning, "_GATE_WAIT", 0.1)
    with pytest.raises(LaunchError) as caught:
        await spawn(BY_PYTHON, lambda pid: None)
    assert str(caught.value) == f"/bin/sleep: {reason}"
    assert children() == set()


async def test_a_long_order(launch: Launch) -> None:
    """Longer than a pipe holds."""
    env = {f"V{number}": "x" * 10_000 for number in range(20)}
    started = await launch("env | grep -c xxxxx", env=env, custom_streams=["data"])
    await started.end()
    assert started.stdout == b"20\n"


async def test_it_is_born_once() -> None:
    """Its number is told before anything else may go wrong."""
    born: list[int] = []
    with pytest.raises(LaunchError):
        await spawn(replace(BY_PYTHON, argv=["/no/such"]), born.append)
    assert len(born) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(born[0], signal.SIGCONT)
