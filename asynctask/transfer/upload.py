"""From here to a node: a file, or a tree while it is being walked."""

from __future__ import annotations

import asyncio
import posixpath
import stat
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from asynctask.transfer.attributes import Attributes, Kind, identical
from asynctask.transfer.descriptors import Descriptor, in_thread
from asynctask.transfer.meter import Meter
from asynctask.transfer.names import temporary_name
from asynctask.transfer.plan import MOST_DEEP, Plan
from asynctask.transfer.problems import Problem, local_problems
from asynctask.transfer.remote import Remote, RemoteFile
from asynctask.transfer.sources import (
    SMALL,
    Listing,
    SmallFiles,
    Source,
    open_directory,
    open_source,
    read_at,
)
from asynctask.transfer.window import Branch, Window

__all__ = ("Upload",)


class Upload:
    """Copies one source to one node.

    Args:
        plan: what is to be done.
        remote: the node.
        small: what is kept of small files, for all nodes.
        meter: counts what is done.
        note: told of what is left out, and why.
    """

    def __init__(
        self, plan: Plan, remote: Remote, small: SmallFiles, meter: Meter, note: Callable[[bytes, str], None]
    ) -> None:
        self._plan = plan
        self._remote = remote
        self._small = small
        self._meter = meter
        self._note = note
        self._folders: set[Descriptor] = set()

    async def run(self, source: bytes, name: bytes, dest: bytes) -> None:
        """Copy.

        Args:
            source: a file or directory here.
            name: what it is called where ``dest`` is a directory.
            dest: a path on the node.

        Raises:
            Problem: it, or a part of it, cannot be copied. What is complete stays.
            LinkLost: the connection is gone.

        Cancelling removes temporary files, as far as the node answers.
        """
        with local_problems(source):
            opened = await in_thread(open_source, None, source, self._small)
        try:
            if opened.attributes.kind is Kind.DIRECTORY:
                self._meter.begin_tree(source)
                await self._tree(source, opened.attributes, await self._place(name, dest, ask=True))
                return
            if opened.attributes.kind is not Kind.FILE:
                raise Problem(source, f"is {opened.attributes.kind}, neither a file nor a directory")
            self._meter.begin_file(source, opened.attributes.size)
            place = await self._place(name, dest, ask=not dest.endswith(b"/"))
            await self._send(opened, source, place)
        finally:
            if opened.file is not None:
                opened.file.close()

    async def _place(self, name: bytes, dest: bytes, *, ask: bool) -> bytes:
        """Where the copy goes: into ``dest``, if that is a directory."""
        if ask:
            there = await self._remote.look(dest, follow=True)
            if there is None or there.kind is not Kind.DIRECTORY:
                return dest.rstrip(b"/") or dest
        return posixpath.join(dest, name)

    # -- trees ----------------------------------------------------------------------------------

    async def _tree(self, source: bytes, attributes: Attributes, place: bytes) -> None:
        try:
            async with Window(self._remote.files) as files:
                with local_problems(source):
                    folder = await in_thread(open_directory, None, source)
                await self._directory(files, folder, source, attributes, place, None, 1)
        finally:
            for folder in self._folders:
                folder.close()

    async def _directory(
        self,
        files: Window,
        folder: Descriptor,
        source: bytes,
        attributes: Attributes,
        place: bytes,
        parent: Branch | None,
        depth: int,
    ) -> None:
        self._folders.add(folder)
        if depth > MOST_DEEP:
            raise Problem(source, f"is more than {MOST_DEEP} directories deep")
        final = await self._make_directory(attributes, place)

        async def finish() -> None:
            self._folders.discard(folder)
            folder.close()
            if final is not None:
                await self._remote.change(place, final)

        branch = Branch(parent, finish)
        listing = Listing()
        try:
            while True:
                with local_problems(source):
                    entries = await folder.call(listing.batch)
                if not entries:
                    break
                for name, found, target in entries:
                    here, there = posixpath.join(source, name), posixpath.join(place, name)
                    if found.kind is Kind.DIRECTORY:
                        with local_problems(here):
                            child = await folder.call(open_directory, name)
                        await self._directory(files, child, here, found, there, branch, depth + 1)
                        continue
                    branch.grow()
                    await files.start(self._entry(branch, folder, name, found.kind, target, here, there))
        finally:
            await folder.call(_close, listing)
        await branch.shrink()

    async def _make_directory(self, attributes: Attributes, place: bytes) -> asyncssh.SFTPAttrs | None:
        """Make a directory that we can write in; what is to be changed when nothing is written any more."""
        there, refused = await self._remote.make_directory(place, attributes.mode | stat.S_IRWXU)
        if there is None or there.kind is not Kind.DIRECTORY:
            if there is not None:
                raise Problem(place, f"is {there.kind} and should be a directory")
            raise refused or Problem(place, "was not made")
        if self._plan.preserve:
            return _new_attributes(attributes, there.special | attributes.mode, times=True)
        if refused is None and attributes.mode & stat.S_IRWXU != stat.S_IRWXU:
            return asyncssh.SFTPAttrs(permissions=there.special | (there.mode & attributes.mode))
        return None

    async def _entry(
        self,
        branch: Branch,
        folder: Descriptor,
        name: bytes,
        kind: Kind,
        target: bytes,
        source: bytes,
        place: bytes,
    ) -> None:
        if kind is Kind.LINK:
            await self._link(target, source, place)
        elif kind is not Kind.FILE:
            self._note(source, f"skipped: it is {kind}")
        else:
            with local_problems(source):
                opened = await folder.call(open_source, name, self._small)
            try:
                if opened.attributes.kind is not Kind.FILE:
                    raise Problem(source, "was changed while it was copied")
                await self._send(opened, source, place)
            finally:
                if opened.file is not None:
                    opened.file.close()
        await branch.shrink()

    async def _link(self, target: bytes, source: bytes, place: bytes) -> None:
        with suppress(Problem):
            if await self._remote.read_link(place) == target:
                self._meter.complete(source)
                return
        temporary = _beside(place)
        try:
            await self._remote.make_link(temporary, place, target)
            await self._remote.rename(temporary, place)
        except BaseException:
            await self._remote.remove(temporary)
            raise
        self._meter.complete(source)

    # -- files ----------------------------------------------------------------------------------

    async def _send(self, source: Source, path: bytes, place: bytes) -> None:
        """Write a file under a temporary name, then give it its own."""
        remote, plan = self._remote, self._plan
        if plan.skip_identical:
            there = await remote.look(place)
            if there is not None and identical(source.attributes, there, preserve=plan.preserve):
                self._meter.complete(path, source.attributes.size)
                return
        temporary = _beside(place)
        try:
            file, existing = await _both(remote, temporary, place, source.attributes.mode)
            if existing is not None and existing.kind is Kind.DIRECTORY:
                raise Problem(place, "is a directory")
            await self._write(file, source, path, place, existing)
            await remote.rename(temporary, place)
        except Problem as problem:
            await remote.remove(temporary)
            failed = isinstance(problem.__cause__, asyncssh.SFTPFailure)  # what a full disk is for SFTP, too
            if failed and await remote.is_full(posixpath.dirname(place) or b"."):
                raise Problem(place, "no space left on device") from problem
            raise
        except BaseException:
            await remote.remove(temporary)
            raise
        self._meter.complete(path)

    async def _write(
        self, file: RemoteFile, source: Source, path: bytes, place: bytes, existing: Attributes | None
    ) -> None:
        """Write all of it. A server keeps the order of requests, so nothing is waited for but room."""

        async def write(data: bytes, offset: int) -> None:
            await file.write(data, offset)
            self._meter.add(path, len(data))

        async with Window(self._remote.writes) as window:
            offset = 0
            while data := await _chunk(source, path, offset):
                for start in range(0, len(data), self._remote.write_piece):
                    piece = data[start : start + self._remote.write_piece]
                    await window.start(write(piece, offset))
                    offset += len(piece)
            if existing is not None and existing.kind is Kind.FILE and existing.owner is not None:
                await window.start(file.give(existing.owner))
            new = self._attributes_of_copy(source.attributes, existing)
            if new is not None:
                await window.start(file.change(new))
            await window.start(file.close())

    def _attributes_of_copy(
        self, source: Attributes, existing: Attributes | None
    ) -> asyncssh.SFTPAttrs | None:
        """What has to be set. A new file has its mode already; one that is replaced leaves its own."""
        plan = self._plan
        mode = None
        if plan.preserve:
            mode = source.mode
        elif existing is not None and existing.kind is Kind.FILE:
            mode = existing.mode
        if mode is None and not plan.times:
            return None
        return _new_attributes(source, mode, times=plan.times)


