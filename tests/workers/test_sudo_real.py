"""Tests of asynctask.workers.sudo with the real sudo, of a user that the test makes."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import NodeResult, Outcome, Result, SSHOptions
from asynctask.workers.ssh import SSHWorker
from asynctask.workers.sudo import Sudo
from tests.ssh.processes import alive, with_argument, with_text
from tests.sshd import OpenSSHServer
from tests.support import Recorder
from tests.workers.sites import PATIENCE, Site, check
from tests.workers.sudoers import PASSWORD, SudoUser, can_make_users

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and not can_make_users(), reason="needs root and sudo to make a user"
    ),
    pytest.mark.one_loop("sudo does the work"),
]


@pytest.fixture(scope="module")
def login() -> Iterator[SudoUser]:
    """The user."""
    with SudoUser() as user:
        yield user


@pytest.fixture(scope="module")
def server(sshd: OpenSSHServer) -> Iterator[OpenSSHServer]:
    """The real server, whose files the user can reach."""
    directory = sshd.home.parent
    directory.chmod(0o711)
    sshd.home.chmod(0o755)
    (directory / "id_ed25519.pub").chmod(0o644)
    yield sshd
    directory.chmod(0o700)


@pytest.fixture
def at(home: Path, server: OpenSSHServer, login: SudoUser) -> Site:
    """The nodes, as the user."""
    login.may()
    return Site(SSHOptions(config=server.files.ssh_config, user=login.name), server.nodes)


async def _run_all(at: Site, nodes: Sequence[str], command: str, **settings: Any) -> Result:
    handler = settings.pop("handler", None)
    async with asynctask.Task() as task, asyncio.timeout(PATIENCE):
        task.schedule(SSHWorker(command, nodes, ssh=at.options, handler=handler, **settings))
        return await task.run()


async def _run(at: Site, command: str, **settings: Any) -> NodeResult:
    return (await _run_all(at, at.nodes[:1], command, **settings))[at.node]


RIGHT = Sudo(password=PASSWORD)


async def test_root(at: Site) -> None:
    """The command runs as root; of the lecture and the prompt nothing is left in the output."""
    result = await _run(at, "id -un; echo err >&2; exit 3", sudo=RIGHT, stderr=True)
    check(result, Outcome.FAILED, 3, out=b"root\n", err=b"err\n")


async def test_another_user(at: Site, login: SudoUser) -> None:
    """Or as somebody else."""
    result = await _run(at, "id -un", sudo=Sudo(user=login.other, password=PASSWORD))
    check(result, Outcome.OK, 0, out=f"{login.other}\n".encode())


async def test_nobody_is_asked(at: Site, login: SudoUser) -> None:
    """Where no password is needed none is written: the command's input is the caller's alone."""
    login.may("ALL=(ALL) NOPASSWD: ALL")
    check(await _run(at, "cat; id -un", sudo=RIGHT, stdin=b"mine\n"), Outcome.OK, 0, out=b"mine\nroot\n")


@pytest.mark.parametrize("defaults", [("use_pty",), ("!use_pty",)])
async def test_input(at: Site, login: SudoUser, defaults: tuple[str, ...]) -> None:
    """All bytes of the caller reach the command and no other."""
    login.may("ALL=(ALL) ALL", *defaults)
    data = os.urandom(1 << 18)
    result = await _run(at, "cat", sudo=RIGHT, stdin=data)
    assert (result.outcome, result.stdout == data) == (Outcome.OK, True)


async def test_no_input(at: Site) -> None:
    """By default there is none."""
    check(await _run(at, "cat; echo over", sudo=RIGHT), Outcome.OK, 0, out=b"over\n")


async def test_environment(at: Site) -> None:
    """The variables reach the command, which sudo would have dropped."""
    env = {"ANY": "a'b \n%s $HOME", "LC_OTHER": "x"}
    result = await _run(at, 'printf "%s-%s" "$ANY" "$LC_OTHER"', sudo=RIGHT, env=env)
    check(result, Outcome.OK, 0, out=b"a'b \n%s $HOME-x")


@pytest.mark.parametrize("pty", [False, True])
async def test_a_wrong_password(at: Site, pty: bool) -> None:
    """It is told as what it is, after one attempt."""
    begun = time.monotonic()
    never = f"echo never{time.monotonic_ns()}"
    result = await _run(at, never, sudo=Sudo(password="wrong one"), pty=pty)
    check(result, Outcome.AUTH_FAILED, error=f"{at.node}: sudo: password refused; it was tried once")
    assert time.monotonic() - begun < 15
    assert with_text(never) == []


async def test_a_wrong_password_and_one_attempt(at: Site, login: SudoUser) -> None:
    """Also where sudo does not ask again."""
    login.may("ALL=(ALL) ALL", "passwd_tries=1")
    result = await _run(at, "echo never", sudo=Sudo(password="wrong one"))
    check(result, Outcome.AUTH_FAILED, error=f"{at.node}: sudo: password refused; it was tried once")


@pytest.mark.parametrize("pty", [False, True])
async def test_no_password(at: Site, pty: bool) -> None:
    """Who has none is told at once."""
    begun = time.monotonic()
    result = await _run(at, "echo never", sudo=True, pty=pty)
    reason = "sudo asks for a password and there is none; give Sudo(password=...) or a prompt"
    check(result, Outcome.AUTH_FAILED, error=f"{at.node}: {reason}")
    assert time.monotonic() - begun < 5


async def test_a_prompt_once_for_all(at: Site) -> None:
    """The user is asked once."""
    asked: list[Any] = []

    async def prompt(question: Any) -> str:
        asked.append(question)
        await asyncio.sleep(0.1)
        return PASSWORD

    result = await _run_all(at, at.nodes, "id -un", sudo=Sudo(prompt=prompt))
    assert [bytes(output) for output, _ in result.iter_buffers()] == [b"root"]
    assert [(question.kind, question.user) for question in asked] == [("sudo", at.options.user)]


async def test_not_a_sudoer(at: Site, login: SudoUser) -> None:
    """sudo's own words are the reason."""
    login.may(None)
    result = await _run(at, "echo never", sudo=RIGHT)
    assert result.outcome is Outcome.SPAWN_FAILED
    assert f"{login.name} is not in the sudoers file" in str(result.error)


