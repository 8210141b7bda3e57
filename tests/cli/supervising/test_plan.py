"""What would run."""

from __future__ import annotations

import pytest

from asynctask.cli.supervising.plan import plan
from asynctask.manager.template import Liveness, LogFile, ProcessTemplate, Readiness

pytestmark = pytest.mark.one_loop("nothing waits")


def shown(*templates: ProcessTemplate) -> str:
    """The plan of templates."""
    return plan({each.name: each for each in templates}).decode()


def test_little_is_said_of_little() -> None:
    """Defaults go without saying, but for what is done at the end."""
    assert shown(ProcessTemplate("web", "serve --all")) == (
        "web: 1 process here\n"
        "  runs: serve --all\n"
        "  started again when it ends, stopped by TERM, KILL after 10 s\n"
    )


def test_much() -> None:
    """In the order of the start; no values of variables, which may be secret."""
    web = ProcessTemplate(
        "web",
        ["serve", "a b"],
        args=["$PORT", "$A B"],
        shell=False,
        env={"SECRET": "xyzzy", "A": "1"},
        port=5000,
        cwd="/srv",
        nodes="n[1-3]",
        numprocesses=2,
        stdout=LogFile(path="web.log"),
        stderr="stdout",
        order=2,
        autostart=False,
        stop_signal="INT",
        restart="unexpected",
        exit_codes=frozenset({0, 3}),
        readiness=Readiness(tcp="80", seconds=2),
        liveness=Liveness(tcp="81"),
        max_age=3600,
        detach=True,
    )
    once = ProcessTemplate("once", "make", shell=True, restart="never", readiness=Readiness(line="up"))
    assert shown(web, once) == (
        "once: 1 process here\n"
        "  runs: make (by a shell)\n"
        "  not started again, ready when it prints 'up', stopped by TERM, KILL after 10 s\n"
        "web: 2 processes on each of n[1-3] (3), order 2, not started by itself\n"
        "  runs: serve 'a b' $PORT '$A B'\n"
        "  in: /srv\n"
        "  PORT: 5000 to 5001\n"
        "  variables: SECRET, A\n"
        "  started again unless it exits with 0, 3, ready when port 80 takes connections,"
        " ready after 2 s at the earliest, looked at by port 81 every 10 s, replaced after 3600 s,"
        " stopped by INT, KILL after 10 s, outlives the manager\n"
        "  stdout: to web.log\n"
        "  stderr: stdout\n"
    )


def test_control_characters_are_visible() -> None:
    """A file may come from somebody else."""
    assert "runs: echo ^[[2J\n" in shown(ProcessTemplate("web", "echo \x1b[2J"))
