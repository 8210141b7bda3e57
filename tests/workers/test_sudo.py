"""Tests of asynctask.workers.sudo: what is said and heard, and programs that are not quite sudo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asynctask
from asynctask import NodeResult, Outcome
from asynctask.errors import UsageError
from asynctask.workers import ssh as worker_module
from asynctask.workers.ssh import SSHWorker
from asynctask.workers.sudo import Elevation, Gate, Sudo, Words
from tests.workers.sites import PATIENCE, Site, check

# -- what is given ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"user": ""},
        {"user": "-u"},
        {"user": "a\nb"},
        {"command": ""},
        {"command": "-c"},
        {"command": 3},
        {"password": "a\nb"},
        {"password": "a\0b"},
        {"password": b"a"},
        {"password": "a\ud800"},
        {"prompt": "who"},
    ],
)
def test_what_can_never_work(settings: dict[str, Any]) -> None:
    """It is refused at the call."""
    with pytest.raises(UsageError, match=r"^sudo: "):
        Sudo(**settings)


def test_no_password_in_messages() -> None:
    """Neither a refusal nor what is shown of it has the password."""
    with pytest.raises(UsageError) as raised:
        Sudo(password="swordfish\n")
    assert "swordfish" not in f"{raised.value}{Sudo(password='swordfish')!r}"


@pytest.mark.parametrize(
    "settings", [{"sudo": "root"}, {"sudo": 1}, {"pty": 1}, {"env": {"LC_ASYNCTASK": "x"}}]
)
def test_worker_settings(settings: dict[str, Any]) -> None:
    """The worker refuses what it cannot use."""
    with pytest.raises(UsageError):
        SSHWorker("true", ["n1"], **settings)


def test_true_and_false() -> None:
    """True is root, false is none."""
    assert SSHWorker("true", ["n1"], sudo=True).sudo == Sudo()
    assert SSHWorker("true", ["n1"], sudo=False).sudo is None


# -- the gate ---------------------------------------------------------------------------------------


WORDS = Words()
PROMPT, READY = WORDS.prompt.encode(), WORDS.ready.encode()
LECTURE = b"We trust you have received the usual lecture.\n#1) Respect\n\n"


def _feed(pieces: Sequence[bytes]) -> tuple[bytes, int, bool]:
    gate = Gate(WORDS)
    out = b"".join([gate.feed(piece) for piece in pieces])
    return out, gate.prompts, gate.open


def _cuts(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (LECTURE + PROMPT + b"\n" + READY + b"out\n\xff", (b"out\n\xff", 1, True)),
        (READY, (b"", 0, True)),
        (READY + PROMPT + READY, (PROMPT + READY, 0, True)),
        (PROMPT + b"Sorry, try again.\n" + PROMPT, (b"", 2, False)),
        (LECTURE, (b"", 0, False)),
        # Not READY[1:]: the rest of the prompt may end with the letter that is missing then.
        (PROMPT[:-1] + READY[2:] + PROMPT[:5] + READY + b"x", (b"x", 0, True)),
        (b"", (b"", 0, False)),
    ],
)
def test_every_cut(said: bytes, heard: tuple[bytes, int, bool]) -> None:
    """However it is cut in two or byte by byte, it means the same."""
    assert _feed([said[at : at + 1] for at in range(len(said))]) == heard
    assert [at for at in range(len(said) + 1) if _feed([said[:at], said[at:]]) != heard] == []


@given(
    parts=st.lists(
        st.one_of(st.sampled_from([PROMPT, READY, PROMPT[:9], READY[:-1], LECTURE]), st.binary()), max_size=8
    ),
    cuts=st.lists(st.integers(min_value=0), max_size=12),
)
def test_cut_anywhere(parts: list[bytes], cuts: list[int]) -> None:
    """The same for anything, cut anywhere: what follows the first announcement is the command's."""
    said = b"".join(parts)
    before, announced, after = said.partition(READY)
    expected = (after if announced else b"", before.count(PROMPT), bool(announced))
    assert _feed(_cuts(said, cuts)) == expected


def test_memory_is_bounded() -> None:
    """What is said without end is not kept."""
    gate = Gate(WORDS)
    for _ in range(100):
        assert gate.feed(b"x" * 65536) == b""
    assert len(gate._said) + len(gate._held) < 4096


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", ""),
        (b"lecture\nsudo: first\nsudo: a terminal is required\n\n", "a terminal is required"),
        (b"Sorry.\nx is not in the sudoers file.\n", "x is not in the sudoers file."),
        (b"sudo: \x1b[2J\xff evil\r\n", "[2J\N{REPLACEMENT CHARACTER} evil"),
        (b"sudo: " + b"x" * 1000, "x" * 300),
    ],
)
def test_last_words(said: bytes, words: str) -> None:
    """A message has sudo's last words, in one printable line."""
    gate = Gate(WORDS)
    gate.feed(said)
    assert gate.said() == words


