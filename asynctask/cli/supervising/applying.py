"""The difference between two readings of a file, applied to a running manager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import anyio

from asynctask.errors import AsyncTaskError, TemplateConflictError, TemplateNotFoundError
from asynctask.manager.files import difference
from asynctask.manager.template import ProcessTemplate

__all__ = ("Applied", "Changeable", "apply", "load_in_order")


class Changeable(Protocol):
    """The part of a manager that this needs."""

    async def load(self, template: ProcessTemplate, *, start: bool | None = None) -> None:
        """Take a template."""

    async def unload(self, name: str) -> None:
        """Stop and forget one."""

    async def update(self, template: ProcessTemplate) -> None:
        """Replace one."""


@dataclass(slots=True)
class Applied:
    """What was done, by name, and what was not."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Why."""

    def as_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "added": sorted(self.added),
            "removed": sorted(self.removed),
            "changed": sorted(self.changed),
            "failed": self.failed,
        }

    def __str__(self) -> str:
        kinds = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        parts = [f"{what}: {', '.join(sorted(names))}" for what, names in kinds if names]
        parts += [f"{name} failed: {why}" for name, why in self.failed.items()]
        return "; ".join(parts) or "nothing has changed"


async def apply(
    manager: Changeable,
    current: dict[str, ProcessTemplate],
    wanted: Mapping[str, ProcessTemplate],
) -> Applied:
    """Unload what is gone, update what is different, load what is new, in the order of starts.

    What fails does not keep the rest from being done. Somebody else may have loaded or unloaded a template
    meanwhile: what counts is what it comes to.

    Args:
        manager: whose templates these are.
        current: what was applied before; each entry is changed once that was done.
        wanted: what there is to be.
    """
    applied = Applied()
    found = difference(current, wanted)

    async def remove(template: ProcessTemplate) -> None:
        with suppress(TemplateNotFoundError):
            await manager.unload(template.name)
        del current[template.name]
        applied.removed.append(template.name)

    async def change(template: ProcessTemplate) -> None:
        try:
            await manager.update(template)
        except TemplateNotFoundError:
            await manager.load(template)
        current[template.name] = template
        applied.changed.append(template.name)

    async def add(template: ProcessTemplate) -> None:
        try:
            await manager.load(template)
        except TemplateConflictError:
            await manager.update(template)
        current[template.name] = template
        applied.added.append(template.name)

    await _in_order([current[name] for name in found.removed], remove, applied.failed, last_first=True)
    await _in_order([wanted[name] for name in found.changed], change, applied.failed)
    await _in_order([wanted[name] for name in found.added], add, applied.failed)
    return applied


async def load_in_order(
    templates: Iterable[ProcessTemplate], load: Callable[[ProcessTemplate], Awaitable[None]]
) -> dict[str, str]:
    """Load templates: those with a lower order are running, or known not to, before the next are loaded.

    Returns:
        What failed, by name, and why.
    """
    failed: dict[str, str] = {}
    await _in_order(list(templates), load, failed)
    return failed


async def _in_order(
    templates: list[ProcessTemplate],
    do: Callable[[ProcessTemplate], Awaitable[None]],
    failed: dict[str, str],
    *,
    last_first: bool = False,
) -> None:
    async def one(template: ProcessTemplate) -> None:
        try:
            await do(template)
        except AsyncTaskError as exc:
            failed[template.name] = str(exc)

    templates.sort(key=_order, reverse=last_first)
    for _, group in groupby(templates, key=_order):
        async with anyio.create_task_group() as tasks:
            for template in group:
                tasks.start_soon(one, template)


def _order(template: ProcessTemplate) -> int:
    return template.order
