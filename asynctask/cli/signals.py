"""The signals that ask a command line to end, while it runs an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ("EXIT_SIGNAL", "signals_handled")

#: The exit status of a program that a signal ended is this and the signal's number.
EXIT_SIGNAL = 128

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_handled(callback: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Have ``callback`` called on the running loop, with the signal, until the block is left.

    A signal that is ignored stays so: ``nohup`` and scripts' background jobs count on it.
    """
    loop = asyncio.get_running_loop()
    numbers = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, callback, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # else Ctrl-C while the program exits shows a traceback
