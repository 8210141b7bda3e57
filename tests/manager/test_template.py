"""Tests of asynctask.manager.template."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from typing import Any

import pytest

from asynctask.errors import TemplateError
from asynctask.manager.template import Backoff, Flapping, Liveness, LogFile, ProcessTemplate, Readiness

pytestmark = pytest.mark.one_loop("nothing here waits")


def _template(**fields: Any) -> ProcessTemplate:
    return ProcessTemplate(**{"name": "web", "command": "true", **fields})


def _refused(make: Callable[[], object]) -> str:
    with pytest.raises(TemplateError) as caught:
        make()
    return str(caught.value)


# -- what is kept ---------------------------------------------------------------------------------------


def test_the_least_template() -> None:
    """A name and a command; the rest has defaults."""
    template = ProcessTemplate("web", "true")

    assert (template.restart, template.numprocesses, template.stop_signal) == ("always", 1, "TERM")


def test_copies_are_kept_that_nobody_can_change() -> None:
    """What the caller does to its own lists afterwards changes nothing."""
    env, args, limits, words = {"A": "1"}, ["a"], {"nofile": 1}, ["true"]
    template = _template(command=words, args=args, env=env, rlimits=limits, exit_codes=[1, 1])
    env["B"], limits["core"] = "2", 0
    args.append("b")
    words.append("c")

    assert (template.command, template.args) == (("true",), ("a",))
    assert (dict(template.env), dict(template.rlimits)) == ({"A": "1"}, {"nofile": 1})
    assert template.exit_codes == frozenset({1})
    with pytest.raises(TypeError):
        template.env["C"] = "3"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        template.shell = True  # type: ignore[misc]


def test_equal_templates() -> None:
    """What is written in another way is the same, and has the same hash."""
    one = _template(args=["a"], env={"A": "1"}, stop_signal="SIGINT", rlimits={"nofile": [1, 2]})
    other = _template(args=("a",), env={"A": "1"}, stop_signal=signal.SIGINT, rlimits={"nofile": (1, 2)})

    assert one == other
    assert hash(one) == hash(other)
    assert one != dataclasses.replace(one, env={})


def test_replacing_a_field_checks_it() -> None:
    """``dataclasses.replace`` makes a template like any other."""
    assert dataclasses.replace(_template(env={"A": "1"}), numprocesses=2).numprocesses == 2
    assert _refused(lambda: dataclasses.replace(_template(), numprocesses=-1)).endswith("0 or more is needed")


def test_no_value_of_a_variable_is_shown() -> None:
    """Neither in the ``repr`` nor in a message: it may be a secret."""
    assert "secret" not in repr(_template(env={"A": "secret"}))
    message = _refused(lambda: _template(env={"A": "sec\0ret"}))
    assert message == "template 'web': env.A: it cannot hold a NUL character"


@pytest.mark.parametrize("which", ["TERM", "SIGTERM", "term", 15, "15", signal.SIGTERM])
def test_a_signal_has_one_name(which: str | int) -> None:
    """However it is written."""
    assert _template(stop_signal=which).stop_signal == "TERM"


def test_a_real_time_signal_is_a_number() -> None:
    """Only the first and the last have names."""
    assert _template(stop_signal=signal.SIGRTMIN + 1).stop_signal == signal.SIGRTMIN + 1


def test_commands_of_probes_are_kept_as_tuples() -> None:
    """A list could be changed."""
    assert Readiness(command=["a", "b"]).command == ("a", "b")
    assert Liveness(command="a | b").command == "a | b"
    assert Readiness(tcp="localhost:80", seconds=90).tcp == "localhost:80"


@pytest.mark.parametrize(
    ("tcp", "kept"),
    [("$PORT", "$PORT"), ("${PORT}", "$PORT"), ("db:${PORT}", "db:$PORT"), ("[::1]:$PORT", "[::1]:$PORT")],
)
def test_the_own_port_of_a_process_can_be_looked_at(tcp: str, kept: str) -> None:
    """It is written in one way."""
    template = _template(port=8000, readiness=Readiness(tcp=tcp), liveness=Liveness(tcp=tcp))
    assert template.liveness is not None
    assert template.readiness.tcp == template.liveness.tcp == kept


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a b"}, "name 'a b': a name has letters, digits, _ and -, and does not begin with -"),
        ({"name": "-a"}, "name '-a': a name has letters, digits, _ and -, and does not begin with -"),
        ({"name": "é"}, "name 'é': a name has letters, digits, _ and -, and does not begin with -"),
        ({"name": "a\n"}, "name 'a\\n': a name has letters, digits, _ and -, and does not begin with -"),
        ({"name": ""}, "name: it is empty"),
        ({"command": ""}, "command: it is empty"),
        ({"command": "''"}, "command: it is empty"),
        ({"command": []}, "command: it is empty"),
        ({"command": ["", "a"]}, "command: it is empty"),
        ({"command": "a\0"}, "command: it cannot hold a NUL character"),
        ({"command": "\ud800"}, "command: it cannot hold half a character, a lone surrogate"),
        ({"env": {"A": "\ud800"}}, "env.A: it cannot hold half a character, a lone surrogate"),
        ({"command": b"a"}, "command: a list of texts is needed, not bytes"),
        ({"command": None}, "command: a list of texts is needed, not nothing"),
        ({"command": ["a", 1]}, "command: a list of texts is needed, not a number"),
        ({"command": "a 'b"}, "command: a quotation mark ' is not closed"),
        ({"command": ["a"], "shell": True}, "command: a shell takes one text; more words belong into args"),
        ({"command": "a | b"}, "command: '|' needs a shell: put it into quotes, or set shell = true"),
        ({"args": "a"}, "args: a list of texts is needed, not text"),
        ({"args": ["${"]}, "args: ${ has no }; $$ stands for a dollar sign"),
        ({"shell": 1}, "shell: true or false is needed, not a number"),
        ({"env": ["A"]}, "env: a table of variables is needed, not a list"),
        ({"env": {"A": 1}}, "env.A: text is needed, not int"),
        (
            {"env": {"1A": ""}},
            "env.1A: '1A' is no name; it has ASCII letters, digits and _, and no digit first",
        ),
        ({"env": {"ASYNCTASK_NAME": "x"}}, "env.ASYNCTASK_NAME: the manager sets it"),
        ({"port": 0}, "port 0: 1 or more is needed"),
        ({"port": 65535, "numprocesses": 2}, "port 65535: 65534 or less is needed"),
        ({"port": 80, "env": {"PORT": "1"}}, "port: env has PORT, too: give one of them"),
        ({"cwd": ""}, "cwd: it is empty"),
        ({"user": -1}, "user -1: 0 or more is needed"),
        ({"group": ""}, "group: it is empty"),
        ({"umask": 0o1000}, "umask 512: 511 or less is needed"),
        ({"rlimits": {"nofiles": 1}}, "rlimits: there is no limit 'nofiles'; did you mean 'nofile'?"),
        ({"rlimits": {"nofile": -2}}, "rlimits.nofile -2: -1 or more is needed"),
        ({"rlimits": {"nofile": True}}, "rlimits.nofile: a whole number is needed, not true or false"),
        ({"rlimits": {"nofile": "1"}}, "rlimits.nofile: a number, or soft and hard, is needed, not text"),
        (
            {"rlimits": {"core": (2, 1)}},
            "rlimits.core (2, 1): the soft limit, which comes first, is more than the hard one",
        ),
        (
            {"rlimits": {"core": (-1, 1)}},
            "rlimits.core (-1, 1): the soft limit, which comes first, is more than the hard one",
        ),
        ({"nodes": " "}, "nodes: it is empty"),
        ({"numprocesses": -1}, "numprocesses -1: 0 or more is needed"),
        ({"numprocesses": 10_001}, "numprocesses 10001: 10000 or less is needed"),
        ({"numprocesses": 1.0}, "numprocesses: a whole number is needed, not a number"),
        ({"stdout": "stdout"}, "stdout 'stdout': pipe, null, inherit or a LogFile is needed"),
        (
            {"stderr": "inherits"},
            "stderr 'inherits': pipe, null, inherit, stdout or a LogFile is needed; did you mean 'inherit'?",
        ),
        ({"stdout": None}, "stdout None: one of pipe, null, inherit is needed"),
        ({"custom_streams": ["stdin"]}, "custom_streams 'stdin': there is a stream of this name in any case"),
        ({"custom_streams": ["a", "a"]}, "custom_streams 'a': two streams have this name"),
        ({"custom_streams": [str(each) for each in range(33)]}, "custom_streams: there are 32 at most"),
        ({"order": "1"}, "order: a whole number is needed, not text"),
        ({"stop_signal": "FOO"}, "stop_signal 'FOO': no such signal; kill -l lists them"),
        (
            {"stop_signal": "SIGTRM"},
            "stop_signal 'SIGTRM': no such signal; did you mean 'TERM'?; kill -l lists them",
        ),
        ({"stop_signal": 0}, "stop_signal 0: no such signal; kill -l lists them"),
        ({"stop_signal": 65}, "stop_signal 65: no such signal; kill -l lists them"),
        ({"stop_signal": None}, "stop_signal: the name or number of a signal is needed, not nothing"),
        (
            {"graceful_timeout": -1},
            "graceful_timeout -1: 0 or more seconds are needed, and thirty years at most",
        ),
        (
            {"graceful_timeout": float("nan")},
            "graceful_timeout nan: 0 or more seconds are needed, and thirty years at most",
        ),
        (
            {"lost_timeout": float("inf")},
            "lost_timeout inf: 0 or more seconds are needed, and thirty years at most",
        ),
        ({"max_age": 0}, "max_age 0: more than 0 seconds are needed, and thirty years at most"),
        (
            {"restart": "sometimes"},
            "restart 'sometimes': one of always, unexpected, never is needed",
        ),
        ({"restart": True}, "restart True: one of always, unexpected, never is needed"),
        ({"exit_codes": 0}, "exit_codes: a list of exit codes is needed, not a number"),
        ({"exit_codes": [256]}, "exit_codes 256: 255 or less is needed"),
        ({"backoff": None}, "backoff: Backoff is needed, not nothing"),
        ({"flapping": {}}, "flapping: Flapping is needed, not a table"),
        (
            {"readiness": Readiness(tcp="$PORT")},
            "readiness.tcp '$PORT': it needs the template's port, which is not given",
        ),
        (
            {"liveness": Liveness(tcp="db:$PORT")},
            "liveness.tcp 'db:$PORT': it needs the template's port, which is not given",
        ),
        (
            {"readiness": Readiness(line="up"), "detach": True},
            "readiness.line: its output goes past the manager when detached: use tcp, command or seconds",
        ),
        (
            {"stdin": True, "detach": True},
            "stdin: it would not outlive the manager, and the process is detached",
        ),
        (
            {"custom_streams": ["log"], "detach": True},
            "custom_streams: it would not outlive the manager, and the process is detached",
        ),
        (
            {"readiness": Readiness(line="up"), "stdout": "null", "stderr": "stdout"},
            "readiness.line: nothing that it prints is read: stdout is null",
        ),
    ],
)
def test_what_can_never_work_is_refused(fields: dict[str, Any], reason: str) -> None:
    """In one line, with the field and what would be right."""
    where = repr(fields.get("name", "web"))

    assert _refused(lambda: _template(**fields)) == f"template {where}: {reason}"


def test_a_name_that_is_no_text() -> None:
    """It cannot be said which template it is."""
    assert _refused(lambda: _template(name=3)) == "template: name: text is needed, not a number"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: Backoff(initial=-1),
            "backoff.initial -1: 0 or more seconds are needed, and thirty years at most",
        ),
        (lambda: Backoff(factor=0.5), "backoff.factor 0.5: 1 or more is needed"),
        (lambda: Backoff(factor=float("inf")), "backoff.factor inf: 1 or more is needed"),
        (lambda: Backoff(jitter=1.5), "backoff.jitter 1.5: a number from 0 to 1 is needed"),
        (lambda: Backoff(attempts=0), "backoff.attempts 0: 1 or more is needed"),
        (lambda: Flapping(attempts=0), "flapping.attempts 0: 1 or more is needed"),
        (
            lambda: Flapping(window=0),
            "flapping.window 0: more than 0 seconds are needed, and thirty years at most",
        ),
        (lambda: Flapping(max_retry=-1), "flapping.max_retry -1: 0 or more is needed"),
        (
            lambda: Readiness(line="["),
            "readiness.line '[': this is no regular expression: unterminated character set at position 0",
        ),
        (lambda: Readiness(line="a", tcp="1"), "readiness: line and tcp are given: one of them is enough"),
        (
            lambda: Readiness(line="a", command="b"),
            "readiness: line and command are given: one of them is enough",
        ),
        (
            lambda: Readiness(tcp="1", command="b"),
            "readiness: tcp and command are given: one of them is enough",
        ),
        (lambda: Readiness(tcp="x"), "readiness.tcp 'x': a port from 1 to 65535 is needed, or \"host:port\""),
        (lambda: Readiness(tcp=":$PORT"), "readiness.tcp ':$PORT': $PORT or \"host:$PORT\" is needed"),
        (
            lambda: Readiness(tcp="$PORT:80"),
            "readiness.tcp '$PORT:80': a port from 1 to 65535 is needed, or \"host:port\"",
        ),
        (
            lambda: Readiness(interval=0),
            "readiness.interval 0: more than 0 seconds are needed, and thirty years at most",
        ),
        (lambda: Readiness(command=[]), "readiness.command: it is empty"),
        (Liveness, "liveness: tcp or command is needed: how is it looked at?"),
        (lambda: Liveness(tcp="1", failures=0), "liveness.failures 0: 1 or more is needed"),
        (lambda: LogFile(path=""), "log.path: it is empty"),
        (lambda: LogFile(path="a/"), "log.path 'a/': this is a directory, and a file is needed"),
        (
            lambda: LogFile(path="%(nam)s"),
            "log.path '%(nam)s': %( begins one of %(name)s, %(index)s, %(node)s, %(stream)s",
        ),
        (
            lambda: LogFile(path="%(name)d"),
            "log.path '%(name)d': %( begins one of %(name)s, %(index)s, %(node)s, %(stream)s",
        ),
        (lambda: LogFile(path="a", max_bytes=-1), "log.max_bytes -1: 0 or more is needed"),
        (
            lambda: LogFile(path="a", max_age=0),
            "log.max_age 0: more than 0 seconds are needed, and thirty years at most",
        ),
    ],
)
def test_parts_of_a_template_are_checked_by_themselves(make: Callable[[], object], reason: str) -> None:
    """The message has the field, as a file would have it."""
    assert _refused(make) == reason


@pytest.mark.parametrize(
    "fields",
    [{"nodes": "n1", "detach": True}, {"stdout": "null", "stderr": "null", "custom_streams": ["log"]}],
)
def test_lines_may_come_from_elsewhere(fields: dict[str, Any]) -> None:
    """What is detached on a node is read there; a custom stream has lines, too."""
    assert _template(readiness=Readiness(line="up"), **fields).readiness.line == "up"


def test_a_per_cent_sign_in_a_path() -> None:
    """Only what looks like a placeholder is one."""
    assert LogFile(path="100%/%(name)s-%(index)s.log").path == "100%/%(name)s-%(index)s.log"
