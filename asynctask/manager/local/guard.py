"""A helper process that ends what a manager leaves behind when it dies without ending it.

The helper is a shell that sleeps in ``read``: 0.2 MB, started within a millisecond. Through a pipe it is told
of the groups that there are. When the pipe ends, the manager is dead, whatever the reason: only then is an
interpreter started, to end them (:mod:`.guard_program`). A child that was being started at that moment holds
the pipe until it executes its program, with the mark in its environment, by which it is found.

The mark is inherited, so what leaves its group is found as well. What is to outlive the manager must not have
it: see :meth:`Guard.unmarked`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from asynctask.manager.local.identity import start_time
from asynctask.waiting import wait_out

__all__ = ("GUARD_NAME", "Guard")

_log = logging.getLogger(__name__)

#: The variable by which what is guarded is found.
GUARD_NAME = "ASYNCTASK_GUARD"
_PROGRAM = "ASYNCTASK_GUARD_PROGRAM"
#: Each line is "group start_signal_grace", or "group" alone: forget it; or "q": no guard is needed any more.
#: Without an interpreter the groups are ended at least.
_WAIT = f"""\
trap '' HUP INT QUIT TERM
while read -r group what; do
  case $group in
    q) exit 0 ;;
    *) if [ -n "$what" ]; then eval "w$group=\\$what"; else unset "w$group"; fi ;;
  esac
done
set | "$1" -I -S -E -c 'import os; exec(os.environ["{_PROGRAM}"])' "$2" && exit
for sig in TERM CONT KILL; do
  set | sed -n 's/^w\\([0-9][0-9]*\\)=.*/\\1/p' | while read -r group; do kill -s $sig -- "-$group"; done
  [ $sig = TERM ] || sleep 5
