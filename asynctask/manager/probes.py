"""Whether a process is ready, and whether it is still alive."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shlex
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.arguments import port_of
from asynctask.manager.checks import OWN_PORT
from asynctask.manager.launching import Running
from asynctask.manager.output import Outlet
from asynctask.manager.template import Liveness, ProcessTemplate, Readiness
from asynctask.ssh.resolve import Resolver

__all__ = ("wait_ready", "watch_alive")

#: Seconds that one connection may take while a process gets ready.
_CONNECT_SECONDS = 5.0
#: Seconds between the first two looks; then twice as many, up to the interval.
_FIRST_PAUSE = 0.02
#: Seconds after which a command is given up that was to be ended, and is not.
_SLACK = 5.0
_SILENCE = "no answer in time"
#: Where a port is looked for on this machine: no name has to be looked up.
_HERE = ("127.0.0.1", "::1")
#: Of connections: these tell of this machine or of the network, and nothing of the process.
_NOT_ITS_FAULT = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETUNREACH}
    | {errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN}
)

#: Takes a look for so many seconds at most, and tells what is wrong; ``None``: nothing.
_Look: TypeAlias = Callable[[float], Awaitable[str | None]]


class _CannotLookError(Exception):
    """It was not even possible to look."""


async def wait_ready(
    template: ProcessTemplate, running: Running, outlet: Outlet, node: str | None, index: int | None
) -> str | None:
    """Wait until a process that was just started is ready: all that its template's readiness asks for.

    It does not watch for the exit of the process: that is its caller's, who cancels it then.

    Returns:
        ``None`` when it is ready; else why it is not, after ``readiness.timeout`` seconds (and a few, if a
        command cannot be ended) at most. ``readiness.seconds`` alone have no other bound.
    """
    readiness = template.readiness
    began = anyio.current_time()
    why: str | None = None
    if readiness.line is not None:
        why = await _wait_line(outlet, readiness.line, readiness.timeout)
    elif (look := _look_for(readiness, running, node, port_of(template, index))) is not None:
        why = await _wait_look(look, readiness)
    if why is None:
        await anyio.sleep_until(began + readiness.seconds)
    return why


async def _wait_line(outlet: Outlet, regex: str, timeout: float) -> str | None:
    with anyio.move_on_after(timeout):
        if await outlet.wait_line(regex):
            return None
        return f"its output has ended, and no line has {regex!r}"
    return f"no line has {regex!r} after {timeout:g} s"


async def _wait_look(look: _Look, readiness: Readiness) -> str | None:
    deadline = anyio.current_time() + readiness.timeout
    left, pause = readiness.timeout, _FIRST_PAUSE
    while True:
        try:
            why = await look(left)
        except _CannotLookError as exc:
            why = str(exc)
        if why is None:
            return None
        await anyio.sleep(min(pause, readiness.interval, max(0.0, deadline - anyio.current_time())))
        pause *= 2
        left = deadline - anyio.current_time()
        if left <= 0:
            return f"{why}, after {readiness.timeout:g} s"


async def watch_alive(
    template: ProcessTemplate,
    running: Running,
    node: str | None,
    index: int | None,
    chance: Callable[[], float] = random.random,
) -> str:
    """Look at a running process again and again, as its template's liveness says.

    Looks that cannot be made (its node is out of reach, no descriptor is left) say nothing about it, and do
    not count. The first one comes up to half an interval early, so that not all come at the same moment.

    Returns:
        Why it is taken for dead, after ``liveness.failures`` in a row. It returns for no other reason; a
        template without liveness is never found dead.
    """
    liveness = template.liveness
    look = None if liveness is None else _look_for(liveness, running, node, port_of(template, index))
    if liveness is None or look is None:
        await anyio.sleep_forever()
        raise AssertionError
    failures = 0
    pause = liveness.interval * (1 - 0.5 * chance())
    while True:
        await anyio.sleep(pause)
        pause = liveness.interval
        try:
            why = await look(liveness.timeout)
        except _CannotLookError:
            continue
        failures = 0 if why is None else failures + 1
        if why is not None and failures >= liveness.failures:
            return f"{why}, {failures} times" if failures > 1 else why


# -- one look -----------------------------------------------------------------------------------


def _look_for(
    probe: Readiness | Liveness, running: Running, node: str | None, own_port: int | None
) -> _Look | None:
    """How to look; ``None``: there is nothing to look at."""
    if probe.command is not None:
        return partial(_run, running, probe.command)
    if probe.tcp is not None:
        host, _, port = probe.tcp.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        number = own_port if port == OWN_PORT and own_port is not None else int(port)
        return partial(_connect_to, host or node, number, Resolver())
    return None


async def _run(running: Running, command: str | Sequence[str], timeout: float) -> str | None:
    """Run a command beside the process."""
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    good = False
    try:
        with anyio.move_on_after(timeout + _SLACK):
            good = await running.check(argv, timeout)
    except (ManagerError, OSError) as exc:
        raise _CannotLookError(str(exc)) from exc
    return None if good else f"command {_first_word(command)} does not exit with 0"


def _first_word(command: str | Sequence[str]) -> str:
    """What names a command; the rest of it may be secret."""
    if not isinstance(command, str):
        return shlex.quote(command[0])
    return shlex.quote(command.split(maxsplit=1)[0]) if command.strip() else "''"


async def _connect_to(host: str | None, port: int, resolver: Resolver, timeout: float) -> str | None:
    """Connect to a port; one of the addresses of its host is enough."""
    shown = host or _HERE[0]
    place = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
    until = anyio.current_time() + min(timeout, _CONNECT_SECONDS)
    errors: list[OSError] = []
    with anyio.move_on_at(until):
        try:
            addresses = _HERE if host is None else await resolver.addresses(host, port)
        except OSError as exc:
            raise _CannotLookError(f"{place}: {exc.strerror or exc}") from exc
        for number, address in enumerate(addresses):
            share = (until - anyio.current_time()) / (len(addresses) - number)
            try:
                with anyio.fail_after(share):
                    await _connect(address, port)
            except OSError as exc:  # a TimeoutError, too
                errors.append(exc)
            else:
                return None
    telling = [exc for exc in errors if exc.errno not in _NOT_ITS_FAULT]
    if errors and not telling:
        raise _CannotLookError(f"{place}: {_reason(errors[0])}")
    return f"no connection to {place}: {_reason(telling[0]) if telling else _SILENCE}"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else _SILENCE


async def _connect(address: str, port: int) -> None:
    family, kind, _, _, target = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    with socket.socket(family, kind) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, target)
        # A free port of this machine can be given to the very socket that asks for it.
        if connection.getsockname() == connection.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
