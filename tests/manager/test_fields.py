"""Tests of asynctask.manager.fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from asynctask.errors import TemplateError
from asynctask.manager.fields import HIDDEN, template_from, template_to
from asynctask.manager.template import Backoff, Flapping, Liveness, LogFile, ProcessTemplate, Readiness

pytestmark = pytest.mark.one_loop("nothing here waits")


def _from(**fields: Any) -> ProcessTemplate:
    return template_from({"name": "web", "command": "true", **fields})


def _refused(mapping: Any, where: str = "") -> str:
    with pytest.raises(TemplateError) as caught:
        template_from(mapping, where=where)
    return str(caught.value)


FULL = ProcessTemplate(
    "web",
    ("a", "$PORT"),
    args=("b",),
    env={"A": "1"},
    inherit_env=False,
    port=8000,
    cwd="/srv",
    user="www",
    group=33,
    umask=0o027,
    rlimits={"nofile": 4096, "core": (0, -1)},
    nodes="n[1-3]",
    numprocesses=2,
    stdout=LogFile(path="pipe", max_bytes=1, backups=0, max_age=60),
    stderr="stdout",
    stdin=True,
    custom_streams=("data",),
    order=-1,
    autostart=False,
    stop_signal="INT",
    graceful_timeout=1,
    restart="unexpected",
    exit_codes=frozenset({0, 2}),
    backoff=Backoff(attempts=None),
    flapping=None,
    readiness=Readiness(line="ready", seconds=1),
    liveness=Liveness(command=("curl", "x")),
    max_age=3600,
    detach=True,
    lost_timeout=1,
)


# -- there and back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        FULL,
        ProcessTemplate("a", "b | c", shell=True),
        ProcessTemplate("a", "b", flapping=Flapping(max_retry=None)),
    ],
)
def test_there_and_back_through_json(template: ProcessTemplate) -> None:
    """Nothing is lost."""
    assert template_from(json.loads(json.dumps(template_to(template)))) == template


@settings(max_examples=30)
@given(
    strategies.builds(
        ProcessTemplate,
        strategies.from_regex(r"[a-z0-9_][a-z0-9_-]{0,9}", fullmatch=True),
        strategies.lists(strategies.from_regex(r"[^\0$]+", fullmatch=True), min_size=1).filter(
            lambda words: words[0].strip() != ""
        ),
        args=strategies.lists(strategies.from_regex(r"[^\0$]*", fullmatch=True)),
        umask=strategies.none() | strategies.integers(0, 0o777),
        user=strategies.none() | strategies.integers(0, 70000) | strategies.just("www"),
        rlimits=strategies.dictionaries(strategies.sampled_from(["core", "nofile"]), strategies.integers(-1)),
        numprocesses=strategies.integers(0, 10_000),
        stdout=strategies.sampled_from(["pipe", "null", "inherit"])
        | strategies.builds(LogFile, path=strategies.sampled_from(["a", "null", "%(name)s"])),
        exit_codes=strategies.frozensets(strategies.integers(0, 255)),
        stop_signal=strategies.integers(1, 64).filter(lambda number: number not in (32, 33)),
        graceful_timeout=strategies.floats(0, 1e9),
    )
)
def test_there_and_back_for_any_template(template: ProcessTemplate) -> None:
    """Nothing is lost, whatever it is."""
    assert template_from(template_to(template)) == template


def test_every_field_is_there() -> None:
    """With the name that it has in Python."""
    assert list(template_to(FULL)) == list(ProcessTemplate.__dataclass_fields__)[:2] + [
        each for each in list(ProcessTemplate.__dataclass_fields__)[2:] if each != "_"
    ]


def test_variables_can_be_hidden() -> None:
    """Their names are told."""
    assert template_to(FULL, hide_env=True)["env"] == {"A": HIDDEN}


# -- what people write ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "written", "kept"),
    [
        ("graceful_timeout", "1.5m", 90.0),
        ("max_age", "1d", 86400.0),
        ("env", {"A": 1, "B": "x"}, {"A": "1", "B": "x"}),
        ("umask", "022", 0o022),
        ("umask", "0o22", 0o022),
        ("rlimits", {"as": "1GB", "core": ["1k", "unlimited"]}, {"as": 1 << 30, "core": (1024, -1)}),
        ("stdout", "log/a.log", LogFile(path="log/a.log")),
        (
            "stdout",
            {"path": "a", "max_bytes": "1MB", "max_age": "1d"},
            LogFile(path="a", max_bytes=1 << 20, max_age=86400),
        ),
        ("stderr", "stdout", "stdout"),
        ("flapping", False, None),
        ("liveness", None, None),
        ("backoff", {"attempts": "unlimited"}, Backoff(attempts=None)),
        ("flapping", {"window": "1m", "max_retry": "unlimited"}, Flapping(window=60, max_retry=None)),
        ("readiness", {"tcp": "80", "timeout": "1m"}, Readiness(tcp="80", timeout=60)),
        ("liveness", {"tcp": 80}, Liveness(tcp="80")),
        ("exit_codes", [0, 1], frozenset({0, 1})),
    ],
)
def test_what_is_convenient_in_a_file(field: str, written: Any, kept: Any) -> None:
    """It is the same as what the class takes."""
    assert getattr(_from(**{field: written}), field) == kept


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"comand": "x"}, "comand: there is no such field; did you mean 'command'?"),
        ({"xyz": "x"}, "xyz: there is no such field"),
        ({"_": 1}, "_: there is no such field"),
        ({"cmd": "x"}, "cmd: there is no such field; here it is command"),
        ({"startsecs": 1}, "startsecs: there is no such field; here it is readiness.seconds"),
        ({"redirect_stderr": True}, 'redirect_stderr: there is no such field; here it is stderr = "stdout"'),
        ({"backoff": {"facto": 1}}, "backoff.facto: there is no such field; did you mean 'factor'?"),
        ({"backoff": {"factor": 0}}, "backoff.factor 0: 1 or more is needed"),
        (
            {"backoff": {"initial": "soon"}},
            'backoff.initial \'soon\': a time is seconds, or text like "500ms", "10s", "5m", "2h"',
        ),
        ({"backoff": False}, "backoff: a table is needed, not true or false"),
        ({"flapping": True}, "flapping: a table, or false, is needed, not true or false"),
        ({"stdout": {"path": "a/"}}, "stdout.path 'a/': this is a directory, and a file is needed"),
        ({"stdout": {"backups": 3}}, "stdout.path: it is missing"),
        (
            {"stdout": {"path": "a", "max_bytes": "big"}},
            'stdout.max_bytes \'big\': a size is bytes, or text like "500kB", "50MB", "1GB"',
        ),
        ({"stdout": 3}, "stdout: pipe, null, inherit, a path or a table is needed, not a number"),
        ({"stdout": "stdout"}, "stdout 'stdout': pipe, null, inherit or a LogFile is needed"),
        ({"env": [1]}, "env: a table of variables is needed, not a list"),
        ({"env": {"A": True}}, "env.A: text is needed, not bool"),
        ({"rlimits": 1}, "rlimits: a table of limits is needed, not a number"),
        (
            {"rlimits": {"core": "x"}},
            'rlimits.core \'x\': a size is bytes, or text like "500kB", "50MB", "1GB"',
        ),
        ({"umask": 22}, 'umask 22: octal digits in quotes are needed, as in umask = "022"'),
        ({"umask": "9"}, "umask '9': octal digits in quotes are needed, as in umask = \"022\""),
        ({"stop_signal": "FOO"}, "stop_signal 'FOO': no such signal; kill -l lists them"),
    ],
)
def test_what_can_never_work(fields: dict[str, Any], reason: str) -> None:
    """The message has the place, the field, and what would be right."""
    mapping = {"name": "web", "command": "true", **fields}

    assert _refused(mapping) == f"template 'web': {reason}"
    assert _refused(mapping, "x.toml:3") == f"x.toml:3: {reason}"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"name": "web"}, "template 'web': command: it is missing"),
        ({"command": "x"}, "template: name: it is missing"),
        ([], "template: a table is needed"),
        (None, "template: a table is needed"),
        ({"name": 3, "command": "x"}, "template: name: text is needed, not a number"),
        ({3: 4}, "template: 3: there is no such field"),
    ],
)
def test_no_template_at_all(mapping: Any, message: str) -> None:
    """Also what comes from the network, which may be anything."""
    assert _refused(mapping) == message
