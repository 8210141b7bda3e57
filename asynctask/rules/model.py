"""Rules as plain data: what is watched, what is run when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from asynctask.errors import UsageError
from asynctask.nodes import Template
from asynctask.rules.limits import Rate
from asynctask.rules.quoting import check_places

__all__ = ("OF_ALL", "OF_ONE", "Rule", "Rules", "StdinForm", "Watched")

#: What stands for data of one event in a command.
OF_ONE = frozenset({"event", "name", "path", "topic", "url"})
#: What stands for something that a batch has, too.
OF_ALL = frozenset({"count", "rule"})

_PLACEHOLDER = re.compile(r"%(?:%|(\w+)|\{(\w+)\})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_RANKS = {"n", "rank"}

StdinForm = Literal["json", "paths", "urls"]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A poller: what is watched, and how."""

    name: str
    url: str = field(repr=False)  # it may have a password
    recurse: bool = False
    interval: float = 1.0
    debounce: float = 0.0
    existing: bool = False
    state: Path | None = None
    """Where it is kept what was handled; ``None``: a restart begins anew."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When something happens, run a command.

    Raises:
        UsageError: something in it can never work.
    """

    name: str
    when: tuple[str, ...]
    """Topics, or patterns of them."""
    run: str = field(repr=False)
    """For the shell of each node, with placeholders."""
    only: tuple[str, ...] = ()
    """Patterns of file names, one of which the entry's must match."""
    nodes: str | None = None
    """``None``: here, once."""
    worker: str | None = None
    fanout: int = 64
    timeout: float | None = None
    connect_timeout: float | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: StdinForm | None = None
    debounce: float = 0.0
    rate: Rate | None = None
    concurrency: int = 1
    queue: int = 1000
    """How many events may wait."""
    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """What becomes of an event for which there is no room. A poller waits instead."""
    retries: int = 0
    retry_delay: float = 1.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"name: letters, digits, _ and -, for it is part of a topic, not {self.name!r}")
        if min(self.concurrency, self.queue, self.fanout) < 1 or min(self.retries, self.retry_delay) < 0:
            raise UsageError(
                "concurrency, queue and fanout are 1 or more, retries and retry_delay not below 0"
            )
        if not self.run.strip():
            raise UsageError("run: no command to run")
        if self.worker is not None and self.nodes is None and self.worker != "exec":
            raise UsageError(f"worker: {self.worker} needs nodes")
        _ = self.placeholders

    @cached_property
    def placeholders(self) -> frozenset[str]:
        """The event data that the command names."""
        return check_places(self.run, OF_ONE, OF_ALL)

    @cached_property
    def batches(self) -> bool:
        """Whether one run is for many events: it collects, and its command names nothing of one event."""
        return self.debounce > 0 and not self.placeholders & OF_ONE

    @cached_property
    def placed(self) -> str:
        """The command with ``%{place}`` for ``%n``: the place of a node is the same in further attempts."""
        return _PLACEHOLDER.sub(
            lambda found: "%{place}" if (found[1] or found[2]) in _RANKS else found[0], self.run
        )

    def shown(self, node: str, rank: int, values: Mapping[str, str]) -> str:
        """The command as the shell of a node gets it."""
        return Template(self.run, OF_ONE | OF_ALL).render(node, rank, values=values)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All of it."""

    pollers: tuple[Watched, ...] = ()
    rules: tuple[Rule, ...] = ()
    dead_letters: Path | None = None
    """Where it is written what failed in the end; ``None``: in the log alone."""
