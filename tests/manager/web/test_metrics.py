"""What Prometheus reads."""

from __future__ import annotations

import pytest

from asynctask.manager.information import ManagerInfo, ProcessInfo, ProcessStats, TemplateInfo, TemplateStats
from asynctask.manager.launching import Usage
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.web.metrics import exposition

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")


def place(
    index: int | None, state: ProcessState, node: str | None = None, pid: int | None = 1
) -> ProcessInfo:
    """A place of the template ``web``."""
    return ProcessInfo(
        name="web", index=index, node=node, state=state, pid=pid, os_pid=pid and 1000 + pid, started=12.5,
        uptime=1.0, restarts=2, connected=node != "n2", last_exit=None, reason=None, retry_in=None,
    )  # fmt: skip


def series(*places: ProcessInfo, stats: tuple[ProcessStats, ...] = (), name: str = "m") -> list[str]:
    """The lines with numbers."""
    template = TemplateInfo(ProcessTemplate("web", "true"), 3, True, places)
    manager = ManagerInfo(name, 10.0, 1, 2)
    page = exposition(manager, [template], [TemplateStats("web", stats)], "1.2")
    assert page.endswith("\n")
    return [line.removeprefix("asynctask_") for line in page.splitlines() if not line.startswith("#")]


def test_the_manager_and_its_templates() -> None:
    """What there is, and what there is to be."""
    assert series()[:4] == [
        'manager_info{name="m",version="1.2"} 1',
        "manager_start_time_seconds 10",
        "templates 1",
        'template_processes_wanted{template="web",node=""} 3',
    ]


def test_how_many_there_are_to_be_on_each_node() -> None:
    """With the labels of those that there are, so that they can be compared."""
    places = [place(index, ProcessState.RUNNING, node) for node in ("n2", "n1") for index in range(3)]

    assert series(*places)[3:5] == [
        f'template_processes_wanted{{template="web",node="{node}"}} 3' for node in ("n1", "n2")
    ]


def test_each_state_has_a_number() -> None:
    """Also those in which nothing is; by node."""
    found = series(place(0, ProcessState.RUNNING, "n1"), place(0, ProcessState.FATAL, "n2", None))

    assert 'processes{template="web",node="n1",state="running"} 1' in found
    assert 'processes{template="web",node="n1",state="fatal"} 0' in found
    assert 'processes{template="web",node="n2",state="fatal"} 1' in found
    assert len([line for line in found if line.startswith("processes{")]) == 2 * len(ProcessState)


def test_a_place_has_its_series() -> None:
    """They go on when its process is another."""
    usage = ProcessStats("web", 7, 1007, 0, None, Usage(150.0, 4096, 3))
    found = series(place(0, ProcessState.RUNNING), stats=(usage,))
    here = '{template="web",node="",index="0"}'

    assert found[-5:] == [
        f"process_restarts_total{here} 2",
        f"process_start_time_seconds{here} 12.5",
        f"process_cpu_ratio{here} 1.5",
        f"process_resident_memory_bytes{here} 4096",
        f"process_members{here} 3",
    ]


def test_a_connection_is_of_a_node() -> None:
    """0 while it is lost; a process here needs none."""
    places = (
        place(0, ProcessState.RUNNING, "n1"),
        place(0, ProcessState.RUNNING, "n2"),
        place(0, ProcessState.RUNNING),
    )
    found = [line for line in series(*places) if line.startswith("process_connected")]

    assert [line[-1] for line in found] == ["1", "0"]


def test_what_is_run_once_is_counted_alone() -> None:
    """Its series would be there once, too, and never again."""
    usage = ProcessStats("web", 7, 1007, None, None, Usage(1.0, 1))
    found = series(place(None, ProcessState.RUNNING), stats=(usage,))

    assert 'processes{template="web",node="",state="running"} 1' in found
    assert not [line for line in found if line.startswith("process_")]


def test_a_place_without_a_process_has_no_start() -> None:
    """That of the last one would be taken for one that runs."""
    assert not [
        line for line in series(place(0, ProcessState.STOPPED, pid=None)) if "start_time_seconds{" in line
    ]


def test_names_are_escaped() -> None:
    """No name can end its quotes, or the line."""
    assert series(name='a"b\\c\nd')[0] == 'manager_info{name="a\\"b\\\\c\\nd",version="1.2"} 1'


def test_each_family_is_described_once() -> None:
    """As the format wants it: help, type, samples."""
    page = exposition(ManagerInfo("m", 1.0, 0, 0), [], [], "1")
    heads = [line.split()[:3:2] for line in page.splitlines() if line.startswith("#")]

    assert len(heads) == 2 * len(
        {name for _, name in [tuple(line.split()[1:3]) for line in page.splitlines() if line.startswith("#")]}
    )
