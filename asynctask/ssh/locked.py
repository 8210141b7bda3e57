"""Encrypted private keys: offered by their public half, decrypted when a server takes them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import asyncssh

from asynctask.ssh.answers import Answers, Question
from asynctask.waiting import Patience

__all__ = ("LockedFile", "LockedPair", "public_part")

_log = logging.getLogger(__name__)

#: How often a person is asked, as by OpenSSH.
_ATTEMPTS = 3
_MAGIC = b"openssh-key-v1\0"
_BEGIN, _END = b"-----BEGIN OPENSSH PRIVATE KEY-----", b"-----END OPENSSH PRIVATE KEY-----"


class LockedFile:
    """A file with an encrypted key.

    Args:
        path: the file.
        answers: where its passphrase comes from.
        give_up: called once with the path if the file cannot be decrypted.
    """

    def __init__(self, path: Path, answers: Answers, give_up: Callable[[Path], None]) -> None:
        self._path = path
        self._answers = answers
        self._give_up = give_up
        self._unlocking = anyio.Lock()
        self._tried = False
        self._key: asyncssh.SSHKey | None = None

    def pairs(self, certificates: Sequence[asyncssh.SSHCertificate]) -> list[asyncssh.SSHKeyPair]:
        """The key, first with its certificate if there is one; nothing if its public half is not known."""
        public = _public_key(self._path)
        if public is None:
            return []
        mine = [each for each in certificates if each.key.public_data == public.public_data]
        return [LockedPair(self, public, certificate) for certificate in (*mine[:1], None)]

    async def unlock(self, node: str, user: str, patience: Patience | None) -> asyncssh.SSHKey | None:
        """The key, decrypted once for all; ``None`` if nobody knows the passphrase."""
        async with self._unlocking:
            if not self._tried:
                self._key = await self._try(node, user, patience)
                self._tried = True
        return self._key

    async def _try(self, node: str, user: str, patience: Patience | None) -> asyncssh.SSHKey | None:
        text = f"Passphrase for {self._path}: "
        attempts = _ATTEMPTS + (self._answers.given("passphrase") is not None)
        reason = "nobody gave its passphrase"
        for attempt in range(attempts):
            again = "Wrong passphrase. " if attempt else ""
            question = Question("passphrase", again + text, node, user)
            passphrase = await self._answers.answer(question, attempt=attempt, patience=patience)
            if passphrase is None:
                break
            try:
                # In a thread: it takes 130 ms of CPU. RSA keys are not proved, as in KeyRing.
                return await asyncio.to_thread(asyncssh.read_private_key, self._path, passphrase, True)
            except OSError as exc:
                reason = exc.strerror or str(exc)
                break
            except Exception as exc:  # which one depends on the format, and on chance
                reason = "wrong passphrase"
                if "bcrypt" in str(exc):
                    reason = "the package bcrypt is needed to decrypt it"
                    break
        _log.warning("private key %s: %s; it is left out", self._path, reason)
        self._give_up(self._path)
        return None


class LockedPair(asyncssh.SSHKeyPair):
    """A key pair whose private half is not decrypted yet.

    Attributes:
        node: who needs it.
        user: who logs in.
        patience: stands still while a person is asked.
    """

    _key_type = "local"

    def __init__(
        self, file: LockedFile, public: asyncssh.SSHKey, certificate: asyncssh.SSHCertificate | None
    ) -> None:
        super().__init__(
            public.algorithm,
            public.algorithm,
            public.sig_algorithms,
            public.sig_algorithms,
            public.public_data,
            public.get_comment_bytes(),
            certificate,
        )
        self._file = file
        self.node = ""
        self.user = ""
        self.patience: Patience | None = None

    async def sign_async(self, data: bytes) -> bytes:
        """Sign; asyncssh tries the next key after a ``ValueError``."""
        key = await self._file.unlock(self.node, self.user, self.patience)
        if key is None:
            raise ValueError("the private key is encrypted")
        return key.sign(data, self.sig_algorithm)


def public_part(path: Path, *, beside: bool = True) -> bytes:
    """The public key beside or in a file, which tells the agent's key even if the file is locked."""
    key = _public_key(path, beside=beside)
    return b"" if key is None else key.public_data


def _public_key(path: Path, *, beside: bool = True) -> asyncssh.SSHKey | None:
    for name in (f"{path}.pub", path) if beside else (path,):
        with suppress(Exception):  # a broken file breaks asyncssh in more ways than one
            return asyncssh.read_public_key(name)
    return _embedded(path) if beside else None


def _embedded(path: Path) -> asyncssh.SSHKey | None:
    """The public half in a private key file of OpenSSH's format, which is never encrypted."""
    with suppress(OSError, ValueError, struct.error):
        text = path.read_bytes().partition(_BEGIN)[2].partition(_END)[0]
        magic, data = (raw := binascii.a2b_base64(text))[: len(_MAGIC)], raw[len(_MAGIC) :]
        if magic != _MAGIC:
            return None
        for _ in range(3):  # cipher, key derivation and its options
            data = _string(data)[1]
        public = _string(data[4:])[0]
        kind = _string(public)[0]
        return asyncssh.import_public_key(kind + b" " + base64.b64encode(public))
    return None


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A string with its length before it, and what follows."""
    (length,) = struct.unpack_from(">I", data)
    return data[4 : 4 + length], data[4 + length :]
