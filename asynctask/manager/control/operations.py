"""What a manager can be asked for by name, with plain data: the same for the socket and for HTTP.

``perform`` does one thing and answers; ``stream`` goes on answering. Parameters and answers are what JSON
has. Where templates are meant, ``names`` is a list of names or patterns (``web*``), ``name`` a single one,
and none of them means all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from asynctask._version import __version__
from asynctask.errors import ManagerError, UsageError
from asynctask.manager.control import encoding
from asynctask.manager.control.given import Given, matching

if TYPE_CHECKING:
    from asynctask.manager.information import OutputLine
    from asynctask.manager.launching import Usage
    from asynctask.manager.manager import Manager

__all__ = ("OPERATIONS", "STREAMS", "Reread", "perform", "stream")

#: Reads the file of the templates again, applies the difference, and tells what it did, as plain data.
Reread: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]

#: Lines of history that can be asked for.
_MOST_LINES = 100_000
#: Seconds between two looks at what processes take, at least.
_SHORTEST_INTERVAL = 0.1


async def perform(
    manager: Manager, name: str, params: Mapping[str, Any] | None = None, *, reread: Reread | None = None
) -> dict[str, Any]:
    """Do one thing, and tell what came of it.

    Args:
        manager: who does it.
        name: one of :data:`OPERATIONS`.
        params: its parameters; one that is ``None`` was not given.
        reread: what ``"reread"`` does; without, there is no file to read again.

    Raises:
        UsageError: there is no such operation, or its parameters are wrong; nothing was done.
        ManagerError: the manager's; see there.

    Cancelling is up to the operation: what was begun goes on in the manager, it is only not waited for.
    """
    given = Given(name, params or {})
    if name == "reread":
        given.done()
        if reread is None:
            raise ManagerError("this manager was not started from a file: there is nothing to read again")
        return dict(await reread())
    try:
        operation = OPERATIONS[name]
    except KeyError:
        raise UsageError(f"no operation {name!r}; there are: {', '.join(OPERATIONS)}, reread") from None
    return await operation(manager, given)


def stream(
    manager: Manager, name: str, params: Mapping[str, Any] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Answer as long as there is something to tell.

    What is returned is an asynchronous generator: who leaves it early has to ``aclose`` it. A reader that is
    too slow loses the oldest, and finds ``{"missed": n}`` in their place.

    Args:
        manager: who is asked.
        name: one of :data:`STREAMS`.
        params: its parameters.

    Raises:
        UsageError: there is no such stream, or its parameters are wrong.
        TemplateNotFoundError: a name or pattern means no template.
    """
    try:
        source = STREAMS[name]
    except KeyError:
        raise UsageError(f"no stream {name!r}; there are: {', '.join(STREAMS)}") from None
    return source(manager, Given(name, params or {}))


# -- what tells -----------------------------------------------------------------------------------


async def _status(manager: Manager, given: Given) -> dict[str, Any]:
    """{} -> {name, started, templates, processes, version}."""
    given.done()
    return {**encoding.manager(manager.status()), "version": __version__}


async def _list(manager: Manager, given: Given) -> dict[str, Any]:
    """{} -> {names}."""
    given.done()
    return {"names": manager.list()}


async def _info(manager: Manager, given: Given) -> dict[str, Any]:
    """{name, show_env?} -> the template, as :func:`encoding.template` has it."""
    name, show_env = given.text("name"), given.truth("show_env", False)
    given.done()
    return encoding.template(manager.info(name), show_env=show_env)


async def _process(manager: Manager, given: Given) -> dict[str, Any]:
    """{pid} -> the process, as :func:`encoding.process` has it."""
    pid = given.whole("pid")
    given.done()
    return encoding.process(manager.process(pid))


async def _ps(manager: Manager, given: Given) -> dict[str, Any]:
    """{names?, usage?} -> {templates: [{name, numprocesses, wanted, active, nodes}], processes: [...]}."""
    patterns, with_usage = given.names(), given.truth("usage", True)
    given.done()
    names = _chosen(manager, patterns)
    usage: dict[int, Usage] = {}
    if with_usage:
        for of_template in await manager.stats(names[0] if len(names) == 1 else None):
            usage |= {each.pid: each.usage for each in of_template.processes}
    loaded = set(manager.list())  # the look took a while
    infos = [manager.info(name) for name in names if name in loaded]
    return {
        "templates": [
            {
                "name": info.name,
                "numprocesses": info.numprocesses,
                "wanted": info.wanted,
                "autostart": info.template.autostart,
                "active": info.active,
                "nodes": info.template.nodes,
            }
            for info in infos
        ],
        "processes": [
            encoding.process(each, None if each.pid is None else usage.get(each.pid))
            for info in infos
            for each in info.processes
        ],
    }


