"""A difference is applied to a manager."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from asynctask.cli.supervising.applying import Applied, apply, load_in_order
from asynctask.errors import ManagerError, TemplateConflictError, TemplateNotFoundError
from asynctask.manager.template import ProcessTemplate

pytestmark = pytest.mark.one_loop("no descriptors")


def template(name: str, command: str = "true", **more: Any) -> ProcessTemplate:
    """A template."""
    return ProcessTemplate(name, command, **more)


class Recorder:
    """Writes down what it is asked for, and fails where it is told to."""

    def __init__(self, **fails: Exception) -> None:
        self.calls: list[str] = []
        self.strays: list[str] = []
        self._fails = fails

    def _called(self, what: str, name: str) -> None:
        self.calls.append(f"{what} {name}")
        if f"{what}_{name}" in self._fails:
            raise self._fails[f"{what}_{name}"]

    async def load(self, template: ProcessTemplate, *, start: bool | None = None) -> None:
        self._called("load", template.name)

    async def unload(self, name: str) -> None:
        self._called("unload", name)

    async def update(self, template: ProcessTemplate) -> None:
        self._called("update", template.name)

    async def start(self, name: str | None = None) -> None:
        self._called("start", str(name))

    async def end_strays(self, *, spare: Iterable[str] = ()) -> list[str]:
        self.calls.append(f"end strays but {' '.join(spare)}")
        if "end_strays" in self._fails:
            raise self._fails["end_strays"]
        return self.strays


async def test_the_difference_alone() -> None:
    """What is gone goes first, last ones first; what is new comes last, first ones first."""
    manager = Recorder()
    same = template("same")
    current = {
        "same": same,
        "a": template("a"),
        "gone1": template("gone1", order=1),
        "gone2": template("gone2", order=2),
    }
    wanted = {
        "new2": template("new2", order=2),
        "new1": template("new1", order=1),
        "a": template("a", "false"),
        "same": template("same"),
    }
    applied = await apply(manager, current, wanted)
    assert manager.calls == ["unload gone2", "unload gone1", "update a", "load new1", "load new2"]
    assert current == wanted
    assert applied.as_data() == {
        "added": ["new1", "new2"],
        "removed": ["gone1", "gone2"],
        "changed": ["a"],
        "failed": {},
    }
    assert str(applied) == "added: new1, new2; removed: gone1, gone2; changed: a"


async def test_nothing_has_changed() -> None:
    """Nothing is asked for."""
    manager = Recorder()
    applied = await apply(manager, {"a": template("a")}, {"a": template("a")})
    assert (manager.calls, str(applied)) == ([], "nothing has changed")


async def test_what_fails_keeps_nothing_else() -> None:
    """It is tried again the next time."""
    manager = Recorder(update_a=ManagerError("not ready"))
    old = template("a")
    current = {"a": old}
    applied = await apply(manager, current, {"a": template("a", "false"), "b": template("b")})
    assert manager.calls == ["update a", "load b"]
    assert applied == Applied(added=["b"], failed={"a": "not ready"})
    assert str(applied) == "added: b; a failed: not ready"
    assert current["a"] is old


async def test_somebody_else_was_at_it() -> None:
    """What counts is what it comes to."""
    manager = Recorder(
        unload_gone=TemplateNotFoundError("gone"),
        update_a=TemplateNotFoundError("a"),
        load_new=TemplateConflictError("new"),
    )
    current = {"gone": template("gone"), "a": template("a")}
    wanted = {"a": template("a", "false"), "new": template("new")}
    applied = await apply(manager, current, wanted)
    assert manager.calls == ["unload gone", "update a", "load a", "load new", "update new"]
    assert current == wanted
    assert applied.failed == {}


async def test_loading_in_order() -> None:
    """Who cannot be loaded is told, and does not keep the others."""
    calls: list[str] = []

    async def load(each: ProcessTemplate) -> None:
        calls.append(each.name)
        if each.name == "b":
            raise ManagerError("no")

    templates = [template("c", order=3), template("a", order=-1), template("b")]
    assert await load_in_order(templates, load) == {"b": "no"}
    assert calls == ["a", "b", "c"]
