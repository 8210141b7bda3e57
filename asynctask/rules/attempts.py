"""Runs a rule's command: once, and again on the nodes where it failed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import anyio

from asynctask.errors import HandlerErrors, UsageError
from asynctask.outcome import NodeResult
from asynctask.results import Result
from asynctask.rules.happening import Happening, environment, stdin_of, values
from asynctask.rules.limits import pauses
from asynctask.rules.model import Rule
from asynctask.task import Task
from asynctask.workers.arguments import NodeArgs
from asynctask.workers.base import Worker
from asynctask.workers.registry import worker_class

if TYPE_CHECKING:
    from asynctask.emitter import EventEmitter
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Attempts", "Carrier", "Done", "Tail")

_log = logging.getLogger(__name__)

#: How much of what a node printed last is kept, in bytes.
_LAST = 4096


#: Called with each worker before it runs.
OnWorker: TypeAlias = Callable[[Worker], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it in the end."""

    attempts: int
    reason: str = ""
    """Why it failed, in words; empty if it did not."""
    failed: Sequence[NodeResult] = ()
    output: dict[str, bytes] = field(default_factory=dict)
    """The last of what each node that failed printed."""

    @property
    def ok(self) -> bool:
        """Whether it went well, on all nodes."""
        return not self.reason


class Tail:
    """A handler that keeps the last of what each node prints."""

    def __init__(self) -> None:
        self.output: dict[str, bytes] = {}

    def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        text = self.output.get(node, b"") + b"\n".join(line[-_LAST:] for line in lines) + b"\n"
        self.output[node] = text[-_LAST:]


class Carrier(Protocol):
    """What an engine has commands run by."""

    async def carry_out(
        self, rule: Rule, nodes: Sequence[str], batch: Sequence[Happening], on_worker: OnWorker = ..., /
    ) -> Done:
        """Do what the rule says for a batch."""

    def active_nodes(self) -> list[str]:
        """Where commands run now."""

    def kill(self) -> None:
        """What is being stopped gets no more grace."""


class Attempts:
    """Runs commands of rules.

    Args:
        emitter: where what their tasks do is published, as ``task.<rule>.<event>``.
        pool: whose connections are used.
        ssh: how to connect.
        handler: hears of all of them, beside the emitter: it shows what they print.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        pool: ConnectionPool | None = None,
        ssh: SSHOptions | None = None,
        handler: object = None,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._emitter = emitter
        self._pool = pool
        self._ssh = ssh
        self._handlers = () if handler is None else (handler,)
        self._sleep = sleep
        self._active: set[Task] = set()

    def active_nodes(self) -> list[str]:
        """Where commands run now."""
        return [node for task in self._active for node in task.active_nodes()]

    def kill(self) -> None:
        """What is being stopped gets no more grace."""
        for task in self._active:
            task.abort(kill=True)

    async def carry_out(
        self,
        rule: Rule,
        nodes: Sequence[str],
        batch: Sequence[Happening],
        on_worker: OnWorker = lambda _: None,
    ) -> Done:
        """Run the rule's command for a batch, with as many more attempts as the rule allows.

        Args:
            rule: whose command.
            nodes: where; none: here.
            batch: what has happened.
            on_worker: called with each worker before it runs.

        Cancelling stops the command on all nodes and waits until it is gone.
        """
        tail = Tail()
        left = tuple(nodes)
        failed: list[NodeResult] = []
        attempts = 0
        try:
            settings = self._settings(rule, nodes, batch, tail)
            for pause in pauses(rule.retry_delay):
                attempts += 1
                tail.output.clear()  # the last attempt is the one that counts
                result = await self._attempt(rule, left, settings, on_worker)
                failed = [each for each in result.all() if not each.ok]
                if not failed:
                    return Done(attempts=attempts)
                if attempts > rule.retries:
                    break
                left = tuple(each.node for each in failed) if nodes else ()
                await self._sleep(pause)
        except UsageError as exc:  # what cannot be known before there are an event's data
            return Done(attempts=attempts, reason=str(exc))
        output = {each.node: tail.output[each.node] for each in failed if each.node in tail.output}
        return Done(attempts=attempts, reason=_told(failed), failed=failed, output=output)

    def _settings(
        self, rule: Rule, nodes: Sequence[str], batch: Sequence[Happening], tail: Tail
    ) -> dict[str, Any]:
        data = values(rule, batch)
        places = {node: str(place) for place, node in enumerate(nodes)}
        settings: dict[str, Any] = {
            "args": lambda node: NodeArgs(values={**data, "place": places.get(node, "0")}),
            "env": environment(rule, batch),
            "handler": (*self._handlers, tail),
            "timeout": rule.timeout,
            "stdin": stdin_of(rule, batch),
            "stderr": True,
            "gather": False,
        }
        if rule.connect_timeout is not None:
            settings["connect_timeout"] = rule.connect_timeout
        if rule.nodes is not None:
            settings["worker"] = rule.worker or "ssh"
            if self._ssh is not None and worker_class(settings["worker"]).remote:
                settings["ssh"] = self._ssh
        return settings

    async def _attempt(
        self,
        rule: Rule,
        nodes: Sequence[str],
        settings: dict[str, Any],
        on_worker: OnWorker,
    ) -> Result:
        where: dict[str, Any] = {"nodes": nodes} if nodes else {"key": rule.name}
        async with Task(fanout=rule.fanout, pool=self._pool) as task:
            on_worker(task.shell(rule.placed, **where, **settings))
            task.publish_to(self._emitter, rule.name)
            with self._running(task):
                try:
                    return await task.run()
                except HandlerErrors as exc:  # no reason to run the command again
                    _log.error("rule %s: handlers raised: %s", rule.name, exc.exceptions)
                    return exc.result

    @contextmanager
    def _running(self, task: Task) -> Iterator[None]:
        self._active.add(task)
        try:
            yield
        finally:
            self._active.discard(task)


def _told(failed: Sequence[NodeResult]) -> str:
    """Who failed how, of the first few."""
    texts = [f"{each.node}: {each.describe()}" for each in failed[:3]]
    if len(failed) > len(texts):
        texts.append(f"and {len(failed) - len(texts)} more")
    return "; ".join(texts)