def test_the_announcement_does_not_announce() -> None:
    """The command does not hold what says that it runs, nor does it the password."""
    words = Words()
    command = words.command(Sudo(password="swordfish"), "true", {"A": "b"})
    assert words.ready not in command
    assert "swordfish" not in command
    assert Words().prompt != words.prompt


def test_streams() -> None:
    """What sudo says on standard error holds up nothing of standard output."""
    heard: list[tuple[str, bytes]] = []
    elevation = Elevation(
        Sudo(), "true", lambda stream, data: heard.append((stream, data)), separate_stderr=True
    )
    elevation.receive("stdout", b"from a start-up file\n")
    elevation.receive("stderr", LECTURE)
    assert heard == [("stdout", b"from a start-up file\n")]


# -- programs that are not quite sudo ---------------------------------------------------------------


def _program(directory: Path, script: str) -> Sudo:
    """A program that reads sudo's options: P is its prompt; the rest of its arguments is the command."""
    program = directory / "sudo"
    options = 'while [ "$1" != -- ]; do [ "$1" = -p ] && P=$2; shift; done; shift\n'
    program.write_text(f"#!/bin/sh\n{options}{script}\n")
    program.chmod(0o755)
    return Sudo(command=str(program), password="swordfish")


async def _run(here: Site, command: str, **settings: Any) -> NodeResult:
    async with asynctask.Task() as task, asyncio.timeout(PATIENCE):
        task.schedule(SSHWorker(command, [here.node], ssh=here.options, **settings))
        return (await task.run())[here.node]


ASK = 'printf "%s" "$P" >&2; read -r line; [ "$line" = swordfish ] || exit 1; '


async def test_asks(site: Site, tmp_path: Path) -> None:
    """A password for a prompt, the rest of the input for the command."""
    sudo = _program(tmp_path, f'{ASK}exec "$@"')
    result = await _run(site, "cat; echo err >&2; exit 3", sudo=sudo, stdin=b"mine\n", stderr=True)
    check(result, Outcome.FAILED, 3, out=b"mine\n", err=b"err\n")


async def test_asks_for_something_else(here: Site, tmp_path: Path) -> None:
    """A prompt that is not sudo's own is not answered, and not waited for without end."""
    sudo = _program(tmp_path, 'printf "Verification code: " >&2; read -r line; exec "$@"')
    begun = time.monotonic()
    result = await _run(here, "echo never", sudo=sudo, connect_timeout=1.0, grace=0.5)
    assert time.monotonic() - begun < 10
    error = f"{here.node}: sudo did not run the command within 1 s: Verification code:"
    assert str(result.error) == error
    check(result, Outcome.SPAWN_FAILED, error=error)


async def test_says_nothing(here: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that says nothing."""
    monkeypatch.setattr(worker_module, "READY_WAIT", 0.5)
    result = await _run(here, "echo never", sudo=_program(tmp_path, "exec sleep 1000"), grace=0.5)
    assert result.outcome is Outcome.SPAWN_FAILED
    assert result.stdout == b""


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        ("echo 'sudo: boom' >&2; exit 1", Outcome.SPAWN_FAILED, "sudo: boom"),
        ("exit 9", Outcome.SPAWN_FAILED, "sudo: ended with exit code 9"),
        (
            f"{ASK}echo 'sudo: 1 incorrect password attempt' >&2; exit 1",
            Outcome.AUTH_FAILED,
            "sudo: password refused; it was tried once",
        ),
        (
            f'{ASK}{ASK}exec "$@"',
            Outcome.AUTH_FAILED,
            "sudo: password refused; it was tried once",
        ),
    ],
)
async def test_complains(site: Site, tmp_path: Path, script: str, outcome: Outcome, reason: str) -> None:
    """Its words are the reason."""
    result = await _run(site, "echo never", sudo=_program(tmp_path, script))
    check(result, outcome, error=f"{site.node}: {reason}")


@pytest.mark.parametrize("answer", ["swordfish\ud800", "swordfish\nx", "swordfish\0"])
async def test_an_answer_that_is_no_password(site: Site, tmp_path: Path, answer: str) -> None:
    """It is not written, and no error has it."""
    sudo = _program(tmp_path, f'{ASK}exec "$@"')
    result = await _run(site, "echo never", sudo=Sudo(command=sudo.command, prompt=lambda question: answer))
    check(result, Outcome.AUTH_FAILED, error=f"{site.node}: sudo: the answer is no line of text")


async def test_cancelled_while_a_user_is_asked(site: Site, tmp_path: Path) -> None:
    """Nothing is left of a command whose password never came."""
    asked = asyncio.Event()

    async def prompt(question: Any) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    sudo = _program(tmp_path, f'echo $$ > {tmp_path}/pid; {ASK}exec "$@"')
    running = asyncio.create_task(
        _run(site, "echo never", sudo=Sudo(command=sudo.command, prompt=prompt), grace=0.5)
    )
    await asyncio.wait_for(asked.wait(), PATIENCE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
