"""The file is loaded, and read again when somebody asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from asynctask.cli.supervising.applying import Changeable, apply, load_in_order
from asynctask.cli.supervising.labels import Prefixes
from asynctask.errors import AsyncTaskError, ManagerError, UsageError
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.where import nodes_of
from asynctask.pollers.aside import Aside

__all__ = ("Loader", "nodes_of_all")


class Startable(Changeable, Protocol):
    """The part of a manager that this needs."""

    async def start(self, name: str | None = None) -> None:
        """Start the processes of a template."""

    async def end_strays(self, *, spare: Iterable[str] = ()) -> list[str]:
        """End detached processes that no template has."""


class Readable(Protocol):
    """The file."""

    @property
    def names(self) -> Iterable[str]:
        """All templates that it had when it was read, wanted or not."""

    def read_again(self) -> dict[str, ProcessTemplate]:
        """What it says now; blocks."""


class Loader:
    """Has a manager run what the file says.

    Args:
        manager: which.
        file: what is read again.
        current: what it said at first; it is changed as templates are loaded and unloaded.
        prefixes: learn of the templates that come.
        say: tells what came of it.
    """

    def __init__(
        self,
        manager: Startable,
        file: Readable,
        current: dict[str, ProcessTemplate],
        prefixes: Prefixes,
        say: Callable[[str], None],
    ) -> None:
        self._manager = manager
        self._file = file
        self._current = current
        self._prefixes = prefixes
        self._say = say
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._is_asked = False

    @property
    def busy(self) -> bool:
        """Whether templates are being loaded or unloaded."""
        return self._lock.locked()

    async def load(self, *, start: bool | None = None) -> None:
        """Load all, then start them in order; see ``Manager.load``. Who cannot be loaded is told.

        Before anything is started, detached processes are ended that the file does not have any more: they
        may hold what others need.
        """

        async def load(template: ProcessTemplate) -> None:
            await self._manager.load(template, start=False)

        async def begin(template: ProcessTemplate) -> None:
            if template.autostart if start is None else start:
                await self._manager.start(template.name)

        async with self._lock:
            await self._each(load)
            await self._end_strays()
            await self._each(begin)

    async def _each(self, do: Callable[[ProcessTemplate], Awaitable[None]]) -> None:
        for name, why in (await load_in_order(list(self._current.values()), do)).items():
            del self._current[name]
            self._say(f"{name}: {why}")

    async def _end_strays(self) -> None:
        try:
            ended = await self._manager.end_strays(spare=self._file.names)
        except ManagerError as exc:
            self._say(str(exc))
        else:
            for each in ended:
                self._say(f"{each} was left running, and the file does not have it any more: it was ended")

    def begin(self, reload: Callable[[], Awaitable[object]]) -> bool:
        """Have the file read again; nobody waits for it. It is once for all who ask before it is read.

        Args:
            reload: calls :meth:`reload`, and does what else is to be done.

        Returns:
            Whether this is the first of them, for which ``reload`` is called.
        """
        if self._is_asked:
            return False
        self._is_asked = True

        async def go() -> None:
            with suppress(AsyncTaskError):  # it was told
                await reload()

        task = asyncio.get_running_loop().create_task(go(), name="asynctask up: reload")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def reload(self) -> Mapping[str, Any]:
        """Read the file again, apply what is different, and tell what that was; also as data that JSON has.

        Raises:
            UsageError: something in the file can never work; nothing was changed.
            ManagerError: all is being stopped.
        """
        async with self._lock:
            self._is_asked = False
            if self._closed:
                raise ManagerError("all is being stopped: the file is not read again")
            try:
                templates = await Aside("the file").do(self._file.read_again)
                self._prefixes.expect(templates, await nodes_of_all(templates))
            except UsageError as exc:
                self._say(f"nothing was changed: {exc}")
                raise
            applied = await apply(self._manager, self._current, templates)
            self._say(f"the file was read again: {applied}")
            return applied.as_data()

    async def close(self) -> None:
        """Read it no more; what is going on is broken off."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def nodes_of_all(templates: Mapping[str, ProcessTemplate]) -> dict[str, Sequence[str | None]]:
    """The nodes of templates.

    Raises:
        UsageError: some cannot be parsed, or are none; and of which template.
    """
    found = {}
    for name, template in templates.items():
        try:
            found[name] = await nodes_of(template)
        except UsageError as exc:
            text = str(exc)
            raise UsageError(text if repr(name) in text else f"template {name!r}: {text}") from exc
    return found
