"""Ends a command on a node from a second session, its whole process group.

The signals of SSH are not enough for that: OpenSSH drops them where the login is root's, and once
the group's leader has ended they do not reach those that it left behind.

However many commands of a connection are ended at once, there is one such session: it is opened for the first
of them, takes its orders from standard input, and is closed after the last.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import asyncssh

from asynctask.ssh.environment import MARK
from asynctask.waiting import Grace

__all__ = ("FIND_WAIT", "KILL_WAIT", "GroupEnd", "Signaller", "end_group")

#: How long the node may take to find the group, in seconds.
FIND_WAIT = 2.0
#: How often the node is asked at most, and how long after the last time, in seconds. What starts right now is
#: for a moment still the server's own process, which no signal may reach.
_LOOKS, _AGAIN = 5, 0.1
#: How long something may take to end after KILL, in seconds.
KILL_WAIT = 2.0

#: Sends a signal, named without ``SIG``, to groups that the login user alone cannot reach.
Signaller = Callable[[str, Sequence[int]], Awaitable[None]]


class GroupEnd(enum.Enum):
    """What is known of the group of a command that was ended."""

    NOT_FOUND = "it was not found, or the node did not answer"
    LEFT = "it was found; that it is gone is not known"
    GONE = "it is gone"

    def __bool__(self) -> bool:
        """Whether it was found."""
        return self is not GroupEnd.NOT_FOUND


# The leader of our command's group is a child of the server, as this script is, and was started on
# the same connection. Both are asked for: one server process may have the children of other
# connections, too. Of the commands of one connection all but one have a mark, which is in the environment, or
# while the command is on its way to it, in the arguments. Linux only: elsewhere nothing is found.
# No single quote and no line break may be in it: each login shell understands it as it is.
_MINE = (
    'lines() { tr "\\0" "\\n" < /proc/$1/$2; }; '
    'mine() { [ "$1" != $$ ] && [ "$SSH_CONNECTION" ] && '
    'lines $1 environ | grep -Fxq "SSH_CONNECTION=$SSH_CONNECTION" || return 1; '
    'case $2 in none) ! lines $1 environ | grep -q "^@=" && ! lines $1 cmdline | grep -Fq "@=";; '
    '*) lines $1 environ | grep -Fxq "@=$2" || lines $1 cmdline | grep -Fq "@=$2";; esac; }; '
).replace("@", MARK)
# A zombie is not alive, though kill -0 finds it. The count is for a group that not even KILL ends.
_END = (
    "end() { "
    'for f in $(grep -ls "^PPid:[[:blank:]]*$PPID\\$" /proc/[0-9]*/status); do '
    "p=${f#/proc/}; p=${p%/status}; "
    'mine $p $2 && kill -s TERM -- -$p && g="$g $p" && a="$a|$p"; done; '
    'echo "asynctask-groups $1$g"; [ "$g" ] || return; n=0; while [ $n -lt 6000 ] && '
    'sed -n "s/^.*) \\(.\\) [0-9]* \\([0-9]*\\) .*/\\1 \\2/p" /proc/[0-9]*/stat | '
    'grep -Eq "^[^ZX] (x$a)\\$"; do sleep 0.05; n=$((n+1)); done; echo "asynctask-gone $1"; }; '
)
_ORDERS = "while read -r v t; do case $v in end) end $t & ;; kill) kill -s KILL -- $t;; esac; done; "
_SCRIPT = f"exec sh -c 'exec 2> /dev/null; g=; a=; {_MINE}{_END}{_ORDERS}kill 0'"


class _Search:
    """The search for one command's group."""

    def __init__(self) -> None:
        self.groups: list[int] | None = None
        self.heard = asyncio.Event()
        self.gone = asyncio.Event()
        self.is_gone = False


class _Ender(asyncssh.SSHClientSession[bytes]):
    """The session, as asyncssh sees it."""

    def __init__(self) -> None:
        self.searches: dict[bytes, _Search] = {}
        self.over = False
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._rest = b""
        self._count = 0

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            *lines, self._rest = (self._rest[-4096:] + data).split(b"\n")
            for line in lines:  # start-up files may print something before
                self._heard(*line.split())

    def _heard(self, word: bytes = b"", token: bytes = b"", *groups: bytes) -> None:
        search = self.searches.get(token)
        if search is None:
            return
        if word == b"asynctask-groups":
            search.groups = [int(group) for group in groups if group.isdigit()]
            search.heard.set()
        elif word == b"asynctask-gone":
            search.is_gone = True
            search.gone.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = True
        for search in self.searches.values():
            search.heard.set()
            search.gone.set()

    def search(self, mark: str | None) -> bytes:
        """Begin a search for what has a mark, and give its token."""
        self._count += 1
        token = b"%d" % self._count
        self.searches[token] = _Search()
        self.order(f"end {token.decode()} {mark or 'none'}")
        return token

    def order(self, line: str) -> None:
        """Give the script an order."""
        if self._channel is not None:
            with suppress(OSError):
                self._channel.write(line.encode() + b"\n")

    def close(self) -> None:
        """End the script."""
        if self._channel is not None:
            with suppress(OSError):
                self._channel.write_eof()
            self._channel.close()


