"""Tests of asynctask.ssh.locked: encrypted keys, as ssh-keygen writes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.errors import AuthenticationError
from asynctask.ssh.answers import Answers, Question
from asynctask.ssh.keys import KeyRing, pairs_for
from asynctask.ssh.locked import LockedPair, public_part
from asynctask.testing.clientfiles import generate_key
from tests.ssh.agents import RealAgent
from tests.ssh.servers import ScriptedFactory

PATIENCE = 10.0
SECRET = "open sesame"
OPENSSH, PEM, PKCS8 = (), ("-m", "PEM"), ("-m", "PKCS8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The place of a key."""
    return tmp_path / "key"


@pytest_asyncio.fixture
async def rings() -> AsyncIterator[list[KeyRing]]:
    """Key rings that are closed after the test."""
    rings: list[KeyRing] = []
    yield rings
    for ring in rings:
        await ring.aclose()


async def _keygen(path: Path, *options: str) -> None:
    process = await asyncio.create_subprocess_exec("ssh-keygen", "-q", "-f", path, *options)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def _make(path: Path, *options: str, rounds: str = "1") -> asyncssh.SSHKey:
    """Write an encrypted key; few rounds make it quick to decrypt."""
    await _keygen(path, "-t", "ecdsa", "-N", SECRET, "-a", rounds, "-C", "", *options)
    return asyncssh.read_public_key(f"{path}.pub")


def _ring(prompt: Any = None, passphrase: str | None = None) -> KeyRing:
    return KeyRing(Answers(SSHOptions(config=False, prompt=prompt, passphrase=passphrase)))


def _pair(ring: KeyRing, path: Path) -> LockedPair:
    (pair,) = pairs_for(ring.keys([path], agent=None), "n1", "tester")
    assert isinstance(pair, LockedPair)
    return pair


class Person:
    """Gives one reply after the other, and notes the questions."""

    def __init__(self, *replies: str | None) -> None:
        self.replies = list(replies)
        self.asked: list[Question] = []

    async def __call__(self, question: Question) -> str | None:
        self.asked.append(question)
        await asyncio.sleep(0)
        return self.replies.pop(0)


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("options", [OPENSSH, PEM, PKCS8])
async def test_a_passphrase_that_is_given(path: Path, options: tuple[str, ...]) -> None:
    """The key signs, whatever its format."""
    public = await _make(path, *options)
    pair = _pair(_ring(passphrase=SECRET), path)
    assert pair.public_data == public.public_data
    assert public.verify(b"data", await pair.sign_async(b"data"))


async def test_asked_once_when_it_is_needed(path: Path) -> None:
    """Not before a server takes the key; then for all who need it together."""
    public, person = await _make(path), Person(SECRET)
    ring = _ring(person)
    offered = ring.keys([path], agent=None)
    assert (person.asked, ring.locked) == ([], [])
    pairs = [pairs_for(offered, f"n{number}", "tester")[0] for number in range(5)]
    signatures = await asyncio.gather(*(pair.sign_async(b"data") for pair in pairs))  # type: ignore[attr-defined]
    assert [public.verify(b"data", signature) for signature in signatures] == [True] * 5
    assert person.asked == [Question("passphrase", f"Passphrase for {path}: ", "n0", "tester")]


async def test_wrong_at_first(path: Path) -> None:
    """One may try again."""
    public, person = await _make(path), Person("wrong", SECRET)
    ring = _ring(person)
    assert public.verify(b"data", await _pair(ring, path).sign_async(b"data"))
    assert (len(person.asked), ring.locked) == (2, [])


@pytest.mark.parametrize("options", [OPENSSH, PEM, PKCS8])
async def test_wrong_three_times(
    path: Path, caplog: pytest.LogCaptureFixture, options: tuple[str, ...]
) -> None:
    """Then the key is left out, which is said once."""
    await _make(path, *options)
    person = Person(*["wrong"] * 3)
    ring = _ring(person)
    pair = _pair(ring, path)
    for _ in range(2):
        with pytest.raises(ValueError, match="the private key is encrypted"):
            await pair.sign_async(b"data")
    assert (len(person.asked), ring.locked) == (3, [path])
    assert _warnings(caplog) == [f"private key {path}: wrong passphrase; it is left out"]


async def test_given_wrong(path: Path) -> None:
    """Then a person is asked, if there is one."""
    public, person = await _make(path), Person("wrong", "wrong", SECRET)
    pair = _pair(_ring(person, "wrong"), path)
    assert public.verify(b"data", await pair.sign_async(b"data"))
    ring = _ring(passphrase="wrong")
    with pytest.raises(ValueError, match="encrypted"):
        await _pair(ring, path).sign_async(b"data")
    assert ring.locked == [path]


