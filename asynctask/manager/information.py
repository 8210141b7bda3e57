"""What a manager tells of its templates and processes: plain data, as it was at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from asynctask.manager.launching import Exit, Usage
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate

__all__ = ("ManagerInfo", "OutputLine", "ProcessInfo", "ProcessStats", "TemplateInfo", "TemplateStats")


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One place of a template, and the process in it; or one that is run once."""

    name: str
    """Of its template."""
    index: int | None
    """Its place among those of its template on its node; ``None``: it is run once."""
    node: str | None
    state: ProcessState
    pid: int | None
    """The manager's number; ``None``: no process."""
    os_pid: int | None
    started: float | None
    """When the process was started, as ``time.time()`` has it."""
    uptime: float | None
    """Seconds since then."""
    restarts: int
    """How often a process was started here after the first."""
    connected: bool
    """False while the connection to its node is lost."""
    last_exit: Exit | None
    """How the one before ended."""
    reason: str | None
    """Why it is in back-off or fatal."""
    retry_in: float | None
    """Seconds until it is started again, in back-off."""


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """A template and its processes."""

    template: ProcessTemplate
    numprocesses: int
    """How many there are to be, on each node."""
    wanted: bool
    """Whether it was started, and not stopped since."""
    processes: tuple[ProcessInfo, ...]

    @property
    def name(self) -> str:
        """The template's."""
        return self.template.name

    @property
    def active(self) -> int:
        """How many processes are running."""
        return sum(each.state is ProcessState.RUNNING for each in self.processes)


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """What one process takes."""

    name: str
    pid: int
    os_pid: int | None
    index: int | None
    node: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class TemplateStats:
    """What the processes of a template take."""

    name: str
    processes: tuple[ProcessStats, ...]

    @property
    def cpu(self) -> float:
        """Per cent of one core, all together."""
        return sum(each.usage.cpu for each in self.processes)

    @property
    def memory(self) -> int:
        """Bytes, all together."""
        return sum(each.usage.memory for each in self.processes)


@dataclass(frozen=True, slots=True)
class ManagerInfo:
    """A manager."""

    name: str
    started: float
    """As ``time.time()`` has it."""
    templates: int
    processes: int
    """Those that are running."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that a process printed."""

    name: str
    pid: int
    index: int | None
    node: str | None
    stream: str
    line: bytes
    """Without its end."""
    time: float
    """As ``time.time()`` has it."""