async def _stats(manager: Manager, given: Given) -> dict[str, Any]:
    """{name?} -> {templates: [{name, cpu, memory, processes}]}."""
    name = given.optional_text("name")
    given.done()
    return {"templates": [encoding.stats(each) for each in await manager.stats(name)]}


# -- what changes templates -----------------------------------------------------------------------


async def _load(manager: Manager, given: Given) -> dict[str, Any]:
    """{template, start?} -> {name}."""
    from asynctask.manager.fields import template_from

    fields = given.mapping("template")
    start = given.truth("start", True) if "start" in given else None
    given.done()
    template = template_from(fields)
    await manager.load(template, start=start)
    return {"name": template.name}


async def _update(manager: Manager, given: Given) -> dict[str, Any]:
    """{template} -> {name}."""
    from asynctask.manager.fields import template_from

    fields = given.mapping("template")
    given.done()
    template = template_from(fields)
    await manager.update(template)
    return {"name": template.name}


async def _unload(manager: Manager, given: Given) -> dict[str, Any]:
    """{name} -> {name}."""
    name = given.text("name")
    given.done()
    await manager.unload(name)
    return {"name": name}


async def _scale(manager: Manager, given: Given) -> dict[str, Any]:
    """{name, n: 3, "3", "=3", "+1" or "-1"} -> {name, numprocesses}."""
    name, n = given.text("name"), given.whole_or_text("n")
    given.done()
    return {"name": name, "numprocesses": await manager.scale(name, n)}


# -- what starts and stops ------------------------------------------------------------------------


async def _start(manager: Manager, given: Given) -> dict[str, Any]:
    """{names?, wait?} -> {names}."""
    patterns, wait = given.names(), given.truth("wait", True)
    given.done()
    if patterns is None:
        names = manager.list()
        await manager.start(wait=wait)
        return {"names": names}
    names = _in_order(manager, _chosen(manager, patterns))
    return await _each(names, lambda name: manager.start(name, wait=wait))


async def _stop(manager: Manager, given: Given) -> dict[str, Any]:
    """{names?} -> {names}."""
    patterns = given.names()
    given.done()
    if patterns is None:
        names = manager.list()
        await manager.stop()
        return {"names": names}
    names = _in_order(manager, _chosen(manager, patterns))
    return await _each(names[::-1], manager.stop)


async def _restart(manager: Manager, given: Given) -> dict[str, Any]:
    """{names?} -> {names}."""
    patterns = given.names()
    given.done()
    if patterns is None:
        names = manager.list()
        await manager.restart()
        return {"names": names}
    return await _each(_in_order(manager, _chosen(manager, patterns)), manager.restart)


async def _reload(manager: Manager, given: Given) -> dict[str, Any]:
    """{names} -> {names}: each process is replaced by a new one, without a gap."""
    patterns = given.names()
    given.done()
    if patterns is None:
        raise UsageError("reload: names are missing; to read the file again is 'reread'")
    return await _each(_in_order(manager, _chosen(manager, patterns)), manager.reload)


async def _commit(manager: Manager, given: Given) -> dict[str, Any]:
    """{name, node?, env?, graceful_timeout?} -> {name, pid}: run once."""
    name, node, env = given.text("name"), given.optional_text("node"), given.environment()
    patience = given.number("graceful_timeout", None, 0.0)
    given.done()
    pid = await manager.commit(name, node=node, env=env, graceful_timeout=patience)
    return {"name": name, "pid": pid}


# -- what concerns processes ----------------------------------------------------------------------


async def _stop_process(manager: Manager, given: Given) -> dict[str, Any]:
    """{pid} -> {pid}: this one alone, until its template is started again."""
    pid = given.whole("pid")
    given.done()
    await manager.stop_process(pid)
    return {"pid": pid}


async def _kill(manager: Manager, given: Given) -> dict[str, Any]:
    """{target: name or pid, signal} -> {signalled}: how many got it."""
    target, number = given.whole_or_text("target"), given.whole_or_text("signal")
    given.done()
    return {"signalled": await manager.kill(target, number)}


async def _send(manager: Manager, given: Given) -> dict[str, Any]:
    """{target: name or pid, data or data_base64, stream?, close?} -> {sent}: to how many."""
    target, data = given.whole_or_text("target"), given.data()
    name, close = given.text("stream", "stdin"), given.truth("close", False)
    given.done()
    sent = await manager.send(target, data, stream=name) if data or not close else 0
    if close:
        sent = max(sent, await manager.close_input(target, stream=name))
    return {"sent": sent}