async def test_not_allowed(at: Site, login: SudoUser) -> None:
    """The complaint, which repeats the command, is not taken for its beginning."""
    login.may("ALL=(ALL) NOPASSWD: /bin/true")
    result = await _run(at, "echo never", sudo=True)
    assert result.outcome is Outcome.AUTH_FAILED or result.outcome is Outcome.SPAWN_FAILED
    assert result.stdout == b""
    result = await _run(at, "echo never", sudo=RIGHT)
    assert result.outcome is Outcome.SPAWN_FAILED
    assert "is not allowed to execute" in str(result.error)


async def test_no_such_program(at: Site) -> None:
    """A node may have no sudo."""
    result = await _run(at, "echo never", sudo=Sudo(command="no-sudo-here"))
    check(result, Outcome.SPAWN_FAILED, error=f"{at.node}: sudo: no-sudo-here: command not found")


async def test_requiretty(at: Site, login: SudoUser) -> None:
    """Where sudo wants a terminal, pty=True gives it one."""
    login.may("ALL=(ALL) ALL", "requiretty")
    result = await _run(at, "echo never", sudo=RIGHT)
    assert result.outcome is Outcome.SPAWN_FAILED
    assert "tty" in str(result.error)
    check(await _run(at, "tty -s && id -un", sudo=RIGHT, pty=True), Outcome.OK, 0, out=b"root\n")


@pytest.mark.parametrize("defaults", [("use_pty",), ("!use_pty",)])
async def test_terminal(at: Site, login: SudoUser, defaults: tuple[str, ...]) -> None:
    """On a terminal nothing is echoed and the output is left as it is."""
    login.may("ALL=(ALL) ALL", *defaults)
    result = await _run(at, "head -n 1; id -un; cat", sudo=RIGHT, pty=True, stdin=b"mine\n")
    check(result, Outcome.OK, 0, out=b"mine\nroot\n")


@pytest.mark.parametrize("defaults", [("use_pty",), ("!use_pty",)], ids=str)
async def test_killed(at: Site, login: SudoUser, defaults: tuple[str, ...]) -> None:
    """What runs as another user is gone, within the grace and a little, whatever it ignores."""
    login.may("ALL=(ALL) ALL", *defaults)

    async def killed(pty: bool, user: str, trap: str) -> tuple[object, ...]:
        marker = f"{time.monotonic_ns()}.5"
        begun = time.monotonic()
        result = await _run(
            at,
            f"{trap}sleep {marker} & echo $$ $!; sleep {marker}; sleep {marker}; sleep {marker}",
            sudo=Sudo(user=user, password=PASSWORD),
            pty=pty,
            timeout=2.0,
            grace=0.5,
        )
        in_time = time.monotonic() - begun < 9
        alive_still = [alive(int(word)) for word in result.stdout.split()[:2]]
        return result.outcome, alive_still, with_argument(marker), in_time

    variants = list(itertools.product((False, True), ("root", login.other), ("", "trap '' TERM HUP; ")))
    ended = await asyncio.gather(*(killed(*variant) for variant in variants))
    gone: tuple[object, ...] = (Outcome.TIMED_OUT, [False, False], [], True)
    assert dict(zip(variants, ended, strict=True)) == dict.fromkeys(variants, gone)


async def test_no_secrets(at: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The password is in no argument and no environment on the node, nor in anything that is shown here."""
    caplog.set_level("DEBUG")
    look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -cF 'battery '"
    heard = Recorder()
    result = await _run(at, f"{look} | grep -vx 1 | wc -l", sudo=RIGHT, handler=heard)
    assert result.ok
    wrong = await _run(at, "true", sudo=Sudo(password="swordfish 17"))
    shown = f"{result!r}{wrong!r}{wrong.error!r}{RIGHT!r}{caplog.text}{heard.events}"
    assert PASSWORD not in shown
    assert "swordfish" not in shown
