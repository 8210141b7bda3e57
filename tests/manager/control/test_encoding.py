"""What managers tell, as JSON has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.manager.control import encoding
from asynctask.manager.information import (
    ManagerInfo,
    OutputLine,
    ProcessInfo,
    ProcessStats,
    TemplateInfo,
    TemplateStats,
)
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate

pytestmark = pytest.mark.one_loop("pure functions")

PROCESS = ProcessInfo(
    name="web",
    index=0,
    node=None,
    state=ProcessState.RUNNING,
    pid=3,
    os_pid=4711,
    started=12.5,
    uptime=2.0,
    restarts=1,
    connected=True,
    last_exit=Exit(1),
    reason=None,
    retry_in=None,
)
PLAIN: dict[str, Any] = {
    "name": "web",
    "index": 0,
    "node": None,
    "state": "running",
    "pid": 3,
    "os_pid": 4711,
    "started": 12.5,
    "uptime": 2.0,
    "restarts": 1,
    "connected": True,
    "last_exit": {"code": 1, "signal": None},
    "reason": None,
    "retry_in": None,
    "cpu": None,
    "memory": None,
}


def test_a_process() -> None:
    """All of it; what it takes only if that is known, also when that is nothing."""
    assert encoding.process(PROCESS) == PLAIN
    assert encoding.process(PROCESS, Usage(0.0, 0)) == PLAIN | {"cpu": 0.0, "memory": 0}


def test_a_template() -> None:
    """With its fields and its processes; JSON has all of it."""
    info = TemplateInfo(ProcessTemplate("web", "serve", exit_codes=frozenset({0, 2})), 2, True, (PROCESS,))
    told = encoding.template(info)
    assert {key: told[key] for key in told.keys() - {"template"}} == {
        "name": "web",
        "numprocesses": 2,
        "wanted": True,
        "active": 1,
        "processes": [PLAIN],
    }
    assert told["template"]["exit_codes"] == [0, 2]
    assert json.loads(json.dumps(told)) == told


def test_the_environment_of_a_template_is_a_secret() -> None:
    """It is told on request alone."""
    info = TemplateInfo(ProcessTemplate("web", "serve", env={"PASSWORD": "hush"}), 1, True, ())
    assert "hush" not in json.dumps(encoding.template(info))
    assert encoding.template(info, show_env=True)["template"]["env"] == {"PASSWORD": "hush"}


def test_what_templates_take() -> None:
    """The sums, and each process."""
    stats = TemplateStats(
        "web", tuple(ProcessStats("web", n, 10 + n, n, None, Usage(1.5, 100)) for n in (1, 2))
    )
    assert encoding.stats(stats) == {
        "name": "web",
        "cpu": 3.0,
        "memory": 200,
        "processes": [
            {"pid": n, "os_pid": 10 + n, "index": n, "node": None, "cpu": 1.5, "memory": 100, "processes": 1}
            for n in (1, 2)
        ],
    }


def test_a_manager() -> None:
    """As it is."""
    assert encoding.manager(ManagerInfo("m", 1.0, 2, 3)) == {
        "name": "m",
        "started": 1.0,
        "templates": 2,
        "processes": 3,
    }


def test_a_line() -> None:
    """Text; base64 besides for what is no text."""
    line = OutputLine("web", 1, 0, "n1", "stderr", "grün".encode(), 1.5)
    told = {"name": "web", "pid": 1, "index": 0, "node": "n1", "stream": "stderr", "time": 1.5}
    assert encoding.line(line) == told | {"line": "grün"}
    line = OutputLine("web", 1, 0, "n1", "stderr", b"a\xff", 1.5)
    assert encoding.line(line) == told | {"line": "a\ufffd", "line_base64": "Yf8="}


def test_an_event() -> None:
    """Its topic beside what it says; one without a message is only that."""
    message = {"event": "output.web", "name": "web", "line": b"\xff"}
    assert encoding.event("output.web", (message,)) == {
        "topic": "output.web",
        "event": "output.web",
        "name": "web",
        "line": "\ufffd",
        "line_base64": "/w==",
    }
    assert encoding.event("mine", ("text",)) == {"topic": "mine"}
    assert encoding.event("mine", ()) == {"topic": "mine"}


def test_a_line_comes_back() -> None:
    """Over JSON, with its bytes."""
    line = OutputLine("web", 1, None, None, "stdout", b"a\xff", 1.5)
    assert encoding.line_of(json.loads(json.dumps(encoding.line(line)))) == line


@given(st.binary())
def test_bytes_come_back(data: bytes) -> None:
    """All of them, over JSON, whatever they are."""
    arrived = json.loads(json.dumps(encoding.plain({"line": data, "pid": 1})))
    assert encoding.bytes_of(arrived, "line") == data
