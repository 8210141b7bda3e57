"""From a node to here: a file, or a tree while the node lists it. Nothing that a node says is trusted."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable

import anyio

from asynctask.transfer import landing
from asynctask.transfer.attributes import Attributes, Kind, identical
from asynctask.transfer.descriptors import Descriptor
from asynctask.transfer.meter import Meter
from asynctask.transfer.names import check_link, temporary_name
from asynctask.transfer.plan import MOST_DEEP, Plan
from asynctask.transfer.problems import Problem, local_problems
from asynctask.transfer.remote import Remote, RemoteFile
from asynctask.transfer.window import Branch, Window

__all__ = ("Download",)

#: Bytes that are read of a file that is said to be empty.
_MOST_UNSIZED = 16 * 1024 * 1024


class Download:
    """Copies one source from one node.

    Args:
        plan: what is to be done.
        remote: the node.
        meter: counts what is done.
        note: told of what is left out, and why.
    """

    def __init__(self, plan: Plan, remote: Remote, meter: Meter, note: Callable[[bytes, str], None]) -> None:
        self._plan = plan
        self._remote = remote
        self._meter = meter
        self._note = note
        self._folders: set[Descriptor] = set()

    async def run(self, source: bytes, folder: Descriptor, place: bytes) -> None:
        """Copy.

        Args:
            source: a path on the node.
            folder: the directory here that the copy goes to.
            place: where the copy goes, as a path for messages; its last part is the name in ``folder``.

        Raises:
            Problem: it, or a part of it, cannot be copied, or is refused. What is complete stays.
            LinkLost: the connection is gone.

        Cancelling removes temporary files.
        """
        found = await self._remote.look(source, follow=True)
        if found is None:
            raise Problem(source, "no such file or directory")
        if found.kind is Kind.DIRECTORY:
            self._meter.begin_tree(source)
            try:
                async with Window(self._remote.files) as files:
                    await self._directory(files, folder, source, found, place, None, 1)
            finally:
                for opened in self._folders:
                    opened.close()
        elif found.kind is Kind.FILE:
            self._meter.begin_file(source, found.size)
            await self._file(folder, source, found, place)
        else:
            raise Problem(source, f"is {found.kind}, neither a file nor a directory")

    # -- trees ----------------------------------------------------------------------------------

    async def _directory(
        self,
        files: Window,
        outer: Descriptor,
        source: bytes,
        attributes: Attributes,
        place: bytes,
        parent: Branch | None,
        depth: int,
    ) -> None:
        if depth > MOST_DEEP:
            raise Problem(source, f"is more than {MOST_DEEP} directories deep")
        folder, made = await self._enter(outer, place, attributes)

        async def finish() -> None:
            with local_problems(place):
                await folder.call(
                    landing.finish_directory, attributes, preserve=self._plan.preserve, made=made
                )
            self._folders.discard(folder)
            folder.close()

        branch = Branch(parent, finish)
        async with self._remote.listing(source) as entries:
            async for name, listed in entries:
                there, here = posixpath.join(source, name), posixpath.join(place, name)
                found = listed or await self._remote.look(there)
                if found is None:
                    raise Problem(there, "was removed while it was copied")
                if found.kind is Kind.DIRECTORY:
                    await self._directory(files, folder, there, found, here, branch, depth + 1)
                else:
                    branch.grow()
                    await files.start(self._entry(branch, folder, there, found, here))
        await branch.shrink()

    async def _enter(
        self, outer: Descriptor, place: bytes, attributes: Attributes
    ) -> tuple[Descriptor, bool]:
        name = posixpath.basename(place)
        try:
            with local_problems(place):
                folder, made = await outer.call(landing.enter, name, attributes.mode)
        except Problem as problem:
            with local_problems(place):
                there = await outer.call(landing.look, name)
            if there is None or there.kind is Kind.DIRECTORY:
                raise
            raise Problem(place, f"refused: it is {there.kind} here and a directory on the node") from problem
        self._folders.add(folder)
        return folder, made

    async def _entry(
        self, branch: Branch, folder: Descriptor, source: bytes, found: Attributes, place: bytes
    ) -> None:
        if found.kind is Kind.LINK:
            target = await self._remote.read_link(source)
            check_link(source, target)
            with local_problems(place):
                await folder.call(landing.make_link, posixpath.basename(place), target)
            self._meter.complete(source)
        elif found.kind is Kind.FILE:
            await self._file(folder, source, found, place)
        else:
            self._note(source, f"skipped: it is {found.kind}")
        await branch.shrink()

    # -- files ----------------------------------------------------------------------------------

    async def _file(self, folder: Descriptor, source: bytes, found: Attributes, place: bytes) -> None:
        name, plan = posixpath.basename(place), self._plan
        if plan.skip_identical:
            with local_problems(place):
                here = await folder.call(landing.look, name)
            if here is not None and identical(found, here, preserve=plan.preserve):
                self._meter.complete(source, found.size)
                return
        file = await self._remote.open(source)
        if found.size <= self._remote.read_span:
            data = await self._small(file, source, found.size)
            with local_problems(place):
                await folder.call(
                    landing.write_small, name, data, found, preserve=plan.preserve, times=plan.times
                )
        else:
            await self._large(file, folder, source, found, place)
        self._meter.complete(source)

    async def _small(self, file: RemoteFile, source: bytes, size: int) -> bytes:
        """All of a small file, which is closed in the same round trip if one request gets it."""
        if not size:
            data = await self._unsized(file, source)
        elif size > self._remote.read_piece:
            data = await self._span(file, source, 0, size)
        else:
            read, closed = await asyncio.gather(file.read(size, 0), file.close(), return_exceptions=True)
            if isinstance(read, BaseException):
                raise read
            if isinstance(closed, BaseException):
                raise closed
            if len(read) == size:
                self._meter.add(source, size)
                return read
            file = await self._remote.open(source)  # it is shorter now, or the server gives less at a time
            data = await self._piece(file, source, 0, size)
        await file.close()
        self._meter.add(source, len(data))
        return data

    async def _unsized(self, file: RemoteFile, source: bytes) -> bytes:
        """A file without a size may hold something nevertheless, as those in ``/proc`` do."""
        found: list[bytes] = []
        size = 0
        while more := await file.read(self._remote.read_piece, size):
            found.append(more)
            size += len(more)
            if size > _MOST_UNSIZED:
                raise Problem(source, "is said to be empty and has no end")
        return b"".join(found)

    async def _large(
        self, file: RemoteFile, folder: Descriptor, source: bytes, found: Attributes, place: bytes
    ) -> None:
        """Write a file under a temporary name, then give it its own."""
        plan, temporary = self._plan, temporary_name()
        try:
            with local_problems(place):
                target = await folder.call(landing.create, temporary, found.mode)
            try:
                await self._fetch(file, target, source, found.size, place)
                with local_problems(place):
                    await target.call_with(
                        folder,
                        landing.land,
                        temporary,
                        posixpath.basename(place),
                        found,
                        preserve=plan.preserve,
                        times=plan.times,
                    )
            finally:
                target.close()
        except BaseException:
            with anyio.CancelScope(shield=True):  # the thread is waited for as long as any other
                await folder.call(landing.drop, temporary)
            raise

    async def _fetch(
        self, file: RemoteFile, target: Descriptor, source: bytes, size: int, place: bytes
    ) -> None:
        async def fetch(offset: int, length: int) -> None:
            data = await self._span(file, source, offset, length)
            with local_problems(place):
                await target.call(landing.write_at, data, offset)
            self._meter.add(source, length)

        span = self._remote.read_span
        async with Window(self._remote.reads) as window:
            for offset in range(0, size, span):
                await window.start(fetch(offset, min(span, size - offset)))
        await file.close()

    async def _span(self, file: RemoteFile, source: bytes, offset: int, length: int) -> bytes:
        """A part of a file, in as many requests as the server's limit makes necessary."""
        piece = self._remote.read_piece
        if length <= piece:
            return await self._piece(file, source, offset, length)
        parts = await asyncio.gather(
            *(
                self._piece(file, source, offset + start, min(piece, length - start))
                for start in range(0, length, piece)
            )
        )
        return b"".join(parts)

    async def _piece(self, file: RemoteFile, source: bytes, offset: int, length: int) -> bytes:
        """So many bytes; a server may give fewer at a time."""
        data = await file.read(length, offset)
        while len(data) < length:
            more = await file.read(length - len(data), offset + len(data))
            if not more:
                raise Problem(source, "became shorter while it was copied")
            data += more
        return data