class _Enders:
    """Who ends commands on one connection. Kept with the connection."""

    def __init__(self) -> None:
        self.users = 0
        self.escalating = anyio.Lock()
        self._lock = anyio.Lock()
        self._ender: _Ender | None = None

    @asynccontextmanager
    async def ender(
        self, connection: asyncssh.SSHClientConnection
    ) -> AsyncIterator[Callable[[], Awaitable[_Ender]]]:
        """Gives the session, opened for who asks first; it is closed when nobody is left."""

        async def opened() -> _Ender:
            async with self._lock:
                if self._ender is None or self._ender.over:
                    self._ender = await _open(connection)
                return self._ender

        self.users += 1
        try:
            yield opened
        finally:
            self.users -= 1
            if self.users == 0 and self._ender is not None:
                self._ender.close()
                self._ender = None


async def end_group(
    connection: asyncssh.SSHClientConnection,
    grace: Grace,
    mark: str | None = None,
    *,
    escalate: Signaller | None = None,
    has_ended: Callable[[], bool] = lambda: False,
) -> GroupEnd:
    """End one command on a connection and all of its group: TERM, the grace, KILL.

    Args:
        connection: where it runs.
        grace: between TERM and KILL.
        mark: the command's mark; ``None``: it is the one that has none.
        escalate: beside the signals of the login user.
        has_ended: whether the command has ended by itself: then it is not looked for again.

    Returns at most ``FIND_WAIT``, the grace and ``KILL_WAIT`` later. Cancelling leaves the group as it is
    by then.
    """
    enders = _enders_of(connection)
    with suppress(asyncssh.Error, OSError):
        async with enders.ender(connection) as opened:
            search: _Search | None = None
            with anyio.move_on_after(FIND_WAIT):
                ender = await opened()
                for look in range(_LOOKS):
                    if look:
                        await asyncio.sleep(_AGAIN)
                    search = ender.searches[ender.search(mark)]
                    await search.heard.wait()
                    if search.groups != [] or has_ended():
                        break
            if search is None or not search.groups:
                return GroupEnd.NOT_FOUND
            if escalate is not None:
                escalate = _one_at_a_time(escalate, enders.escalating)
            await _end(ender, search, search.groups, grace, escalate)
            return GroupEnd.GONE if search.is_gone else GroupEnd.LEFT
    return GroupEnd.NOT_FOUND


async def _end(
    ender: _Ender, search: _Search, groups: Sequence[int], grace: Grace, escalate: Signaller | None
) -> None:
    """They have had TERM from the login user."""
    with grace.period():
        if escalate is not None:
            await escalate("TERM", groups)
        await search.gone.wait()
    if search.gone.is_set():
        return
    with anyio.move_on_after(KILL_WAIT):
        if escalate is not None:  # before KILL takes those between the leader and what it cannot reach
            with anyio.move_on_after(KILL_WAIT / 2):
                await escalate("KILL", groups)
        ender.order(f"kill {' '.join(f'-{group}' for group in groups)}")
        await search.gone.wait()


def _one_at_a_time(escalate: Signaller, lock: anyio.Lock) -> Signaller:
    """It needs a session of its own, and a server has few for a connection."""

    async def call(name: str, groups: Sequence[int]) -> None:
        async with lock:
            await escalate(name, groups)

    return call


async def _open(connection: asyncssh.SSHClientConnection) -> _Ender:
    ender = _Ender()
    try:
        await connection.create_session(
            lambda: ender, _SCRIPT, encoding=None, request_pty=False, env=None, send_env=None
        )
    except BaseException:
        ender.close()
        raise
    return ender


_KEPT = "asynctask_enders"


def _enders_of(connection: Any) -> _Enders:
    enders: _Enders | None = connection.get_extra_info(_KEPT)
    if enders is None:
        enders = _Enders()
        connection.set_extra_info(**{_KEPT: enders})
    return enders
