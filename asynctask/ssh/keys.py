"""The keys to log in with: files loaded once a run, the agent asked once a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path

import anyio
import asyncssh

from asynctask.errors import SSHConfigError
from asynctask.ssh.answers import Answers
from asynctask.ssh.locked import LockedFile, LockedPair, public_part
from asynctask.waiting import Patience

__all__ = ("KeyRing", "pairs_for")

_log = logging.getLogger(__name__)

#: How long the agent may take to say which keys it has, in seconds.
_AGENT_TIMEOUT = 5.0

#: The files that OpenSSH tries, in its order.
_DEFAULT_FILES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")


class KeyRing:
    """Key pairs by file, and those of the agent.

    Args:
        answers: for the passphrases of encrypted files; without them these are left out.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        self._answers = answers
        self._security_keys: set[bytes] = set()
        self._by_file: dict[Hashable, list[asyncssh.SSHKeyPair]] = {}
        self._certificates: dict[Path, Sequence[asyncssh.SSHCertificate]] = {}
        self._agents: list[_Agent] = []
        self._held: dict[str, list[asyncssh.SSHKeyPair]] = {}
        self._asked: set[str] = set()
        self._asking = anyio.Lock()
        self.locked: list[Path] = []
        """Files that were left out because they are encrypted, and whose keys no agent has."""

    async def ask_agent(self, socket: str) -> None:
        """Fetch the keys of the agent at ``socket``, if one answers; once, whatever comes of it."""
        if socket in self._asked:
            return
        async with self._asking:
            if socket in self._asked:
                return
            agent = _Agent(socket)
            self._agents.append(agent)
            try:
                with anyio.fail_after(_AGENT_TIMEOUT):
                    self._held[socket] = list(await agent.get_keys())
            except (OSError, ValueError, asyncssh.Error) as exc:
                _log.debug("ssh-agent at %s does not answer: %s", socket, exc)
            finally:
                self._asked.add(socket)

    def keys(
        self,
        files: Sequence[Path] | None,
        *,
        agent: str | None,
        only_these: bool = False,
        certificates: Sequence[Path] = (),
        must_work: bool = False,
    ) -> list[asyncssh.SSHKeyPair]:
        """The keys to offer, the agent's first.

        Args:
            files: private key files; ``None`` for the default ones. One that does not exist has none. One
                that is encrypted is offered if its passphrase can be asked for, which is done when a server
                takes the key; else it is left out and noted in :attr:`locked`. A public key stands for a
                private one that the agent has.
            agent: the socket of the agent whose keys are offered, too, if it was asked.
            only_these: of the agent's keys only those that belong to one of the files.
            certificates: files with certificates for some of the keys, beside those that lie with the keys.
            must_work: a file that is there and cannot be read as a key is an error; else it is left out, as
                by OpenSSH.

        Raises:
            SSHConfigError: see ``must_work``.
        """
        paths = _default_files() if files is None else files
        loaded = self._load_all(paths, certificates, must_work)
        held = self._held.get(agent or "", [])
        if only_these:
            wanted = {pair.public_data for pair in loaded} | {public_part(path) for path in paths}
            held = [pair for pair in held if pair.public_data in wanted]
        offered: dict[bytes, asyncssh.SSHKeyPair] = {}
        for pair in (*held, *(pair for pair in loaded if self._can_sign(pair, held))):
            offered.setdefault(pair.public_data, pair)
        self.locked = [path for path in self.locked if public_part(path) not in offered]
        return list(offered.values())

    async def aclose(self) -> None:
        """Let go of the agents."""
        self._held.clear()
        while self._agents:
            await self._agents.pop().aclose()

    def _can_sign(self, pair: asyncssh.SSHKeyPair, held: Sequence[asyncssh.SSHKeyPair]) -> bool:
        """Whether a key is no security key; those sign with a touch, which the agent alone asks for."""
        if not pair.key_algorithm.startswith((b"sk-", b"webauthn-sk-")):
            return True
        if pair.key_public_data not in {*self._security_keys, *(each.public_data for each in held)}:
            self._security_keys.add(pair.key_public_data)
            _log.warning("%s key: only an agent can use a security key, it is left out", pair.get_algorithm())
        return False

    def _load_all(
        self, paths: Sequence[Path], certificates: Sequence[Path], must_work: bool
    ) -> list[asyncssh.SSHKeyPair]:
        known = tuple(each for path in certificates for each in self._load_certificates(path))
        return [pair for path in paths for pair in self._load(path, known, must_work)]

    def _load_certificates(self, path: Path) -> Sequence[asyncssh.SSHCertificate]:
        found = self._certificates.get(path)
        if found is None:
            try:
                found = asyncssh.load_certificates(str(path))
            except FileNotFoundError:
                found = ()
            except Exception as exc:  # a broken file breaks asyncssh in more ways than one
                _log.warning("certificate %s: %s; it is left out", path, exc)
                found = ()
            self._certificates[path] = found
        return found

    def _load(
        self, path: Path, certificates: Sequence[asyncssh.SSHCertificate], must_work: bool
    ) -> list[asyncssh.SSHKeyPair]:
        key = (path, certificates)
        if key not in self._by_file:
            try:
                self._by_file[key] = self._read(path, certificates)
            except SSHConfigError as exc:
                if must_work:
                    raise
                _log.warning("%s; it is left out", exc)
                self._by_file[key] = []
        return self._by_file[key]

    def _read(self, path: Path, certificates: Sequence[asyncssh.SSHCertificate]) -> list[asyncssh.SSHKeyPair]:
        try:
            # Not proved to be sound: that would hold everything up for 300 ms with RSA of 4096 bits.
            return list(asyncssh.load_keypairs(str(path), None, certificates, False, False, True))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise SSHConfigError(f"private key {path}: {exc.strerror or exc}") from exc
        except asyncssh.KeyEncryptionError:
            return self._locked(path, certificates)
        except Exception as exc:  # likewise
            if "passphrase" in str(exc).lower():  # how asyncssh says that a key is encrypted
                return self._locked(path, certificates)
            if not public_part(path, beside=False):
                raise SSHConfigError(f"private key {path}: {exc}") from exc
        return []

    def _locked(
        self, path: Path, certificates: Sequence[asyncssh.SSHCertificate]
    ) -> list[asyncssh.SSHKeyPair]:
        """An encrypted file's key, which is decrypted when it is to sign."""
        if self._answers is not None and self._answers.has("passphrase"):
            file = LockedFile(path, self._answers, self._leave_out)
            pairs = file.pairs(
                [*certificates, *self._load_certificates(path.with_name(f"{path.name}-cert.pub"))]
            )
            if pairs:
                return pairs
            _log.warning("private key %s is encrypted: it needs its public key beside it, as .pub", path)
        self._leave_out(path)
        return []

    def _leave_out(self, path: Path) -> None:
        self.locked.append(path)


