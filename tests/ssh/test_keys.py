"""Tests of asynctask.ssh.keys, with a real ssh-agent."""

from __future__ import annotations

import asyncio
import base64
import logging
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import pytest_asyncio
from asyncssh.agent import SSHAgentKeyPair
from asyncssh.packet import String, UInt32

from asynctask.errors import SSHConfigError
from asynctask.ssh import keys as module
from asynctask.ssh.keys import KeyRing
from asynctask.testing.clientfiles import generate_key
from tests.ssh.agents import AgentProxy, RealAgent

PATIENCE = 10.0


@pytest.fixture
def folder(home: Path) -> Path:
    """Where the default keys are."""
    return home / ".ssh"


@pytest_asyncio.fixture
async def ring() -> AsyncIterator[KeyRing]:
    """An empty key ring, closed after the test."""
    ring = KeyRing()
    yield ring
    await ring.aclose()


@pytest_asyncio.fixture
async def proxy(agent: RealAgent, tmp_path: Path) -> AsyncIterator[AgentProxy]:
    """A stand-in before the agent."""
    async with AgentProxy(tmp_path / "proxy.sock", agent) as started:
        yield started


def _make(path: Path) -> asyncssh.SSHKey:
    """Write a new key pair."""
    key = generate_key(path.name)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key("openssh"))
    path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key("openssh"))
    return key


def _lock(path: Path, *options: str) -> None:
    """Encrypt a key file in place."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", path, "-P", "", "-N", "secret", *options], check=True)


def _data(offered: Iterable[asyncssh.SSHKeyPair | asyncssh.SSHKey | asyncssh.SSHCertificate]) -> list[bytes]:
    return [each.public_data for each in offered]


def _kinds(offered: Iterable[asyncssh.SSHKeyPair]) -> list[str]:
    """Who holds the private key."""
    return [pair.get_key_type() for pair in offered]


# -- files ------------------------------------------------------------------------------------------


def test_default_files(folder: Path) -> None:
    """The files that OpenSSH tries, in its order; others are not looked at."""
    ring = KeyRing()
    made = {name: _make(folder / name) for name in ("id_ed25519", "id_rsa", "id_ecdsa", "other")}
    offered = ring.keys(None, agent=None)
    assert _data(offered) == _data(made[name] for name in ("id_rsa", "id_ecdsa", "id_ed25519"))


def test_no_files(folder: Path) -> None:
    """No keys are none, whether they were looked for or not."""
    ring = KeyRing()
    _make(folder / "other")
    assert ring.keys(None, agent=None) == []
    assert ring.keys([], agent=None) == []
    assert ring.keys([folder / "nope"], agent=None, must_work=True) == []
    assert ring.locked == []


def test_named_files(folder: Path) -> None:
    """Named files come in the order given, a key that is in two of them once, and not the default ones."""
    ring = KeyRing()
    _make(folder / "id_rsa")
    one, two = _make(folder / "one"), _make(folder / "two")
    (folder / "copy").write_bytes((folder / "one").read_bytes())
    offered = ring.keys([folder / name for name in ("two", "one", "copy")], agent=None)
    assert _data(offered) == _data([two, one])


def test_files_are_loaded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often keys are asked for, each file is read once."""
    ring = KeyRing()
    loaded: list[str] = []
    load = asyncssh.load_keypairs

    def counting(path: str, *arguments: Any, **settings: Any) -> Any:
        loaded.append(path)
        return load(path, *arguments, **settings)

    monkeypatch.setattr("asyncssh.load_keypairs", counting)
    for name in ("one", "two"):
        _make(folder / name)
    for names in (["one"], ["one", "two"], ["two", "one"], ["one"]):
        ring.keys([folder / name for name in names], agent=None)
    assert loaded == [str(folder / "one"), str(folder / "two")]


@pytest.mark.parametrize("options", [(), ("-m", "PEM"), ("-m", "PKCS8")])
def test_an_encrypted_file_is_noted(folder: Path, options: tuple[str, ...]) -> None:
    """Nobody is asked for the passphrase; the file is left out, and the others count."""
    ring = KeyRing()
    locked, plain = folder / "locked", _make(folder / "plain")
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", locked], check=True)
    _lock(locked, *options)
    assert _data(ring.keys([locked, folder / "plain"], agent=None, must_work=True)) == _data([plain])
    assert ring.locked == [locked]


