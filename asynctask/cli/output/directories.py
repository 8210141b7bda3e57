"""Output into files, one for each node, byte for byte."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asynctask.cli.output.labels import fold
from asynctask.cli.view import View
from asynctask.errors import UsageError

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("DirectoriesView", "file_name", "make_directories")

#: Bytes that may wait to be written before nodes have to wait.
_HIGH_WATER = 4 << 20
#: The longest name of a file, in bytes.
_LONGEST = 255
# What a name must not have: what ends it or leads elsewhere; and what looks like such a thing written out.
_UNFIT = re.compile(rb"[/\0]|%(?=[0-9A-Fa-f]{2})|\A\.(?=\.?\Z)")


class _File:
    """What is still to be written to a file."""

    __slots__ = ("fresh", "node", "parts")

    def __init__(self, node: str, *, fresh: bool) -> None:
        self.node = node
        self.fresh = fresh  # what the file has held so far is not kept
        self.parts: list[bytes] = []

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


class DirectoriesView(View):
    """Writes what each node prints into a file with its name, as it comes.

    A file holds the output of the last attempt; that of a node that printed nothing is empty. A thread opens
    a file, writes all that has come for it, and closes it. What cannot be written is said once, and all else
    is written all the same.

    Args:
        screen: where it is said.
        outdir: the directory for standard output, which exists; ``None``: it is not kept.
        errdir: the same for standard error.

    Attributes:
        error: the first reason why something could not be written; ``None`` if all was.
    """

    def __init__(self, screen: Screen, outdir: str | None, errdir: str | None) -> None:
        self._screen = screen
        paths = {"stdout": outdir, "stderr": errdir}
        self._directories = {sname: path for sname, path in paths.items() if path is not None}
        self._paths: dict[tuple[str, str], Path] = {}
        self._begun: set[Path] = set()  # files of attempts that go on
        self._pending: dict[Path, _File] = {}
        self._waiting = 0  # bytes, with those that are being written
        self._job: asyncio.Future[list[tuple[Path, OSError]]] | None = None
        self._room = asyncio.Event()
        self._broken: dict[Path, str] = {}  # files that are not complete, and whose they are
        self.error: OSError | None = None

    async def _ev_chunk(self, worker: Worker | None, node: str, sname: str, chunk: bytes) -> None:
        if sname not in self._directories:
            return
        while self._waiting > _HIGH_WATER:
            self._room.clear()
            await self._room.wait()
        self._add(node, self._path(node, sname), chunk)

    def ev_end(self, worker: Worker | None, node: str, result: NodeResult) -> None:
        """An attempt is over: its files are there, whether it has printed something or not."""
        paths = {self._path(node, sname) for sname in self._directories}
        for path in paths - self._begun:
            self._add(node, path, b"")
        self._begun -= paths

    async def over(self, results: Sequence[NodeResult]) -> None:
        while self._job is not None:
            await asyncio.wait([self._job])
        if self._broken:
            self._screen.say(f"asynctask: these files are not complete: {fold(set(self._broken.values()))}")

    def _path(self, node: str, sname: str) -> Path:
        path = self._paths.get((node, sname))
        if path is None:
            path = self._paths[node, sname] = Path(self._directories[sname], file_name(node))
        return path

    def _add(self, node: str, path: Path, chunk: bytes) -> None:
        """Have it written; what an earlier attempt has left is written over."""
        file = self._pending.get(path)
        if path not in self._begun:
            self._begun.add(path)
            self._broken.pop(path, None)
            self._waiting -= file.size if file is not None else 0
            file = self._pending[path] = _File(node, fresh=True)
        elif path in self._broken:
            return
        elif file is None:
            file = self._pending[path] = _File(node, fresh=False)
        file.parts.append(chunk)
        self._waiting += len(chunk)
        if self._job is None:
            self._start()

    def _start(self) -> None:
        files, self._pending = self._pending, {}
        self._job = asyncio.get_running_loop().run_in_executor(None, _write, files)
        self._job.add_done_callback(lambda job: self._done(files, job.result()))

    def _done(self, files: Mapping[Path, _File], failed: Sequence[tuple[Path, OSError]]) -> None:
        self._waiting -= sum(file.size for file in files.values())
        for path, exc in failed:
            self._broken[path] = files[path].node
            if self.error is None:
                self.error = exc
                self._screen.say(f"asynctask: cannot write {path}: {exc.strerror or exc}")
            following = self._pending.get(path)
            if following is not None and not following.fresh:  # there is a gap before it
                self._waiting -= self._pending.pop(path).size
            elif following is not None:
                del self._broken[path]
        self._job = None
        if self._pending:
            self._start()
        if self._waiting <= _HIGH_WATER:
            self._room.set()


def _write(files: Mapping[Path, _File]) -> list[tuple[Path, OSError]]:
    """Write what waits; the files for which it did not work."""
    failed = []
    for path, file in files.items():
        try:
            with path.open("wb" if file.fresh else "ab") as stream:
                stream.writelines(file.parts)
        except OSError as exc:
            failed.append((path, exc))
    return failed


def make_directories(outdir: str | None, errdir: str | None) -> None:
    """Make the directories, with those above them, before anything runs.

    Raises:
        UsageError: one cannot be made, or not written to.
    """
    for option, directory in (("--outdir", outdir), ("--errdir", errdir)):
        if directory is None:
            continue
        try:
            Path(directory).mkdir(parents=True, exist_ok=True)
            if not os.access(directory, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except FileExistsError as exc:
            raise UsageError(f"{option} {directory}: it is no directory") from exc
        except (OSError, ValueError) as exc:
            raise UsageError(f"{option} {directory}: {getattr(exc, 'strerror', None) or exc}") from exc


def file_name(node: str) -> str:
    """The name of a node's file: the node's, with what would lead elsewhere written out (``/`` as ``%2F``).

    Names that are too long for a file end in a digest. No two nodes have the same.
    """
    name = _UNFIT.sub(lambda match: b"%%%02X" % match[0][0], os.fsencode(node)) or b"%"
    if len(name) > _LONGEST:
        digest = hashlib.sha256(name).hexdigest()[:32]
        name = name[: _LONGEST - 33] + b"-" + digest.encode()
    return os.fsdecode(name)
