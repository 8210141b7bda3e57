"""What Prometheus reads: text format 0.0.4. Nothing here waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from asynctask.manager.information import ManagerInfo, ProcessInfo, TemplateInfo, TemplateStats
from asynctask.manager.states import ProcessState

__all__ = ("CONTENT_TYPE", "exposition")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Labels: TypeAlias = dict[str, str]
_Sample: TypeAlias = tuple[_Labels, float]


def exposition(
    manager: ManagerInfo, templates: Sequence[TemplateInfo], stats: Sequence[TemplateStats], version: str
) -> str:
    """The page for Prometheus.

    A series belongs to a place of a template (``template``, ``node``, ``index``), not to a process, so a
    restart makes no new ones. What is run once is counted among the states, and has no series of its own.

    Args:
        manager: what it says of itself.
        templates: those that are loaded.
        stats: what their processes take; those that are not there are left out.
        version: of the package.
    """
    places = [each for info in templates for each in info.processes if each.index is not None]
    started = [each for each in places if each.pid is not None and each.started is not None]
    usages = [
        ({"template": each.name, "node": each.node or "", "index": str(each.index)}, each.usage)
        for of_template in stats
        for each in of_template.processes
        if each.index is not None
    ]
    about = {"name": manager.name, "version": version}
    wanted = (
        ({"template": each.name, "node": node}, each.numprocesses if each.wanted else 0)
        for each in templates
        for node in _nodes(each)
    )
    lines = (
        _family("manager_info", "The manager; always 1.", [(about, 1)]),
        _family("manager_start_time_seconds", "When it started, since 1970.", [({}, manager.started)]),
        _family("templates", "Templates that are loaded.", [({}, manager.templates)]),
        _family("template_processes_wanted", "How many there are to be.", wanted),
        _family("processes", "Places of a template in each state.", _states(templates)),
        _family(
            "process_restarts_total",
            "Starts in a place after the first.",
            ((_place(each), each.restarts) for each in places),
        ),
        _family(
            "process_start_time_seconds",
            "When the process was started, since 1970.",
            ((_place(each), each.started or 0) for each in started),
        ),
        _family(
            "process_connected",
            "0 while the connection to its node is lost.",
            ((_place(each), each.connected) for each in places if each.node is not None),
        ),
        _family(
            "process_cpu_ratio",
            "CPU that the process and its children take; 1 is one core.",
            ((place, usage.cpu / 100) for place, usage in usages),
        ),
        _family(
            "process_resident_memory_bytes",
            "Memory of the process and its children.",
            ((place, usage.memory) for place, usage in usages),
        ),
        _family(
            "process_members",
            "The process and its children.",
            ((place, usage.processes) for place, usage in usages),
        ),
    )
    return "".join(line + "\n" for family in lines for line in family)


def _states(templates: Iterable[TemplateInfo]) -> Iterator[_Sample]:
    """Each state, also those that nothing is in: a series that vanishes would look like one that stays."""
    for info in templates:
        found = Counter((each.node or "", each.state) for each in info.processes)
        for node in _nodes(info):
            for state in ProcessState:
                yield {"template": info.name, "node": node, "state": state.value}, found[node, state]


def _nodes(info: TemplateInfo) -> list[str]:
    return sorted({each.node or "" for each in info.processes} or {""})


def _place(info: ProcessInfo) -> _Labels:
    return {"template": info.name, "node": info.node or "", "index": str(info.index)}


def _family(name: str, text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP asynctask_{name} {text}"
    yield f"# TYPE asynctask_{name} {'counter' if name.endswith('_total') else 'gauge'}"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"asynctask_{name}{f'{{{inside}}}' if inside else ''} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
