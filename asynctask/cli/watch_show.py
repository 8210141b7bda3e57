"""What ``asynctask watch`` prints itself: changes, commands that it does not run, what rules come to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from asynctask.cli.output.labels import Titles
from asynctask.cli.screen import Screen
from asynctask.cli.terminal import STDOUT, encoded, visible
from asynctask.errors import UsageError
from asynctask.nodes import expand
from asynctask.rules.attempts import Done
from asynctask.rules.checking import check_files, poller_of
from asynctask.rules.happening import Happening, UnfitError, values
from asynctask.rules.model import Rule, Rules
from asynctask.workers.registry import worker_class

__all__ = ("ChangePrinter", "CommandPrinter", "plan")


class _Printer:
    """Takes the place of what runs commands."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def active_nodes(self) -> list[str]:
        return []

    def kill(self) -> None:
        return

    async def _print(self, lines: Sequence[str]) -> None:
        text = encoded("".join(f"{line}\n" for line in lines))
        await self._screen.write(STDOUT, visible(text) if self._screen.is_terminal(STDOUT) else text)


class ChangePrinter(_Printer):
    """Prints each change, a line each.

    Args:
        screen: where.
        as_json: as a JSON object, else the event, a tab and the URL.
    """

    def __init__(self, screen: Screen, *, as_json: bool) -> None:
        super().__init__(screen)
        self._as_json = as_json

    async def carry_out(
        self, rule: Rule, nodes: Sequence[str], batch: Sequence[Happening], on_worker: object = None, /
    ) -> Done:
        await self._print([self._line(each) for each in batch])
        return Done(attempts=1)

    def _line(self, happening: Happening) -> str:
        if self._as_json:
            return json.dumps({"event": happening.event, "url": happening.url})
        return f"{happening.event}\t{happening.url}"


class CommandPrinter(_Printer):
    """Prints each command that would be run, with its node if it has one."""

    async def carry_out(
        self, rule: Rule, nodes: Sequence[str], batch: Sequence[Happening], on_worker: object = None, /
    ) -> Done:
        try:
            data = values(rule, batch)
        except UnfitError as exc:
            return Done(attempts=0, reason=str(exc))
        if nodes:
            lines = [f"{node}: {rule.shown(node, rank, data)}" for rank, node in enumerate(nodes)]
        else:
            lines = [rule.shown(rule.name, 0, data)]
        await self._print(lines)
        return Done(attempts=1)


def plan(rules: Rules) -> bytes:
    """What would be watched, and run when and where.

    Raises:
        UsageError: a poller cannot be made, a group or worker is unknown, a file cannot be written.
    """
    check_files(rules)
    lines = [*_pollers(rules), *(line for rule in rules.rules for line in _rule(rule))]
    if rules.dead_letters is not None:
        lines.append(f"dead letters: {rules.dead_letters}")
    return visible(encoded("\n".join(lines))) + b"\n"


def _pollers(rules: Rules) -> Iterator[str]:
    for watched in rules.pollers:
        try:
            url = poller_of(watched).url  # as it is shown, without credentials
        except UsageError as exc:
            raise UsageError(f"[pollers.{watched.name}]: {exc}") from exc
        details = [f"every {watched.interval:g} s"]
        details += ["with subdirectories"] if watched.recurse else []
        details += [f"when quiet for {watched.debounce:g} s"] if watched.debounce else []
        details += ["existing entries count as created"] if watched.existing else []
        details += [f"state in {watched.state}"] if watched.state is not None else []
        yield f"poller {watched.name}: {url}: {', '.join(details)}"


def _rule(rule: Rule) -> Iterator[str]:
    yield f"rule {rule.name}: when {' or '.join(rule.when)}"
    if rule.only:
        yield f"  only {' or '.join(rule.only)}"
    limits = [f"{rule.concurrency} at once"]
    if rule.debounce:
        each = "all" if rule.batches else "each entry"
        limits.append(f"one run for {each} when quiet for {rule.debounce:g} s")
    limits += [f"rate {rule.rate}"] if rule.rate is not None else []
    limits += [f"timeout {rule.timeout:g} s"] if rule.timeout is not None else []
    limits += [f"{rule.retries} more attempts"] if rule.retries else []
    yield f"  {', '.join(limits)}"
    if rule.nodes is None:
        where = "here"
    else:
        worker = rule.worker or "ssh"
        try:
            worker_class(worker)
            where = f"on {Titles().of(expand(rule.nodes))} by {worker}"
        except UsageError as exc:
            raise UsageError(f"rule {rule.name!r}: {exc}") from exc
    yield f"  runs {where}: {rule.run}"
