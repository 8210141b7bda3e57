"""Ends a command on a node from a second session, its whole process group.

The signals of SSH are not enough for that: OpenSSH drops them where the login is root's, and once
the group's leader has ended they do not reach those that it left behind.
"""

from __future__ import annotations

from contextlib import suppress

import anyio
import asyncssh

from asynctask.waiting import Grace

__all__ = ("FIND_WAIT", "KILL_WAIT", "end_group")

#: How long the node may take to find the group, in seconds.
FIND_WAIT = 2.0
#: How long something may take to end after KILL, in seconds.
KILL_WAIT = 2.0

# The leader of our command's group is a child of the server, as this script is, and was started on
# the same connection. Both are asked for: one server process may have the children of other
# connections, too. Linux only: elsewhere nothing is found.
# No single quote and no line break may be in it: each login shell understands it as it is.
_FIND = (
    'for f in $(grep -ls "^PPid:[[:blank:]]*$PPID\\$" /proc/[0-9]*/status); do '
    "p=${f#/proc/}; p=${p%/status}; "
    '[ "$p" != $$ ] && [ "$SSH_CONNECTION" ] && tr "\\0" "\\n" < /proc/$p/environ 2> /dev/null | '
    'grep -Fxq "SSH_CONNECTION=$SSH_CONNECTION" && kill -s TERM -- -$p && g="$g $p" && a="$a|$p"; '
    "done; "
    '[ "$g" ] || exit 1; echo "asynctask-groups $g"; '
)
# A zombie is not alive, though kill -0 finds it. The count is for a group that not even KILL ends.
_WAIT = (
    "n=0; while [ $n -lt 6000 ] && "
    'sed -n "s/^.*) \\(.\\) [0-9]* \\([0-9]*\\) .*/\\1 \\2/p" /proc/[0-9]*/stat 2> /dev/null | '
    'grep -Eq "^[^ZX] (x$a)\\$"; do sleep 0.05; n=$((n+1)); done'
)
_SCRIPT = f"exec sh -c '{_FIND}{_WAIT}'"
_FOUND = b"asynctask-groups "


async def end_group(connection: asyncssh.SSHClientConnection, grace: Grace) -> bool:
    """End what runs on a connection, its command and all of the command's group: TERM, the grace, KILL.

    Whether something was found. Returns at most ``FIND_WAIT``, the grace and ``KILL_WAIT`` later. Cancelling
    leaves the group as it is by then.
    """
    with suppress(asyncssh.Error, OSError):
        process = None
        groups: list[str] = []
        with anyio.move_on_after(FIND_WAIT):
            process = await _start(connection, _SCRIPT)
            groups = await _groups_in(process.stdout)
        if process is None or not groups:
            return False
        with grace.period():
            await process.wait_closed()
        if process.exit_status is None:
            with anyio.move_on_after(KILL_WAIT):
                await _start(connection, f"exec sh -c 'kill -s KILL -- {' '.join(groups)}'")
                await process.wait_closed()
        return True
    return False


async def _start(connection: asyncssh.SSHClientConnection, command: str) -> asyncssh.SSHClientProcess[bytes]:
    return await connection.create_process(
        command, encoding=None, stdin=asyncssh.DEVNULL, stderr=asyncssh.DEVNULL
    )


async def _groups_in(output: asyncssh.SSHReader[bytes]) -> list[str]:
    """The groups that the script has found, as kill wants them; start-up files may print something before."""
    async for line in output:
        if line.startswith(_FOUND):
            return [f"-{int(group)}" for group in line.removeprefix(_FOUND).split()]
    return []
