"""The keys to log in with: files loaded once a run, the agent asked once a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from asynctask.errors import SSHConfigError

__all__ = ("KeyRing",)

_log = logging.getLogger(__name__)

#: The files that OpenSSH tries, in its order.
_DEFAULT_FILES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")


class KeyRing:
    """Key pairs by file, and those of the agent."""

    def __init__(self) -> None:
        self._by_file: dict[Path, list[asyncssh.SSHKeyPair]] = {}
        self._agent: asyncssh.SSHAgentClient | None = None
        self._agent_keys: list[asyncssh.SSHKeyPair] = []
        self.locked: list[Path] = []
        """Files that were left out because they are encrypted."""

    async def ask_agent(self, path: str | None = None) -> None:
        """Fetch the agent's keys, if there is an agent that answers."""
        path = path or os.environ.get("SSH_AUTH_SOCK")
        if not path or path.lower() == "none":
            return
        try:
            self._agent = await asyncssh.connect_agent(path)
            self._agent_keys = list(await self._agent.get_keys())
        except (OSError, ValueError, asyncssh.Error) as exc:
            _log.debug("ssh-agent at %s does not answer: %s", path, exc)

    def keys(
        self, files: Sequence[Path] | None, *, agent: bool, only_these: bool
    ) -> list[asyncssh.SSHKeyPair]:
        """The keys to offer, the agent's first.

        Args:
            files: private key files; ``None`` for the default ones. One that does not exist has none.
            agent: offer the agent's keys, too.
            only_these: of the agent's keys only those that belong to one of the files.

        Raises:
            SSHConfigError: a file is there and cannot be read as a key. One that is encrypted is
                left out and noted in :attr:`locked`.
        """
        paths = _default_files() if files is None else files
        loaded = [pair for path in paths for pair in self._load(path)]
        held = self._agent_keys if agent else []
        if only_these:
            wanted = {pair.public_data for pair in loaded} | {_public_part(path) for path in paths}
            held = [pair for pair in held if pair.public_data in wanted]
        offered: dict[bytes, asyncssh.SSHKeyPair] = {}
        for pair in (*held, *loaded):
            offered.setdefault(pair.public_data, pair)
        return list(offered.values())

    def close(self) -> None:
        """Let go of the agent."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def _load(self, path: Path) -> list[asyncssh.SSHKeyPair]:
        if path not in self._by_file:
            self._by_file[path] = self._read(path)
        return self._by_file[path]

    def _read(self, path: Path) -> list[asyncssh.SSHKeyPair]:
        try:
            return list(asyncssh.load_keypairs(str(path)))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise SSHConfigError(f"private key {path}: {exc.strerror or exc}") from exc
        except asyncssh.KeyEncryptionError:
            self.locked.append(path)
        except asyncssh.KeyImportError as exc:
            if "passphrase" not in str(exc).lower():  # how asyncssh says that a key is encrypted
                raise SSHConfigError(f"private key {path}: {exc}") from exc
            self.locked.append(path)
        return []


def _default_files() -> list[Path]:
    return [Path("~/.ssh", name).expanduser() for name in _DEFAULT_FILES]


def _public_part(path: Path) -> bytes:
    """The public key beside a private key file, which tells the agent's key even if the file is locked."""
    try:
        return asyncssh.read_public_key(f"{path}.pub").public_data
    except (OSError, ValueError, asyncssh.Error):
        return b""