async def _close_input(manager: Manager, given: Given) -> dict[str, Any]:
    """{target: name or pid, stream?} -> {closed}: of how many."""
    target, name = given.whole_or_text("target"), given.text("stream", "stdin")
    given.done()
    return {"closed": await manager.close_input(target, stream=name)}


# -- what goes on ---------------------------------------------------------------------------------


def _events(manager: Manager, given: Given) -> AsyncIterator[dict[str, Any]]:
    """{pattern?} -> {topic, ...} for each event of the pattern from now on."""
    pattern = given.text("pattern", ".")
    given.done()
    return _read_events(manager, pattern)


async def _read_events(manager: Manager, pattern: str) -> AsyncIterator[dict[str, Any]]:
    missed = 0
    with manager.events(pattern) as events:
        async for event in events:
            if events.dropped > missed:
                yield {"missed": events.dropped - missed}
                missed = events.dropped
            yield encoding.event(event.topic, event.args)


def _output(manager: Manager, given: Given) -> AsyncIterator[dict[str, Any]]:
    """{names?, lines?, follow?, stream?} -> {name, pid, index, node, stream, time, line}, or {missed}."""
    patterns = given.names()
    history = given.whole("lines", 0, most=_MOST_LINES)
    follow, only = given.truth("follow", True), given.optional_text("stream")
    given.done()
    names = None if patterns is None else frozenset(_chosen(manager, patterns))
    return _read_output(manager, names, history, follow, only)


async def _read_output(
    manager: Manager, names: frozenset[str] | None, history: int, follow: bool, only: str | None
) -> AsyncIterator[dict[str, Any]]:
    def shown(line: OutputLine) -> bool:
        return (names is None or line.name in names) and (only is None or line.stream == only)

    source = next(iter(names)) if names is not None and len(names) == 1 else None
    with manager.output(source) as live:
        # Opened in the same turn as the other: what is not in the one is in the other.
        with manager.output(source, history=_MOST_LINES if history else 0, maxsize=_MOST_LINES) as past:
            past.close()
            last = deque([line async for line in past if shown(line)], maxlen=history)
        for line in last:
            yield encoding.line(line)
        if not follow:
            return
        missed = 0
        async for line in live:
            if live.missed > missed:
                yield {"missed": live.missed - missed}
                missed = live.missed
            if shown(line):
                yield encoding.line(line)


def _monitor(manager: Manager, given: Given) -> AsyncIterator[dict[str, Any]]:
    """{name?, interval?} -> {templates}, as of "stats", every so many seconds."""
    name = given.optional_text("name")
    interval = given.number("interval", 1.0, _SHORTEST_INTERVAL)
    given.done()
    if name is not None:
        manager.info(name)  # whether there is one
    return _read_monitor(manager, name, interval or 1.0)


async def _read_monitor(manager: Manager, name: str | None, interval: float) -> AsyncIterator[dict[str, Any]]:
    async for templates in manager.monitor(name, interval=interval):
        yield {"templates": [encoding.stats(each) for each in templates]}


# -- inside ---------------------------------------------------------------------------------------


def _chosen(manager: Manager, patterns: Sequence[str] | None) -> list[str]:
    names = manager.list()
    return names if patterns is None else matching(patterns, names)


def _in_order(manager: Manager, names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: manager.info(name).template.order)


async def _each(names: Sequence[str], do: Callable[[str], Awaitable[None]]) -> dict[str, Any]:
    """Do it to each, also after one with which it did not work."""
    problems: list[ManagerError] = []
    for name in names:
        try:
            await do(name)
        except ManagerError as exc:
            problems.append(exc)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ManagerError("; ".join(map(str, problems)))
    return {"names": list(names)}


#: What can be done, by name; ``"reread"`` besides.
OPERATIONS: Final[Mapping[str, Callable[[Manager, Given], Awaitable[dict[str, Any]]]]] = MappingProxyType(
    {
        "status": _status,
        "list": _list,
        "info": _info,
        "process": _process,
        "ps": _ps,
        "stats": _stats,
        "load": _load,
        "update": _update,
        "unload": _unload,
        "scale": _scale,
        "start": _start,
        "stop": _stop,
        "restart": _restart,
        "reload": _reload,
        "commit": _commit,
        "stop_process": _stop_process,
        "kill": _kill,
        "send": _send,
        "close_input": _close_input,
    }
)

#: What can be followed, by name.
STREAMS: Final[Mapping[str, Callable[[Manager, Given], AsyncIterator[dict[str, Any]]]]] = MappingProxyType(
    {"events": _events, "output": _output, "monitor": _monitor}
)
