"""What a task may do when: its states, and which may follow which."""

from __future__ import annotations

import enum

from asynctask.errors import TaskStateError

__all__ = ("TRANSITIONS", "Life", "TaskState")


class TaskState(enum.Enum):
    """What a task is doing."""

    IDLE = "idle"
    """Nothing runs; workers can be scheduled."""
    RUNNING = "running"
    """A run goes on; workers can be added to it."""
    SUSPENDED = "suspended"
    """A run holds still: commands go on, nothing is read from them and no event is delivered."""
    STOPPING = "stopping"
    """A run was aborted, cancelled or out of time, and is not over yet."""
    CLOSED = "closed"
    """Its block was left; it cannot be used again."""


#: What may follow what. Anything else raises and changes nothing.
TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    TaskState.IDLE: frozenset({TaskState.RUNNING, TaskState.CLOSED}),
    TaskState.RUNNING: frozenset({TaskState.SUSPENDED, TaskState.STOPPING, TaskState.IDLE}),
    TaskState.SUSPENDED: frozenset({TaskState.RUNNING, TaskState.STOPPING}),
    TaskState.STOPPING: frozenset({TaskState.IDLE}),
    TaskState.CLOSED: frozenset(),
}

#: In which states a task takes workers, timers and ports.
_OPEN = frozenset({TaskState.IDLE, TaskState.RUNNING, TaskState.SUSPENDED})


class Life:
    """The state of one task; it changes here and nowhere else."""

    def __init__(self) -> None:
        self.state = TaskState.IDLE

    def move(self, to: TaskState) -> None:
        """Change the state.

        Raises:
            TaskStateError: that state cannot follow this one.
        """
        self.check(to)
        self.state = to

    def begin(self) -> None:
        """Begin a run.

        Raises:
            TaskStateError: the task is not idle.
        """
        self.check_begin()
        self.move(TaskState.RUNNING)

    def check_begin(self) -> None:
        """Raise what :meth:`begin` would."""
        if self.state is TaskState.SUSPENDED:
            raise TaskStateError("the task is suspended: resume() goes on with its run")
        if self.state is TaskState.RUNNING:
            raise TaskStateError("the task is running already: wait for that run first")
        self.check(TaskState.RUNNING)

    def check(self, to: TaskState) -> None:
        """Raise what :meth:`move` would."""
        if to not in TRANSITIONS[self.state]:
            raise TaskStateError(f"the task is {self.state.value}: it cannot become {to.value}")

    def check_open(self, what: str) -> None:
        """Refuse more work in a task that is about to end.

        Raises:
            TaskStateError: the task is stopping or closed.
        """
        if self.state not in _OPEN:
            raise TaskStateError(f"the task is {self.state.value}: it takes no more {what}")