done
"""
#: What is not read by then is not read at all: another helper is started.
_MOST_UNREAD = 1 << 18
#: A helper that lives shorter than this, in seconds, is not followed by another at once.
_SHORT = 1.0
_RETRY_FIRST, _RETRY_LAST = 1.0, 60.0
_GOODBYE = 2.0
_POLL = 0.05


class Guard:
    """Has a manager's processes ended when the manager dies. Belongs to one loop.

    Args:
        shell: what the helper runs in.
        python: what ends the processes.
    """

    def __init__(self, *, shell: str = "/bin/sh", python: str = sys.executable) -> None:
        self._shell = shell
        self._python = python
        self._token = secrets.token_hex(8)
        self._watched: dict[int, str] = {}
        self._longest = 0.0
        self._popen: subprocess.Popen[bytes] | None = None
        self._pipe: weakref.ref[_Pipe] | None = None
        self._pidfd = -1
        self._writing = False
        self._soon: asyncio.Handle | None = None
        self._unread = bytearray()
        self._began = 0.0
        self._retry = _RETRY_FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._gone = asyncio.Event()
        # A forked copy of this program would hold the pipe open, and our end would not be noticed.
        os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))

    @property
    def pid(self) -> int | None:
        """The helper's; ``None``: there is none now."""
        return None if self._popen is None else self._popen.pid

    def marked(self, env: Mapping[str, str]) -> dict[str, str]:
        """An environment for a process that is to be found when the manager dies."""
        return {**env, GUARD_NAME: self._token}

    @staticmethod
    def unmarked(env: Mapping[str, str]) -> dict[str, str]:
        """An environment for a process that is to be spared, also by the guard that guards us."""
        return {name: value for name, value in env.items() if name != GUARD_NAME}

    def start(self) -> None:
        """Have a helper from now on; call it before each start of a process.

        Without one the processes run as well: what prevents it is logged, and it is tried again.
        """
        if self._popen is not None or self._timer is not None or self._closing:
            return
        try:
            self._start()
        except OSError as exc:
            _log.warning("processes would outlive this program if it were killed: %s: %s", self._shell, exc)
            self._try_later()

    def watch(self, pid: int, *, stop_signal: int = signal.SIGTERM, grace: float = 10.0) -> None:
        """Have a group ended when the manager dies.

        Args:
            pid: its leader, a child that has not been waited for.
            stop_signal: what it gets first.
            grace: seconds until KILL.
        """
        # It is told at the end of this turn of the loop, with others; until then it has its mark.
        self._longest = max(self._longest, grace)
        self._watched[pid] = f"{start_time(pid) or 0}_{int(stop_signal)}_{grace:.3f}"
        self._send(f"{pid} {self._watched[pid]}\n")

    def forget(self, pid: int) -> None:
        """A group is gone, or is to be spared. Who is not watched may be forgotten, too."""
        if self._watched.pop(pid, None) is not None:
            self._send(f"{pid}\n")

    async def aclose(self) -> None:
        """End the helper. It ends what is still watched before, for which it has the longest grace and 5 s.

        Cancelling does not shorten this.
        """
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._popen is None:
            return
        if not self._watched:
            self._send("q\n")
        self._flush()
        patience = self._longest + 5.0 if self._watched else _GOODBYE
        self._close_pipe()
        last = asyncio.get_running_loop().call_later(patience, self._popen.kill)
        try:
            await wait_out(self._gone)
        finally:
            last.cancel()

    # -- the helper -----------------------------------------------------------------------------

    def _start(self) -> None:
        theirs, ours = os.pipe()
        try:
            os.set_blocking(ours, False)
            self._popen = subprocess.Popen(  # noqa: S603 - an argument list
                [self._shell, "-c", _WAIT, "asynctask-guard", self._python, f"{GUARD_NAME}={self._token}"],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=self._environment(),
                start_new_session=True,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        pipe = _Pipe(ours)
        self._pipe = weakref.ref(pipe)
        self._gone.clear()
        self._began = asyncio.get_running_loop().time()
        self._watch_exit(pipe)
        for pid, what in self._watched.items():
            self._send(f"{pid} {what}\n")

    @staticmethod
    def _environment() -> dict[str, str]:
        """The program goes with it: its file may be another when it is needed."""
        env = {_PROGRAM: Path(__file__).with_name("guard_program.py").read_text(encoding="utf-8")}
        env |= {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return env

    def _watch_exit(self, pipe: _Pipe) -> None:
        """The loop alone holds the pipe: when it is closed without us, the pipe is, too."""
        assert self._popen is not None
        try:
            self._pidfd = os.pidfd_open(self._popen.pid)
        except (AttributeError, OSError):  # not Linux, or no descriptor left
            asyncio.get_running_loop().call_later(_POLL, self._look_again, pipe)
        else:
            asyncio.get_running_loop().add_reader(self._pidfd, self._reap, pipe)

    def _look_again(self, pipe: _Pipe) -> None:
        popen = self._popen
        self._reap(pipe)
        if self._popen is popen:
            asyncio.get_running_loop().call_later(_POLL, self._look_again, pipe)

    def _reap(self, _: _Pipe) -> None:
        if self._popen is None or self._popen.poll() is None:
            return
        self._popen = None
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self._close_pipe()
        self._gone.set()
        if not self._closing:
            self._replace()

    def _replace(self) -> None:
        """Somebody has ended the helper."""
        if asyncio.get_running_loop().time() - self._began >= _SHORT:
            self._retry = _RETRY_FIRST
            self.start()
        else:
            _log.warning("the helper that ends processes when this program is killed has ended")
            self._try_later()

    def _try_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._retry, self._try_again)
        self._retry = min(self._retry * 2, _RETRY_LAST)

    def _try_again(self) -> None:
        self._timer = None
        self.start()

    # -- the pipe -------------------------------------------------------------------------------

    @property
    def _fd(self) -> int:
        """Our end; -1: there is none."""
        pipe = None if self._pipe is None else self._pipe()
        return -1 if pipe is None else pipe.fd

    def _send(self, line: str) -> None:
        if self._fd < 0:
            return  # who comes next is told of all
        self._unread += line.encode()
        if len(self._unread) > _MOST_UNREAD and self._popen is not None:
            self._popen.kill()
        elif not self._writing and self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._fd < 0:
            return
        try:
            del self._unread[: os.write(self._fd, self._unread)]
        except BlockingIOError:
            pass
        except OSError:  # it is dead: who comes next is told of all
            self._unread.clear()
        loop = asyncio.get_running_loop()
        if self._unread and not self._writing:
            self._writing = True
            loop.add_writer(self._fd, self._flush)
        elif not self._unread and self._writing:
            self._writing = False
            loop.remove_writer(self._fd)

    def _close_pipe(self) -> None:
        pipe = None if self._pipe is None else self._pipe()
        if pipe is not None and pipe.fd >= 0:
            if self._writing:
                self._writing = False
                asyncio.get_running_loop().remove_writer(pipe.fd)
            pipe.close()
        self._unread.clear()


class _Pipe:
    """Our end of the pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """The helper is to notice. May be repeated."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    __del__ = close


def _let_go(guard: weakref.ref[Guard]) -> None:
    """In a forked copy of this program: hold nothing open."""
    found = guard()
    pipe = None if found is None or found._pipe is None else found._pipe()
    if pipe is not None:
        with suppress(OSError):
            pipe.close()
