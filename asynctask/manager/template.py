"""Process templates: what is to be run, how often, and what is done when it ends.

Whatever can be known to be wrong is refused when a template is made, with a :class:`TemplateError`. A
template keeps copies of what it was made from, and cannot be changed: ``dataclasses.replace`` makes another.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from asynctask.errors import UsageError
from asynctask.manager import checks
from asynctask.manager.checks import FieldError
from asynctask.manager.signals import signal_number
from asynctask.manager.words import Word, split, word

__all__ = (
    "Backoff",
    "Flapping",
    "Liveness",
    "LogFile",
    "ProcessTemplate",
    "Readiness",
    "Redirect",
    "RestartPolicy",
)

RestartPolicy: TypeAlias = Literal["always", "unexpected", "never"]

_PLACEHOLDERS = ("name", "index", "node", "stream")
_PLACEHOLDER = re.compile(r"%\((\w*)\)")
_MOST_PROCESSES = 10_000
_MOST_STREAMS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long is waited before the next try after a start that failed.

    A start has failed when nothing could be executed, or the process ended before it was ready. The n-th
    failure in a row is followed by ``initial * factor ** (n - 1)`` seconds, ``maximum`` at most, longer or
    shorter by up to ``jitter`` of that, so that many do not come back at the same moment.
    """

    initial: float = 1.0
    """Seconds after the first failure."""
    factor: float = 2.0
    maximum: float = 60.0
    """Seconds at most."""
    jitter: float = 0.1
    """A share, from 0 to 1."""
    attempts: int | None = 5
    """So many failures in a row are fatal; ``None``: it is tried for ever."""

    def __post_init__(self) -> None:
        checks.seconds(("backoff", "initial"), self.initial)
        checks.number(("backoff", "factor"), self.factor, 1)
        checks.seconds(("backoff", "maximum"), self.maximum)
        checks.number(("backoff", "jitter"), self.jitter, 0, 1)
        if self.attempts is not None:
            checks.whole(("backoff", "attempts"), self.attempts, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """When a process that was ready ends too often: what is done then. Names and sense are gaffer's.

    Each end counts that is followed by a start, whether its exit was expected or not.
    """

    attempts: int = 5
    """So many ends..."""
    window: float = 10.0
    """...within so many seconds are flapping."""
    retry_in: float = 7.0
    """Seconds until it is started again; with the jitter of the back-off."""
    max_retry: int | None = 5
    """Flapping once more than so often, with no quiet ``window`` after a retry, is fatal; ``None``: never."""

    def __post_init__(self) -> None:
        checks.whole(("flapping", "attempts"), self.attempts, 1)
        checks.seconds(("flapping", "window"), self.window, more_than_0=True)
        checks.seconds(("flapping", "retry_in"), self.retry_in)
        if self.max_retry is not None:
            checks.whole(("flapping", "max_retry"), self.max_retry, 0)


def _check_probe(name: str, tcp: object, command: object) -> tuple[Any, Any]:
    """What is looked at, as it is kept."""
    if tcp is not None and command is not None:
        raise FieldError((name,), "tcp and command are given: one of them is enough")
    return (
        None if tcp is None else checks.probe_address((name, "tcp"), tcp),
        None if command is None else checks.probe((name, "command"), command),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """When a process that was started counts as running. Without any of these it does at once.

    At most one of ``line``, ``tcp`` and ``command`` is given; ``seconds`` may be given besides.
    """

    seconds: float = 0.0
    """It has lived for so long."""
    line: str | None = None
    """A regular expression that is found in a line of its output."""
    tcp: str | None = None
    """``"port"`` or ``"host:port"`` takes a connection; the host is by default this one, or the node.
    ``$PORT`` is the port of the process itself, see ``ProcessTemplate.port``."""
    command: str | Sequence[str] | None = None
    """Exits with 0; run where the process runs, without a shell if it is a sequence."""
    interval: float = 0.5
    """Seconds between two looks."""
    timeout: float = 60.0
    """Seconds after which a start has failed."""

    def __post_init__(self) -> None:
        checks.seconds(("readiness", "seconds"), self.seconds)
        checks.seconds(("readiness", "interval"), self.interval, more_than_0=True)
        checks.seconds(("readiness", "timeout"), self.timeout, more_than_0=True)
        tcp, command = _check_probe("readiness", self.tcp, self.command)
        object.__setattr__(self, "tcp", tcp)
        object.__setattr__(self, "command", command)
        if self.line is not None:
            checks.pattern(("readiness", "line"), self.line)
            if tcp or command:
                other = "tcp" if tcp else "command"
                raise FieldError(("readiness",), f"line and {other} are given: one of them is enough")


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """A look at a running process; when it fails, the process is stopped and started again.

    Exactly one of ``tcp`` and ``command`` is given; see :class:`Readiness`.
    """

    tcp: str | None = None
    command: str | Sequence[str] | None = None
    interval: float = 10.0
    """Seconds between two looks."""
    timeout: float = 5.0
    """Seconds that one look may take."""
    failures: int = 3
    """So many in a row are needed."""

    def __post_init__(self) -> None:
        checks.seconds(("liveness", "interval"), self.interval, more_than_0=True)
        checks.seconds(("liveness", "timeout"), self.timeout, more_than_0=True)
        checks.whole(("liveness", "failures"), self.failures, 1)
        tcp, command = _check_probe("liveness", self.tcp, self.command)
        object.__setattr__(self, "tcp", tcp)
        object.__setattr__(self, "command", command)
        if not tcp and not command:
            raise FieldError(("liveness",), "tcp or command is needed: how is it looked at?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file that takes the output of a stream, byte for byte. Directories are made when they are missing."""

    path: str
    """``%(name)s``, ``%(index)s``, ``%(node)s`` and ``%(stream)s`` are replaced; relative to ``cwd``."""
    max_bytes: int = 50 * 1024 * 1024
    """It is rotated before it becomes larger; 0: never."""
    backups: int = 10
    """How many earlier files are kept: ``path.1`` is the youngest."""
    max_age: float | None = None
    """It is rotated when it is so many seconds old."""

    def __post_init__(self) -> None:
        path = checks.text(("log", "path"), self.path)
        if path.endswith("/"):
            raise FieldError(("log", "path"), "this is a directory, and a file is needed", path)
        for found in _PLACEHOLDER.finditer(path):
            if found[1] not in _PLACEHOLDERS or not path.startswith("s", found.end()):
                known = ", ".join(f"%({each})s" for each in _PLACEHOLDERS)
                raise FieldError(("log", "path"), f"%( begins one of {known}", path)
        checks.whole(("log", "max_bytes"), self.max_bytes, 0)
        checks.whole(("log", "backups"), self.backups, 0)
        if self.max_age is not None:
            checks.seconds(("log", "max_age"), self.max_age, more_than_0=True)


#: Where output goes besides readers and events: nowhere, where the manager's own goes, into a file, into
#: standard output ("stdout", for standard error alone); ``"null"``: it is not even read.
Redirect: TypeAlias = Literal["pipe", "null", "inherit", "stdout"] | LogFile


@dataclass(frozen=True, slots=True)
class ProcessTemplate:
    """How to run processes, and to keep them running.

    Raises:
        TemplateError: something in it can never work; the message has the field, and what to do.
    """

    name: str
    """Letters, digits, ``_`` and ``-``."""
    command: str | Sequence[str]
    """What to run. A string is split as a shell would, and run without one unless ``shell`` is true. Without
    a shell ``$NAME`` and ``${NAME}`` are replaced, but not in single quotes; ``$$`` is a dollar sign."""
    _: KW_ONLY
    args: Sequence[str] = ()
    """More arguments; under a shell they are ``$1`` and so on. ``$NAME`` and ``${NAME}`` are replaced."""
    shell: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """Its environment; besides, ``ASYNCTASK_NAME`` and ``ASYNCTASK_INDEX`` are set."""
    inherit_env: bool = True
    """It has the manager's environment, too; ``env`` comes first."""
    port: int | None = None
    """``PORT`` is set to this and the process's index, so that each has its own."""
    cwd: str | None = None
    user: str | int | None = None
    group: str | int | None = None
    umask: int | None = None
    rlimits: Mapping[str, int | tuple[int, int]] = field(default_factory=dict, hash=False)
    """As ``{"nofile": 4096}``, or soft and hard; -1: no limit."""
    nodes: str | None = None
    """A node set; without, it runs on this machine."""
    numprocesses: int = 1
    """How many; on each node."""
    stdout: Redirect = "pipe"
    stderr: Redirect = "pipe"
    stdin: bool = False
    """It has an input, to which ``Manager.send`` writes; else it finds the end at once."""
    custom_streams: Sequence[str] = ()
    """Names of more streams: descriptors 3 and up, which it may read and write."""
    order: int = 0
    """Lower ones start first, and are ready before the next start; stopping goes the other way."""
    autostart: bool = True
    stop_signal: str | int = "TERM"
    graceful_timeout: float = 10.0
    """Seconds between the stop signal and KILL."""
    restart: RestartPolicy = "always"
    exit_codes: frozenset[int] = frozenset({0})
    """The exit codes that are expected; a signal never is."""
    backoff: Backoff = Backoff()
    flapping: Flapping | None = Flapping()
    readiness: Readiness = Readiness()
    liveness: Liveness | None = None
    max_age: float | None = None
    """Seconds after which a process is replaced, each a little (up to 10 %) later than that."""
    detach: bool = False
    """It outlives the manager, and the next one finds it again."""
    lost_timeout: float = 300.0
    """On nodes: seconds that a process goes on when nobody is connected; not for one that is detached."""

    def __post_init__(self) -> None:
        where = f"template {self.name!r}" if isinstance(self.name, str) else "template"
        try:
            self._check_what()
            self._check_place()
            self._check_streams()
            self._check_course()
            self._check_probes()
        except FieldError as exc:
            raise exc.inside(where, *exc.path, instead=len(exc.path)) from None

    def _keep(self, name: str, check: Callable[..., object], *more: Any) -> None:
        """Put the value in place that a check returns; ``None`` stays where it is the default."""
        value = getattr(self, name)
        if value is not None or name not in _OPTIONAL:
            object.__setattr__(self, name, check((name,), value, *more))

    def _check_what(self) -> None:
        self._keep("name", checks.name)
        self._keep("shell", checks.flag)
        self._keep("command", _command, self.shell)
        self._keep("args", _args)
        self._keep("env", checks.environment)
        self._keep("inherit_env", checks.flag)
        self._keep("port", checks.whole, 1, 65535)
        if self.port is not None and "PORT" in self.env:
            raise FieldError(("port",), "env has PORT, too: give one of them")

    def _check_place(self) -> None:
        for name in ("cwd", "nodes"):
            self._keep(name, checks.text)
        for name in ("user", "group"):
            self._keep(name, _account)
        self._keep("umask", checks.whole, 0, 0o777)
        self._keep("rlimits", checks.limits)
        self._keep("numprocesses", checks.whole, 0, _MOST_PROCESSES)
        if self.port is not None:
            checks.whole(("port",), self.port, 1, 65536 - max(1, self.numprocesses))

    def _check_streams(self) -> None:
        self._keep("stdout", _redirect, ("pipe", "null", "inherit"))
        self._keep("stderr", _redirect, ("pipe", "null", "inherit", "stdout"))
        self._keep("stdin", checks.flag)
        self._keep("custom_streams", _streams)

    def _check_course(self) -> None:
        self._keep("order", checks.whole)
        for name in ("autostart", "detach"):
            self._keep(name, checks.flag)
        self._keep("stop_signal", _signal)
        self._keep("graceful_timeout", checks.seconds)
        self._keep("lost_timeout", checks.seconds)
        self._keep("restart", checks.choice, get_args(RestartPolicy))
        self._keep("exit_codes", _exit_codes)
        for name, kind in _TABLES.items():
            self._keep(name, _instance, kind)
        if self.max_age is not None:
            checks.seconds(("max_age",), self.max_age, more_than_0=True)
        if self.detach and self.nodes is None:
            for name in ("stdin", "custom_streams"):
                if getattr(self, name):
                    raise FieldError((name,), "it would not outlive the manager, and the process is detached")

    def _check_probes(self) -> None:
        """Whether what is looked at can ever be there."""
        for name, probe in (("readiness", self.readiness), ("liveness", self.liveness)):
            tcp = None if probe is None else probe.tcp
            if tcp is not None and tcp.endswith(checks.OWN_PORT) and self.port is None:
                raise FieldError((name, "tcp"), "it needs the template's port, which is not given", tcp)
        if self.readiness.line is None:
            return
        if self.detach and self.nodes is None:
            reason = "its output goes past the manager when detached: use tcp, command or seconds"
            raise FieldError(("readiness", "line"), reason)
        if self.stdout == "null" and self.stderr in ("null", "stdout") and not self.custom_streams:
            raise FieldError(("readiness", "line"), "nothing that it prints is read: stdout is null")


_OPTIONAL = frozenset({"port", "cwd", "nodes", "user", "group", "umask", "flapping", "liveness"})
_TABLES = {"backoff": Backoff, "flapping": Flapping, "readiness": Readiness, "liveness": Liveness}


def _command(path: Sequence[str], value: object, shell: bool) -> str | tuple[str, ...]:
    if isinstance(value, str):
        command = checks.text(path, value)
        if not shell:
            _check_words(path, lambda: _with_program(split(command)))
        return command
    words = checks.texts(path, value)
    if shell:
        raise FieldError(path, "a shell takes one text; more words belong into args")
    _check_words(path, lambda: _with_program([word(each) for each in words]))
    return words


def _with_program(words: Sequence[Word]) -> None:
    if not words or words[0] == ("",):
        raise UsageError("it is empty")


def _args(path: Sequence[str], value: object) -> tuple[str, ...]:
    words = checks.texts(path, value)
    _check_words(path, lambda: [word(each) for each in words])
    return words


def _check_words(path: Sequence[str], reading: Callable[[], object]) -> None:
    try:
        reading()
    except UsageError as exc:
        raise FieldError(path, str(exc)) from exc


def _account(path: Sequence[str], value: object) -> str | int:
    return checks.text(path, value) if isinstance(value, str) else checks.whole(path, value, 0)


def _redirect(path: Sequence[str], value: object, choices: Sequence[str]) -> str | LogFile:
    if isinstance(value, LogFile):
        return value
    if isinstance(value, str) and value not in choices:
        reason = f"{', '.join(choices)} or a LogFile is needed{checks.nearest(value, choices)}"
        raise FieldError(path, reason, value)
    return checks.choice(path, value, choices)


def _streams(path: Sequence[str], value: object) -> tuple[str, ...]:
    names = checks.texts(path, value)
    for each in names:
        checks.name(path, each)
        if each in {"stdin", "stdout", "stderr"}:
            raise FieldError(path, "there is a stream of this name in any case", each)
        if names.count(each) > 1:
            raise FieldError(path, "two streams have this name", each)
    if len(names) > _MOST_STREAMS:
        raise FieldError(path, f"there are {_MOST_STREAMS} at most")
    return names


def _signal(path: Sequence[str], value: object) -> str | int:
    """Its name if it has one: the same signal is written in one way."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise checks.needed(path, "the name or number of a signal", value)
    try:
        found = signal_number(value)
        return signal.Signals(found).name.removeprefix("SIG")
    except UsageError:
        known = [each.name.removeprefix("SIG") for each in signal.Signals]
        wrong = str(value).upper().removeprefix("SIG")
        raise FieldError(
            path, f"no such signal{checks.nearest(wrong, known)}; kill -l lists them", value
        ) from None
    except ValueError:  # a real-time signal
        return found


def _exit_codes(path: Sequence[str], value: object) -> frozenset[int]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise checks.needed(path, "a list of exit codes", value)
    return frozenset(checks.whole(path, each, 0, 255) for each in value)


def _instance(path: Sequence[str], value: object, kind: type) -> object:
    if not isinstance(value, kind):
        raise checks.needed(path, kind.__name__, value)
    return value
