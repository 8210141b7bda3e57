"""What the library has to say, in its place among the lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ("log_shown",)


class _ShownLog(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(RuntimeError):  # a thread that outlives the loop
            for line in self.format(record).splitlines():
                self._loop.call_soon_threadsafe(self._say, line)


@contextmanager
def log_shown(say: Callable[[str], None]) -> Iterator[None]:
    """Have ``say`` called on the running loop with each line that is logged, from warnings on."""
    handler = _ShownLog(say)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
