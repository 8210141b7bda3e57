"""ClusterShell's ``default`` and ``info`` dictionaries: its names for what a task is told.

What has an effect here is not kept twice: such a key reads and writes the setting that it names. The others
are kept for the program: any key in ``info``, and in ``default`` those that begin with ``USER_``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from asynctask.errors import UsageError
from asynctask.port import DEFAULT_QLIMIT, check_qlimit
from asynctask.ssh.options import SSHOptions
from asynctask.workers.base import Worker, check_seconds
from asynctask.workers.registry import worker_class

__all__ = ("Parameters",)

_log = logging.getLogger(__name__)

_ENGINES = ("auto", "epoll", "poll", "select")
_FREE = "USER_"
#: Infos of ClusterShell that a script may rely on, and why it cannot here.
_WITHOUT_EFFECT = {
    "scp_user": "copies log in as info 'ssh_user' says, or ~/.ssh/config",
    **{
        f"{program}_{what}": "copies go by SFTP and start no scp; use asynctask.SSHOptions or ~/.ssh/config"
        for program in ("scp", "rcp", "pdcp", "rpdcp")
        for what in ("path", "options", "user")
        if (program, what) != ("scp", "user")
    },
    **{
        f"{program}_{what}": f"no {program} is started; use asynctask.SSHOptions or ~/.ssh/config"
        for program in ("rsh", "pdsh")
        for what in ("path", "options", "user")
    },
}
_ONLY_OPENSSH = "'ssh' starts no program; for it use asynctask.SSHOptions or ~/.ssh/config"
#: Those that count for one worker: for the others there is no such program.
_OF_OPENSSH = ("ssh_path", "ssh_options")


class _Key(NamedTuple):
    read: Callable[[], Any]
    write: Callable[[Any], None]


class Parameters:
    """Both dictionaries of a task.

    Args:
        settings: the task's settings for its workers; read and written.
        read_fanout: tells the task's fanout.
        write_fanout: changes it.
    """

    def __init__(
        self, settings: dict[str, Any], read_fanout: Callable[[], int], write_fanout: Callable[[int], None]
    ) -> None:
        self.port_qlimit = DEFAULT_QLIMIT
        self.stdin = False
        self._local: str | type[Worker] = "exec"  # its class is loaded when it is asked for
        self.debug = False
        self.print_debug: Callable[[Any, str], object] = _print_debug
        self._settings = settings
        self._engine = "auto"
        self._user: dict[str, Any] = {}
        self._info: dict[str, Any] = {"grooming_delay": 0.25}
        self._defaults = {
            "stderr": _Key(lambda: settings["stderr"], self._set_stderr),
            "stdin": _Key(lambda: self.stdin, self._set_stdin),
            "stdout_msgtree": _Key(lambda: settings["gather"] in (True, "stdout"), self._gather_stdout),
            "stderr_msgtree": _Key(lambda: settings["gather"] in (True, "stderr"), self._gather_stderr),
            "engine": _Key(lambda: self._engine, self._set_engine),
            "port_qlimit": _Key(lambda: self.port_qlimit, self._set_qlimit),
            "auto_tree": _Key(lambda: self._user.get("auto_tree", False), self._set_auto_tree),
            "local_workername": _Key(lambda: self.local_worker().name, self._set_local),
            "local_worker": _Key(self.local_worker, self._set_local),
            "distant_workername": _Key(lambda: self._distant().name, self._set_distant),
            "distant_worker": _Key(self._distant, self._set_distant),
        }
        self._infos = {
            "fanout": _Key(read_fanout, write_fanout),
            "connect_timeout": _Key(lambda: settings["connect_timeout"], self._set_connect_timeout),
            "command_timeout": _Key(lambda: settings["timeout"] or 0, self._set_command_timeout),
            "ssh_user": _Key(lambda: settings["ssh"] and settings["ssh"].user, self._set_ssh_user),
            "debug": _Key(lambda: self.debug, self._set_debug),
            "print_debug": _Key(lambda: self.print_debug, self._set_print_debug),
            "engine": _Key(_loop_name, self._refuse_engine),
        }

    # -- the two dictionaries -------------------------------------------------------------------

    def default(self, key: str, def_val: Any = None) -> Any:
        """The value of a default; ``def_val`` for a key that was not set."""
        if key in self._defaults:
            return self._defaults[key].read()
        return self._user.get(key, def_val)

    def set_default(self, key: str, value: Any) -> None:
        """Set a default.

        Raises:
            UsageError: there is no such key, and it does not begin with ``USER_``; or the value does not fit.
        """
        if key in self._defaults:
            self._defaults[key].write(value)
        elif isinstance(key, str) and key.startswith(_FREE):
            self._user[key] = value
        else:
            known = ", ".join(self._defaults)
            raise UsageError(f"unknown default {key!r}: one of {known}, or a name that begins with {_FREE}")

    def info(self, key: str, def_val: Any = None) -> Any:
        """The value of an info; ``def_val`` for a key that was not set."""
        if key in self._infos:
            value = self._infos[key].read()
            return def_val if value is None else value
        return self._info.get(key, def_val)

    def set_info(self, key: str, value: Any) -> None:
        """Set an info.

        Raises:
            UsageError: the value does not fit the key.
        """
        if key in self._infos:
            self._infos[key].write(value)
            return
        if key in _OF_OPENSSH:
            _check_words(key, value)
            if not _starts_ssh(self._distant()):
                _log.warning("info %r has an effect on the worker 'openssh' alone: %s", key, _ONLY_OPENSSH)
        elif key in _WITHOUT_EFFECT:
            _log.warning("info %r has no effect: %s", key, _WITHOUT_EFFECT[key])
        self._info[key] = value

    def program_options(self, worker: str | type[Worker] | None) -> dict[str, Any]:
        """What the infos say to a worker of nodes, the task's if ``None``, that starts the system's ``ssh``.

        Nothing to all others.
        """
        given = {key: self._info[key] for key in _OF_OPENSSH if self._info.get(key)}
        if not given or not _starts_ssh(self._distant() if worker is None else worker_class(worker)):
            return {}
        options: dict[str, Any] = {"ssh_options": _words(given.get("ssh_options", ""))}
        if "ssh_path" in given:
            options["ssh_path"] = _words(given["ssh_path"])[0]
        return options

    def local_worker(self) -> type[Worker]:
        """The class for commands without nodes."""
        return worker_class(self._local)

    # -- how the keys are written ---------------------------------------------------------------

    def _set_stderr(self, value: object) -> None:
        self._settings["stderr"] = _flag("stderr", value)

    def _set_stdin(self, value: object) -> None:
        self.stdin = _flag("stdin", value)

    def _set_auto_tree(self, value: object) -> None:
        self._user["auto_tree"] = _flag("auto_tree", value)

    def _gather_stdout(self, value: object) -> None:
        self._gather(_flag("stdout_msgtree", value), self.default("stderr_msgtree"))

    def _gather_stderr(self, value: object) -> None:
        self._gather(self.default("stdout_msgtree"), _flag("stderr_msgtree", value))

    def _gather(self, out: bool, err: bool) -> None:
        self._settings["gather"] = "stdout" if out and not err else "stderr" if err and not out else out

    def _set_engine(self, value: object) -> None:
        if value not in _ENGINES:
            raise UsageError(f"engine={value!r}: one of {', '.join(_ENGINES)}; it is the asyncio loop")
        self._engine = str(value)

    def _refuse_engine(self, value: object) -> None:
        raise UsageError("info 'engine' tells what runs the task, and cannot be set: it is the asyncio loop")

    def _set_qlimit(self, value: int) -> None:
        check_qlimit(value)
        self.port_qlimit = value

    def _set_local(self, value: str | type[Worker]) -> None:
        found = worker_class(value)
        if found.remote:
            raise UsageError(f"the local worker cannot be {found.name!r}, which goes over the network")
        self._local = value

    def _set_distant(self, value: str | type[Worker]) -> None:
        worker_class(value)
        self._settings["worker"] = value

    def _distant(self) -> type[Worker]:
        return worker_class(self._settings.get("worker") or "ssh")

    def _set_connect_timeout(self, value: float | None) -> None:
        check_seconds("connect_timeout", value)
        self._settings["connect_timeout"] = value or None  # ClusterShell: 0 is no limit

    def _set_command_timeout(self, value: float | None) -> None:
        check_seconds("command_timeout", value)
        self._settings["timeout"] = value or None  # ClusterShell: 0 is no limit

    def _set_ssh_user(self, value: str | None) -> None:
        if value is not None and (not isinstance(value, str) or not value):
            raise UsageError(f"ssh_user={value!r}: a name, or None for the configured one")
        self._settings["ssh"] = replace(self._settings["ssh"] or SSHOptions(), user=value)

    def _set_debug(self, value: object) -> None:
        self.debug = _flag("debug", value)

    def _set_print_debug(self, value: Callable[[Any, str], object]) -> None:
        if not callable(value):
            raise UsageError(f"print_debug={value!r}: a function of the task and a line of text")
        self.print_debug = value


def _starts_ssh(cls: type[Worker]) -> bool:
    return cls.remote and issubclass(cls, worker_class("openssh"))


def _check_words(key: str, value: object) -> None:
    if value is None:
        return
    try:
        words = _words(value) if isinstance(value, str) else None
    except ValueError:  # a quote that is not closed
        words = None
    if words is None:
        raise UsageError(f"{key}={value!r}: text of words as a shell has them, or None")
    if key == "ssh_path" and value and len(words) != 1:
        raise UsageError(f"ssh_path={value!r}: one program, without arguments; those go into ssh_options")


def _words(text: str) -> list[str]:
    return [os.path.expanduser(word) for word in shlex.split(text)]  # noqa: PTH111 - words, not paths


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{key}={value!r}: True or False")
    return value


def _print_debug(task: object, line: str) -> None:
    print(line)  # noqa: T201 - what ClusterShell's default does


def _loop_name() -> str | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return "uvloop" if type(loop).__module__.startswith("uvloop") else "asyncio"
