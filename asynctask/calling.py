"""Calls handlers: what they raise is kept with a note of where, and reaches the run's caller at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asynctask.events import Hook, call

__all__ = ("Caller", "Gate")


class Gate:
    """Holds deliveries back while the run is suspended, and knows how many go on.

    Plain handlers share the time that a turn of the loop may take: the more of them are at work, the less
    each has before others get their turn.
    """

    def __init__(self) -> None:
        self.busy = 0
        self.closed = False
        self._opened = asyncio.Event()

    def close(self) -> None:
        """Let nobody through."""
        self.closed = True
        self._opened.clear()

    def open(self) -> None:
        """Let all through."""
        self.closed = False
        self._opened.set()

    async def passed(self) -> None:
        """Wait until it is open."""
        while self.closed:
            await self._opened.wait()


class Caller:
    """Calls the hooks of one handler in a run.

    Args:
        gate: what holds deliveries back.
        give_up: called with what ends the program (``SystemExit``): the run stops first, then raises it.
    """

    def __init__(self, gate: Gate, give_up: Callable[[BaseException], None]) -> None:
        self.gate = gate
        self._give_up = give_up
        self.errors: list[Exception] = []

    async def call(self, event: str, node: str, hook: Hook, *args: object) -> bool:
        """Call a hook; an exception is kept with a note of where. Whether all went well."""
        try:
            await call(hook, *args)
        except Exception as exc:
            self.note(event, node, exc)
            return False
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                exc.add_note(_where(event, node))
                raise
            # Nobody cancelled us: the handler let somebody else's cancellation escape.
            error = RuntimeError(f"{event} raised CancelledError by itself")
            error.__cause__ = exc
            self.note(event, node, error)
            return False
        except GeneratorExit:
            raise
        except BaseException as exc:  # it ends the program: the run stops first, then raises it
            self._give_up(exc)
            return False
        return True

    def note(self, event: str, node: str, exc: Exception) -> None:
        exc.add_note(_where(event, node))
        self.errors.append(exc)

    def note_cancelled(self, exc: asyncio.CancelledError) -> None:
        """A hook was cut short by a cancellation that is not ours, told by its notes."""
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        notes = getattr(exc, "__notes__", ())
        if notes:
            error = RuntimeError("the asyncio task in which handlers are called was cancelled")
            for note in notes:
                error.add_note(note)
            self.errors.append(error)


def _where(event: str, node: str) -> str:
    return f"raised in {event}" + (f" for {node}" if node else "")