@pytest.mark.one_loop("reading a key takes as long on every loop")
async def test_a_large_key_does_not_block(ring: KeyRing, folder: Path) -> None:
    """RSA keys are not proved to be sound."""
    rsa = await asyncio.create_subprocess_exec(
        "ssh-keygen", "-q", "-t", "rsa", "-b", "4096", "-N", "", "-f", folder / "id_rsa"
    )
    assert await rsa.wait() == 0
    assert _data(ring.keys(None, agent=None)) == _data([asyncssh.read_public_key(folder / "id_rsa.pub")])


def _security_key(path: Path) -> asyncssh.SSHKey:
    """Write a key whose private half is in a device that is not there."""
    blob = String(b"sk-ssh-ed25519@openssh.com") + String(b"p" * 32) + String(b"ssh:")
    inner = blob + b"\x01" + String(b"handle") + String(b"") + String(b"comment")
    private = b"check".ljust(4, b"x")[:4] * 2 + inner
    private += bytes(range(1, 9))[: -len(private) % 8]
    whole = b"openssh-key-v1\0" + String(b"none") * 2 + String(b"") + UInt32(1) + String(blob)
    text = base64.b64encode(whole + String(private)).decode()
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n")
    return asyncssh.import_public_key(b"sk-ssh-ed25519@openssh.com " + base64.b64encode(blob))