async def _chunk(source: Source, path: bytes, offset: int) -> bytes:
    """What comes next; nothing at the end."""
    if source.file is None:
        return source.data[offset:]
    size = min(SMALL, source.attributes.size - offset)
    if not size:
        return b""
    with local_problems(path):
        data = await source.file.call(read_at, size, offset)
    if not data:
        raise Problem(path, "became shorter while it was copied")
    return data


async def _both(
    remote: Remote, temporary: bytes, place: bytes, mode: int
) -> tuple[RemoteFile, Attributes | None]:
    """Make the temporary file and look at what it will replace, in one round trip."""
    file, existing = await asyncio.gather(
        remote.create(temporary, place, mode), remote.look(place), return_exceptions=True
    )
    if isinstance(file, BaseException):
        raise file
    if isinstance(existing, BaseException):
        raise existing
    return file, existing


def _beside(place: bytes) -> bytes:
    return posixpath.join(posixpath.dirname(place), temporary_name())


def _new_attributes(source: Attributes, mode: int | None, *, times: bool) -> asyncssh.SFTPAttrs:
    new = asyncssh.SFTPAttrs(permissions=mode)
    if times:
        new.atime, new.mtime = source.atime, source.mtime
    return new


def _close(fd: int, listing: Listing) -> None:
    listing.close()
