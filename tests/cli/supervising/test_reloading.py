"""The file is loaded, and read again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.cli.supervising.labels import Prefixes
from asynctask.cli.supervising.reloading import Loader, nodes_of_all
from asynctask.errors import ManagerError, TemplateError, UsageError
from asynctask.manager.template import ProcessTemplate
from tests.cli.supervising.test_applying import Recorder

pytestmark = pytest.mark.one_loop("no descriptors")


def templates(*names: str, **more: Any) -> dict[str, ProcessTemplate]:
    """Templates by their names."""
    return {name: ProcessTemplate(name, "true", **more) for name in names}


class File:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.says: dict[str, ProcessTemplate] | Exception = {}
        self.names = ("a", "b", "c")

    def read_again(self) -> dict[str, ProcessTemplate]:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Site:
    """A loader with all that belongs to it."""

    def __init__(self, manager: Recorder | None = None) -> None:
        self.manager = manager or Recorder()
        self.file = File()
        self.said: list[str] = []
        self.loader = Loader(self.manager, self.file, templates("a", "b"), Prefixes(), self.said.append)


async def test_all_are_loaded() -> None:
    """Nothing is told of what goes well."""
    site = Site()
    await site.loader.load()
    calls = ["load a", "load b", "end strays but a b c", "start a", "start b"]
    assert (site.manager.calls, site.said) == (calls, [])


async def test_what_the_file_does_not_have_any_more_is_ended() -> None:
    """Before anything is started: it may hold what others need."""
    site = Site()
    site.manager.strays = ["old.1 (pid 7)"]
    await site.loader.load()
    told = "old.1 (pid 7) was left running, and the file does not have it any more: it was ended"
    assert site.said == [told]


async def test_another_manager_has_what_was_left() -> None:
    """That is told; what can be started is."""
    site = Site(Recorder(end_strays=ManagerError("another one runs")))
    await site.loader.load()
    assert site.said == ["another one runs"]
    assert site.manager.calls[-2:] == ["start a", "start b"]


async def test_what_is_not_to_be_started_is_not() -> None:
    """Unless it is asked for."""
    for start, started in ((None, ["start a"]), (True, ["start a", "start b"])):
        site = Site()
        site.loader._current |= templates("b", autostart=False)
        await site.loader.load(start=start)
        assert [call for call in site.manager.calls if call.startswith("start")] == started


async def test_what_could_not_be_loaded_is_new_the_next_time() -> None:
    """It is told why."""
    site = Site(Recorder(load_a=ManagerError("no")))
    await site.loader.load()
    site.manager = site.loader._manager = Recorder()
    site.file.says = templates("a", "b")
    applied = await site.loader.reload()
    assert site.manager.calls == ["load a"]
    assert site.said == ["a: no", "the file was read again: added: a"]
    assert applied == {"added": ["a"], "removed": [], "changed": [], "failed": {}}


@pytest.mark.parametrize(
    ("says", "text"),
    [
        (TemplateError("Procfile:3: a line is NAME: COMMAND"), "Procfile:3: a line is NAME: COMMAND"),
        (templates("a", "b", nodes="n[1-"), "template 'a': node set 'n[1-': missing bracket: \"n[1-\""),
    ],
)
async def test_a_file_that_is_wrong_changes_nothing(says: Any, text: str) -> None:
    """Not even the parts of it that are right."""
    site = Site()
    site.file.says = says
    with pytest.raises(UsageError) as raised:
        await site.loader.reload()
    assert str(raised.value) == text
    assert (site.manager.calls, site.said) == ([], [f"nothing was changed: {text}"])


async def test_nobody_waits() -> None:
    """As when a signal asks for it; what is wrong was told, and is no error of a task."""
    site = Site()
    site.file.says = TemplateError("wrong")
    over = asyncio.Event()

    async def reload() -> None:
        try:
            await site.loader.reload()
        finally:
            over.set()

    site.loader.begin(reload)
    await over.wait()
    await site.loader.close()
    assert site.said == ["nothing was changed: wrong"]


async def test_many_who_ask_at_once() -> None:
    """The file is read once for all of them; who asks while it is read is not forgotten."""
    site = Site()
    site.file.says = templates("a", "b")
    read = site.file.read_again
    reads = 0

    def read_and_ask() -> dict[str, ProcessTemplate]:
        nonlocal reads
        reads += 1
        if reads == 1:
            for _ in range(50):
                loop.call_soon_threadsafe(site.loader.begin, site.loader.reload)
        return read()

    loop = asyncio.get_running_loop()
    site.file.read_again = read_and_ask  # type: ignore[method-assign]
    for _ in range(50):
        site.loader.begin(site.loader.reload)
    while site.loader._tasks:
        await asyncio.gather(*site.loader._tasks)
    assert site.said == ["the file was read again: nothing has changed"] * 2


async def test_at_the_end_nothing_is_read_any_more() -> None:
    """What goes on is broken off, what comes is refused."""
    site = Site()
    never = asyncio.Event()
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await never.wait()

    site.loader.begin(hang)
    await begun.wait()
    await site.loader.close()
    with pytest.raises(ManagerError, match="all is being stopped"):
        await site.loader.reload()
    assert site.manager.calls == []


async def test_one_after_the_other() -> None:
    """While all are being started nothing is read again."""
    site = Site()
    site.file.says = templates("a")
    await asyncio.gather(site.loader.load(), site.loader.reload())
    assert [call for call in site.manager.calls if "load" in call] == ["load a", "load b", "unload b"]
    assert site.manager.calls[-1] == "unload b"
    assert not site.loader.busy


async def test_nodes_that_make_no_sense() -> None:
    """It is told of which template."""
    assert await nodes_of_all(templates("a", nodes="n[1-2]")) == {"a": ("n1", "n2")}
    with pytest.raises(UsageError, match=r"^template 'a': the set of targets is empty"):
        await nodes_of_all(templates("a", nodes="n1!n1"))
    with pytest.raises(UsageError, match=r"^template 'a': group '@nothing:x': "):
        await nodes_of_all(templates("a", nodes="@nothing:x"))
