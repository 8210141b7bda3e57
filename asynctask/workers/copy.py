"""The ``copy`` worker: files and trees to and from nodes, by SFTP, in this process."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import anyio
import asyncssh

from asynctask.errors import ConnectionLostError, NodeError, SpawnError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.targets import check_targets
from asynctask.transfer.descriptors import in_thread
from asynctask.transfer.download import Download
from asynctask.transfer.meter import Meter
from asynctask.transfer.names import node_part, remote_path, shown, source_name
from asynctask.transfer.plan import Plan
from asynctask.transfer.problems import LinkLost, Problem, local_problems
from asynctask.transfer.remote import Remote, open_remote
from asynctask.transfer.sources import SmallFiles, open_directory
from asynctask.transfer.upload import Upload
from asynctask.workers.base import Sink, Worker
from asynctask.workers.connections import Connections, Leased, pool_of
from asynctask.workers.resources import Resources
from asynctask.workers.writing import Input

__all__ = ("CopyWorker",)


class CopyWorker(Worker):
    """Copies a file or a tree to each node, or from each node to here.

    To the nodes, ``dest`` is a path on each of them; if it is a directory there, or, for a file, ends in a
    slash, the copy goes into it under the name of the source. From the nodes (``reverse``), ``dest`` is a
    directory here, and each copy in it is called ``<name>.<node>``; of what is no letter,
    digit or one of ``. _ @ : + , = ~ [ ] -`` in the node's name, each byte is written ``%XX``.
    Paths on the nodes that are relative, or begin with ``~/``, begin at the home directory.

    A file is written under a temporary name in the directory that it goes to, ``.asynctask-`` and a number,
    and then takes the place of what has its name. A new file has the mode of its source, as far as the
    umask lets it; one that replaces a file has that one's mode. Directories are merged. In a tree
    a symbolic link is copied as a link; only ``source`` itself may be one and is followed. What is neither
    a file nor a directory nor a link is skipped, and the node's output says so.

    The transfer of a node ends as ``ok`` with exit status 0, or as ``failed`` with exit status 1 at the first
    file that cannot be copied; ``NodeResult.error`` says which and why. Files that were complete by then
    stay. A node that lists a name with a slash or a control character in it fails likewise.

    Args:
        source: what to copy. A tree is copied with all that is in it.
        dest: where to.
        nodes: the targets, in the order in which they start.
        reverse: from the nodes to here.
        preserve: copies have the mode and the times of their sources (not the owner; of links nothing).
        skip_identical: leave files alone that have the same size and time at both ends, with
            ``preserve`` also the same mode. Copies then get the times of their sources. A copy
            that was interrupted goes on so where it was, but for the file that it was at.
        ssh: how to connect; by default as ``~/.ssh/config`` says.
        **settings: see :class:`~asynctask.Worker`. ``timeout`` is for the whole transfer of a node, from the
            moment at which it is logged in and has answered.

    Raises:
        UsageError: the source is not there, or for ``reverse`` the directory is not; a path cannot be one.
    """

    name: ClassVar[str] = "copy"
    remote: ClassVar[bool] = True
    announces: ClassVar[bool] = True

    def __init__(
        self,
        source: str | os.PathLike[str],
        dest: str | os.PathLike[str],
        nodes: Sequence[str],
        *,
        reverse: bool = False,
        preserve: bool = False,
        skip_identical: bool = False,
        ssh: SSHOptions | None = None,
        **settings: Any,
    ) -> None:
        self.source = _checked("source", source)
        self.dest = _checked("dest", dest)
        self.reverse = reverse
        self.preserve = preserve
        arrow = "from the nodes to" if reverse else "to"
        super().__init__(f"copy {shown(self.source)} {arrow} {shown(self.dest)}", nodes, **settings)
        if self.stdin is not None:
            raise UsageError("stdin: a copy reads no input")
        if ssh is not None and not isinstance(ssh, SSHOptions):
            raise UsageError(f"ssh: how to connect is an asynctask.SSHOptions, not {type(ssh).__name__}")
        self.ssh = ssh or SSHOptions()
        self.ssh.config_files()  # a file that was named and is not there is said now
        check_targets(self.nodes)
        if reverse:
            self._name = source_name(self.source)
            self._there = remote_path(self.source)
            _check_directory(self.dest)
        else:
            self._name = _check_source(self.source)
            self._there = remote_path(self.dest)
        self._plan = Plan(preserve=preserve, skip_identical=skip_identical)
        self._small = SmallFiles()

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        node = nodes[0]
        lease = await self._connections(resources).lease(node, self.ssh, self.connect_timeout)
        try:
            sink.connected()
            remote = await _open(node, lease)
            try:
                announce = resources.announcer(node)
                if announce is not None:
                    await announce()
                sink.started()
                return await self._transfer(node, remote, sink)
            finally:
                if not await remote.aclose():
                    lease.discard()
        finally:
            await lease.release()

    def _connections(self, resources: Resources) -> Connections:
        """Where the connections come from."""
        return pool_of(resources)

    def _opened_input(self) -> Input:
        raise UsageError("a copy reads no input: nothing can be written to it")

    def release(self) -> None:
        self._small = SmallFiles()

    async def _transfer(self, node: str, remote: Remote, sink: Sink) -> Ended:
        stream = "stderr" if self.stderr else "stdout"

        def note(path: bytes, text: str) -> None:
            sink.data(stream, f"{shown(path)}: {text}\n".encode(errors="backslashreplace"))

        meter = Meter(sink.progress)
        try:
            if self.reverse:
                await self._fetch(node, Download(self._plan, remote, meter, note))
            else:
                upload = Upload(self._plan, remote, self._small, meter, note)
                await upload.run(os.fsencode(self.source), os.fsencode(self._name), self._there)
        except Problem as problem:
            error = NodeError(node, f"{shown(problem.path)}: {problem.reason}")
            return Ended(Outcome.FAILED, rc=1, error=error)
        except LinkLost as exc:
            reason = f"connection lost during the transfer ({shown(str(exc))})"
            raise ConnectionLostError(node, reason) from exc
        finally:
            meter.finish()
        return Ended.from_returncode(0)

    async def _fetch(self, node: str, download: Download) -> None:
        dest = os.fsencode(self.dest)
        place = posixpath.join(dest, os.fsencode(f"{self._name}.{node_part(node)}"))
        with local_problems(dest):
            folder = await in_thread(open_directory, None, dest)
        try:
            await download.run(self._there, folder, place)
        finally:
            folder.close()


async def _open(node: str, lease: Leased) -> Remote:
    async def start(connection: asyncssh.SSHClientConnection) -> Remote:
        try:
            return await open_remote(connection)
        except (asyncssh.ChannelOpenError, asyncssh.SFTPError) as exc:
            if connection.is_closed() or not _is_no_sftp(exc):
                raise
            raise SpawnError(
                node, f"the server has no SFTP ({exc.reason})", "sshd_config there needs a Subsystem sftp"
            ) from exc

    try:
        return await lease.open(start)
    except anyio.get_cancelled_exc_class():
        lease.discard()  # asyncssh leaves a session that was not waited for as it is
        raise


def _is_no_sftp(exc: asyncssh.Error) -> bool:
    """Whether a session was opened and there is no SFTP server behind it."""
    return isinstance(exc, asyncssh.SFTPError) or exc.code == asyncssh.OPEN_REQUEST_SESSION_FAILED


def _checked(name: str, path: str | os.PathLike[str]) -> str:
    """A path as text."""
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise UsageError(f"{name}={path!r}: a path, not empty and without a NUL character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        raise UsageError(f"{name}={path!r}: no path can have {exc.object[exc.start]!r} in it") from exc
    return text


def _check_source(source: str) -> str:
    """Refuse a source that is not there; what its copies are called."""
    try:
        mode = Path(source).stat().st_mode
    except OSError as exc:
        raise UsageError(f"source {shown(source)}: {_words(exc)}") from exc
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UsageError(f"source {shown(source)}: neither a file nor a directory")
    return source_name(posixpath.abspath(source))  # also of "." and ".."


def _check_directory(dest: str) -> None:
    if not Path(dest).is_dir():
        raise UsageError(f"dest {shown(dest)}: must be a directory that exists, copies go into it")


def _words(exc: OSError) -> str:
    return os.strerror(exc.errno).lower() if exc.errno else str(exc)