def pairs_for(
    keys: Sequence[asyncssh.SSHKeyPair], node: str, user: str, patience: Patience | None = None
) -> list[asyncssh.SSHKeyPair]:
    """Copies of key pairs for one connection.

    A pair notes the signature algorithm that its server takes, and servers differ; one that is locked notes
    for whom its passphrase is asked.
    """
    copies = [copy(pair) for pair in keys]
    for pair in copies:
        if isinstance(pair, LockedPair):
            pair.node, pair.user, pair.patience = node, user, patience
    return copies


class _Agent(asyncssh.SSHAgentClient):
    """One agent for all connections.

    It answers in order, so a request goes on to its end when the one who asked is gone: else the next one
    would take the answer for its own.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._requests: set[asyncio.Task[bytes]] = set()

    async def sign(self, key_blob: bytes, data: bytes, flags: int = 0) -> bytes:
        request = asyncio.create_task(super().sign(key_blob, data, flags))
        self._requests.add(request)
        request.add_done_callback(self._answered)
        try:
            return await asyncio.shield(request)
        except (OSError, RuntimeError) as exc:  # it is gone, on uvloop too; asyncssh then tries the next key
            raise ValueError(str(exc)) from exc

    def _answered(self, request: asyncio.Task[bytes]) -> None:
        self._requests.discard(request)
        if not request.cancelled():
            request.exception()

    async def aclose(self) -> None:
        """Give up what is still being asked, and disconnect."""
        for request in self._requests:
            request.cancel()
        self.close()
        with anyio.move_on_after(_AGENT_TIMEOUT, shield=True), suppress(OSError):
            await self.wait_closed()


def _default_files() -> list[Path]:
    return [Path("~/.ssh", name).expanduser() for name in _DEFAULT_FILES]
