"""Event handlers: what is done with an event."""

from __future__ import annotations

import inspect
import re
import reprlib
import sys
from collections.abc import Awaitable, Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import IO, Any

from asynctask.dispatch.event import Event, shown
from asynctask.dispatch.threads import in_thread
from asynctask.errors import UsageError

__all__ = (
    "ChainEventHandler",
    "EventHandler",
    "ExecEventHandler",
    "PrintEventHandler",
    "ThreadEventHandler",
    "finished",
    "process",
)

_SECRET = re.compile("pass|secret|token|credential", re.IGNORECASE)


async def process(handler: Any, event: Any) -> Any:
    """Have a handler process an event, be its method plain or async; what it returns."""
    return await finished(handler.process_event(event))


async def finished(outcome: Any) -> Any:
    """What a method has returned, or what comes of it if it is to be awaited."""
    return await outcome if inspect.isawaitable(outcome) else outcome


class EventHandler:
    """What processes events. Any object with ``process_event`` is one, too.

    Methods that set properties best take text as well, so that a file of rules can configure them.
    """

    def process_event(self, event: Any) -> Any:
        """Process an event; may be async. Returns something true for success.

        Raises:
            NotImplementedError: a subclass has to say what to do.
        """
        raise NotImplementedError(f"{type(self).__name__} has no process_event()")

    @reprlib.recursive_repr()  # handlers may know of one another
    def __str__(self) -> str:
        shown_properties = ", ".join(f"{name}={value}" for name, value in self._properties())
        return f"{type(self).__name__}({shown_properties})"

    def _properties(self) -> Iterator[tuple[str, str]]:
        """What describes it: its public attributes."""
        for name, value in vars(self).items():
            if not name.startswith("_"):
                yield name, "***" if _SECRET.search(name) else shown(value)


class ChainEventHandler(EventHandler):
    """Calls handlers in order with the same event, until one returns something false.

    What one of them raises ends the chain and goes to the error handler.

    Args:
        handlers: plain or async ones, and chains; none: every event is a success.
    """

    def __init__(self, *handlers: Any) -> None:
        self.handlers = handlers

    def process_event(self, event: Any) -> bool | Awaitable[bool]:
        """Whether all returned something true: a bool, or to be awaited once a handler has to be."""
        left = iter(self.handlers)
        for handler in left:
            outcome = handler.process_event(event)
            if inspect.isawaitable(outcome):
                return self._go_on(outcome, left, event)
            if not outcome:
                return False
        return True

    async def _go_on(self, outcome: Awaitable[Any], left: Iterator[Any], event: Any) -> bool:
        if not await outcome:
            return False
        for handler in left:
            if not await process(handler, event):
                return False
        return True

    @reprlib.recursive_repr()
    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(shown, self.handlers))})"


class ExecEventHandler(EventHandler):
    """Executes Python source, whatever the event: a way to have something done in the order of the queue.

    The source is code, with all that this program may do: never make it from data. What is wrong with it,
    its syntax as well, goes to the error handler when it is executed.

    Args:
        command: the source, or a code object.
        names: the globals it sees; each time it has a fresh copy of them, and the builtins.
    """

    def __init__(self, command: str | CodeType, names: Mapping[str, Any] | None = None) -> None:
        self.command = command
        self._names = dict(names or {})

    def process_event(self, event: Any) -> bool:
        """Execute the source; always true."""
        exec(self.command, dict(self._names))  # noqa: S102 - what it is for; the class says so
        return True


class PrintEventHandler(EventHandler):
    """Prints events, a line each, and flushes.

    Args:
        file: a file that is open for text; or text: ``"stdout"``, ``"stderr"``, or a path, to which each
            event is appended. Standard streams are those of the moment at which an event is printed.
    """

    def __init__(self, file: IO[str] | Path | str = "stdout") -> None:
        self.file = file

    @property
    def file(self) -> IO[str] | Path | str:
        """Where to; can be set."""
        return self._file

    @file.setter
    def file(self, file: IO[str] | Path | str) -> None:
        if not file or not (isinstance(file, str | Path) or callable(getattr(file, "write", None))):
            raise UsageError(f"file={file!r}: an open file, 'stdout', 'stderr' or a path")
        self._file = file

    def process_event(self, event: Any) -> bool:
        """Print the event; always true."""
        file = self._file
        if isinstance(file, str) and file in ("stdout", "stderr"):
            file = getattr(sys, file)
        if isinstance(file, str | Path):
            with Path(file).open("a", encoding="utf-8") as opened:
                _print(event, opened)
        else:
            _print(event, file)
        return True

    def _properties(self) -> Iterator[tuple[str, str]]:
        yield "file", shown(getattr(self._file, "name", self._file))


def _print(event: Event, file: IO[str]) -> None:
    print(event, file=file, flush=True)


class ThreadEventHandler(EventHandler):
    """Has a blocking handler called in a thread: the loop goes on meanwhile, the next event waits.

    Args:
        handler: with a plain ``process_event``.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    async def process_event(self, event: Any) -> Any:
        """What the handler returns. Cancelling waits for it, ten seconds at most."""
        name = f"handler {type(self.handler).__name__}"
        return await finished(await in_thread(name, self.handler.process_event, event))