def test_a_security_key(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is left out, which is said once, and the other keys count."""
    ring = KeyRing()
    _security_key(folder / "id_ed25519_sk")
    plain = _make(folder / "id_ed25519")
    for _ in range(2):
        assert _data(ring.keys(None, agent=None)) == _data([plain])
    text = "sk-ssh-ed25519@openssh.com key: only an agent can use a security key, it is left out"
    assert [record.getMessage() for record in caplog.records] == [text]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"\x00\xff" * 100,
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN O(ENSSH PRIVATE KEY-----\nAAAA\n",
    ],
)
def test_a_broken_file_that_must_work(folder: Path, content: bytes) -> None:
    """A file that the caller named is an error, each time, that says which."""
    ring = KeyRing()
    (folder / "broken").write_bytes(content)
    for _ in range(2):
        with pytest.raises(SSHConfigError, match=f"^private key {folder}/broken: "):
            ring.keys([folder / "broken"], agent=None, must_work=True)


def test_a_broken_file_of_the_configuration(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another one is left out with one warning, as by OpenSSH."""
    ring = KeyRing()
    (folder / "id_rsa").write_bytes(b"no key")
    (folder / "id_ecdsa").mkdir()
    good = _make(folder / "id_ed25519")
    for _ in range(2):
        assert _data(ring.keys(None, agent=None)) == _data([good])
    assert [(record.levelno, record.getMessage().split(": ")[0]) for record in caplog.records] == [
        (logging.WARNING, f"private key {folder}/id_rsa"),
        (logging.WARNING, f"private key {folder}/id_ecdsa"),
    ]


def test_a_certificate_beside_its_key(folder: Path) -> None:
    """It is offered before the bare key."""
    ring = KeyRing()
    authority, key = generate_key("authority"), _make(folder / "id_ed25519")
    certificate = authority.generate_user_certificate(key, "me", principals=["me"])
    (folder / "id_ed25519-cert.pub").write_bytes(certificate.export_certificate())
    assert _data(ring.keys(None, agent=None)) == _data([certificate, key])


def test_a_broken_certificate(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is left out with one warning; its key counts."""
    ring = KeyRing()
    key = _make(folder / "one")
    (folder / "broken").mkdir()
    for _ in range(2):
        assert _data(
            ring.keys([folder / "one"], agent=None, certificates=[folder / "broken", folder / "nope"])
        ) == _data([key])
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == [
        f"certificate {folder}/broken"
    ]


def test_a_certificate_elsewhere(folder: Path) -> None:
    """A certificate is found for its key; one for another key, or that is not there, is of no use."""
    ring = KeyRing()
    authority, key, other = generate_key("authority"), _make(folder / "one"), generate_key("other")
    files = []
    for name, owner in (("a", other), ("b", key)):
        certificate = authority.generate_user_certificate(owner, "me", principals=["me"])
        files.append(folder / f"{name}-cert.pub")
        files[-1].write_bytes(certificate.export_certificate())
    offered = ring.keys([folder / "one"], agent=None, certificates=[*files, folder / "nope"])
    assert _data(offered) == _data([certificate, key])


# -- the agent ---------------------------------------------------------------------------------------


async def test_the_agents_keys_come_first(ring: KeyRing, folder: Path, agent: RealAgent) -> None:
    """A key that the agent has, too, is the agent's."""
    one, two = _make(folder / "one"), _make(folder / "two")
    await agent.add(folder / "two")
    await ring.ask_agent(agent.socket)
    offered = ring.keys([folder / "one", folder / "two"], agent=agent.socket)
    assert (_data(offered), _kinds(offered)) == (_data([two, one]), ["agent", "local"])


async def test_an_agent_that_was_not_asked_has_no_keys(ring: KeyRing, folder: Path, agent: RealAgent) -> None:
    """Keys are those of the agent that is named."""
    _make(folder / "one")
    await agent.add(folder / "one")
    await ring.ask_agent(agent.socket)
    assert [len(ring.keys([], agent=name)) for name in (agent.socket, "elsewhere", None)] == [1, 0, 0]


async def test_the_agent_is_asked_once(
    ring: KeyRing, folder: Path, agent: RealAgent, proxy: AgentProxy
) -> None:
    """However many ask at the same time, and later."""
    _make(folder / "one")
    await agent.add(folder / "one")
    await asyncio.gather(*(ring.ask_agent(proxy.socket) for _ in range(5)))
    await ring.ask_agent(proxy.socket)
    assert (proxy.connections, proxy.requests) == (1, [11])
    assert len(ring.keys([], agent=proxy.socket)) == 1


@pytest.fixture
def second(tmp_path: Path) -> Iterator[RealAgent]:
    """Another agent."""
    with RealAgent(tmp_path / "second.sock") as started:
        yield started


async def test_two_agents(ring: KeyRing, folder: Path, agent: RealAgent, second: RealAgent) -> None:
    """Each has its own keys."""
    one, two = _make(folder / "one"), _make(folder / "two")
    await agent.add(folder / "one")
    await second.add(folder / "two")
    for socket in (agent.socket, second.socket):
        await ring.ask_agent(socket)
    offered = [ring.keys([], agent=socket) for socket in (agent.socket, second.socket)]
    assert [_data(pairs) for pairs in offered] == [_data([one]), _data([two])]


@pytest.mark.parametrize("only_public", [False, True])
async def test_only_these(ring: KeyRing, folder: Path, agent: RealAgent, only_public: bool) -> None:
    """Of the agent's keys only those that belong to a file, be it but a public key, are offered."""
    one = _make(folder / "one")
    _make(folder / "two")
    await agent.add(folder / "one", folder / "two")
    if only_public:
        (folder / "one").unlink()
    await ring.ask_agent(agent.socket)
    offered = ring.keys([folder / "one"], agent=agent.socket, only_these=True)
    assert (_data(offered), _kinds(offered)) == (_data([one]), ["agent"])


async def test_only_this_public_key(ring: KeyRing, folder: Path, agent: RealAgent) -> None:
    """The file named may be the public key itself."""
    one = _make(folder / "one")
    _make(folder / "two")
    await agent.add(folder / "one", folder / "two")
    await ring.ask_agent(agent.socket)
    offered = ring.keys([folder / "one.pub"], agent=agent.socket, only_these=True, must_work=True)
    assert _data(offered) == _data([one])


async def test_a_locked_file_whose_key_the_agent_has(ring: KeyRing, folder: Path, agent: RealAgent) -> None:
    """It is no reason to ask for the passphrase."""
    key = _make(folder / "one")
    await agent.add(folder / "one")
    await asyncio.to_thread(_lock, folder / "one")
    await ring.ask_agent(agent.socket)
    offered = ring.keys([folder / "one"], agent=agent.socket, only_these=True)
    assert (_data(offered), ring.locked) == (_data([key]), [])


async def test_nobody_answers(ring: KeyRing, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without an agent there are the files, and no warning."""
    key = _make(folder / "one")
    await ring.ask_agent(str(folder / "nope"))
    assert _data(ring.keys([folder / "one"], agent=str(folder / "nope"))) == _data([key])
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_an_agent_that_says_nothing(
    ring: KeyRing, proxy: AgentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while, and not asked again."""
    monkeypatch.setattr(module, "_AGENT_TIMEOUT", 0.05)
    proxy.silent = True
    for _ in range(2):
        await ring.ask_agent(proxy.socket)
    assert (proxy.connections, proxy.requests) == (1, [11])
    assert ring.keys([], agent=proxy.socket) == []


async def test_cancelled_while_the_agent_says_nothing(ring: KeyRing, proxy: AgentProxy) -> None:
    """The next one does not wait for it again."""
    proxy.silent = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ring.ask_agent(proxy.socket), 0.05)
    await asyncio.wait_for(ring.ask_agent(proxy.socket), PATIENCE)
    assert ring.keys([], agent=proxy.socket) == []


async def _pair(ring: KeyRing, folder: Path, agent: RealAgent, socket: str) -> SSHAgentKeyPair:
    _make(folder / "one")
    await agent.add(folder / "one")
    await ring.ask_agent(socket)
    (pair,) = ring.keys([], agent=socket)
    assert isinstance(pair, SSHAgentKeyPair)
    return pair


async def test_a_request_that_nobody_waits_for_disturbs_no_other(
    ring: KeyRing, folder: Path, agent: RealAgent, proxy: AgentProxy
) -> None:
    """Answers come in order: the one that was given up is not taken for the next one's."""
    pair = await _pair(ring, folder, agent, proxy.socket)
    proxy.let_sign.clear()
    given_up = asyncio.create_task(pair.sign_async(b"first"))
    await asyncio.wait_for(proxy.signing.wait(), PATIENCE)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    second = asyncio.create_task(pair.sign_async(b"second"))
    proxy.let_sign.set()
    public = asyncssh.read_public_key(folder / "one.pub")
    assert public.verify(b"second", await asyncio.wait_for(second, PATIENCE))


async def test_an_agent_that_refuses_to_sign(
    ring: KeyRing, folder: Path, agent: RealAgent, proxy: AgentProxy
) -> None:
    """asyncssh is told so in a way that it understands, and tries another key."""
    pair = await _pair(ring, folder, agent, proxy.socket)
    proxy.refuse = True
    with pytest.raises(ValueError, match="Unable to sign"):
        await pair.sign_async(b"data")


async def test_an_agent_that_dies(ring: KeyRing, folder: Path, agent: RealAgent) -> None:
    """The same, and the ring closes as ever."""
    pair = await _pair(ring, folder, agent, agent.socket)
    agent.kill()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"."):
            await pair.sign_async(b"data")


async def test_closed_while_the_agent_is_asked(
    ring: KeyRing, folder: Path, agent: RealAgent, proxy: AgentProxy
) -> None:
    """Closing does not wait for an answer, and leaves nothing."""
    pair = await _pair(ring, folder, agent, proxy.socket)
    proxy.let_sign.clear()
    asked = asyncio.create_task(pair.sign_async(b"data"))
    await asyncio.wait_for(proxy.signing.wait(), PATIENCE)
    await asyncio.wait_for(ring.aclose(), PATIENCE)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asked, PATIENCE)
    assert ring.keys([], agent=proxy.socket) == []


def test_no_private_key_is_shown(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the ring nor its keys, nor what is logged, nor an error shows what is in a file."""
    ring = KeyRing()
    caplog.set_level(logging.DEBUG)
    _make(folder / "id_ed25519")
    secret = (folder / "id_ed25519").read_text()
    (folder / "id_rsa").write_text(secret.replace("PRIVATE KEY", "PRIVATE NONSENSE"))
    offered = ring.keys(None, agent=None)
    with pytest.raises(SSHConfigError) as raised:
        KeyRing().keys([folder / "id_rsa"], agent=None, must_work=True)
    shown = f"{ring!r}{vars(ring)!r}{offered!r}{raised.value!r}{caplog.text}"
    assert not [line for line in secret.splitlines()[1:-1] if line in shown]