async def test_declined(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The key is left out after one question."""
    await _make(path)
    person = Person(None)
    ring = _ring(person)
    with pytest.raises(ValueError, match="encrypted"):
        await _pair(ring, path).sign_async(b"data")
    assert (len(person.asked), ring.locked) == (1, [path])
    assert _warnings(caplog) == [f"private key {path}: nobody gave its passphrase; it is left out"]


async def test_a_prompt_that_fails(path: Path) -> None:
    """Whoever needs the key is told."""
    await _make(path)
    with pytest.raises(AuthenticationError) as raised:
        await _pair(_ring(Person()), path).sign_async(b"data")
    assert str(raised.value) == "n1: the prompt for a passphrase failed (IndexError: pop from empty list)"


@pytest.mark.one_loop("the work is done in a thread")
async def test_decrypting_holds_nothing_up(path: Path) -> None:
    """It takes a while, in a thread."""
    public = await _make(path, rounds="100")
    pair = _pair(_ring(passphrase=SECRET), path)
    assert public.verify(b"data", await pair.sign_async(b"data"))


async def test_nobody_to_ask(path: Path) -> None:
    """The file is left out and noted, and nothing is offered."""
    await _make(path)
    ring = _ring()
    assert ring.keys([path], agent=None) == []
    assert ring.locked == [path]


async def test_without_its_public_half(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """OpenSSH's format has it inside; with another one the key is left out, which is said."""
    other = path.with_name("other")
    public = await _make(path)
    await _make(other, *PEM)
    path.with_name("key.pub").unlink()
    other.with_name("other.pub").unlink()
    ring = _ring(passphrase=SECRET)
    (pair,) = ring.keys([path, other], agent=None)
    assert (pair.public_data, ring.locked) == (public.public_data, [other])
    text = f"private key {other} is encrypted: it needs its public key beside it, as .pub"
    assert _warnings(caplog) == [text]


@pytest.mark.parametrize(
    "text",
    [b"", b"nonsense", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"],
)
def test_no_public_half(path: Path, text: bytes) -> None:
    """A broken file has none."""
    path.write_bytes(text)
    assert public_part(path) == b""


@pytest.mark.parametrize("beside", [True, False])
async def test_certificates(path: Path, beside: bool) -> None:
    """The key is offered with its certificate, then bare, as one that is not encrypted."""
    public, authority = await _make(path), generate_key("")
    certificate = authority.generate_user_certificate(public, "test", principals=["tester"])
    file = path.with_name("key-cert.pub" if beside else "elsewhere.pub")
    certificate.write_certificate(str(file))
    offered = _ring(passphrase=SECRET).keys([path], agent=None, certificates=() if beside else (file,))
    assert [pair.public_data for pair in offered] == [certificate.public_data, public.public_data]


async def test_one_that_the_agent_has(path: Path, agent: RealAgent, rings: list[KeyRing]) -> None:
    """The agent signs, and nobody is asked, also without the public key beside the file."""
    public = await _make(path)
    await _keygen(path, "-p", "-P", SECRET, "-N", "")
    await agent.add(path)
    await _keygen(path, "-p", "-P", "", "-N", SECRET, "-a", "1")
    path.with_name("key.pub").unlink()
    person = Person()
    rings.append(ring := _ring(person))
    await ring.ask_agent(agent.socket)
    (pair,) = ring.keys([path], agent=agent.socket, only_these=True)
    assert (pair.public_data, pair.get_key_type()) == (public.public_data, "agent")
    assert person.asked == []


async def test_logged_in(path: Path, scripted: ScriptedFactory) -> None:
    """asyncssh asks for the signature when the server takes the key, and goes on to the next without one."""
    await _make(path)
    server = await scripted()
    plain = asyncssh.load_keypairs(generate_key(""))
    for replies in ([SECRET], [None]):
        person = Person(*replies)
        offered = _ring(person).keys([path], agent=None)
        keys = pairs_for([*offered, *plain], "n1", "tester")
        async with asyncio.timeout(PATIENCE):
            async with asyncssh.connect(
                "127.0.0.1", server.port, known_hosts=None, client_keys=keys, config=None, username="tester"
            ):
                assert len(person.asked) == 1


async def test_no_secret_is_shown(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the passphrase nor the decrypted key is in a ``repr`` or a log."""
    await _make(path)
    caplog.set_level(logging.DEBUG)
    ring = _ring(passphrase=SECRET)
    pair = _pair(ring, path)
    await pair.sign_async(b"data")
    shown = f"{ring!r}{vars(ring)!r}{pair!r}{vars(pair)!r}{vars(pair._file)!r}{caplog.text}"
    assert SECRET not in shown
