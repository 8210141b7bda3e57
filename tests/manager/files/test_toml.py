"""Tests of asynctask.manager.files.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import TemplateError
from asynctask.manager.files.model import ManagerSettings
from asynctask.manager.files.toml import TomlFile
from asynctask.manager.template import Backoff, LogFile, ProcessTemplate

pytestmark = pytest.mark.one_loop("nothing here waits")

SRV = Path("/srv")
WEB = '[process.web]\ncommand = "x"\n'


def _templates(text: str, **more: Any) -> dict[str, ProcessTemplate]:
    return TomlFile(text, source="x.toml", directory=SRV).templates(**more)


def _refused(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        _read(text)
    return str(caught.value)


def _read(text: str) -> None:
    file = TomlFile(text, source="x.toml", directory=SRV)
    file.settings()
    file.templates()


# -- what it says ---------------------------------------------------------------------------------------


def test_a_file() -> None:
    """Tables of templates in their order, with tables in them; paths are relative to the file."""
    text = """
[env]
LEVEL = "info"
SHARED = 1
[process.web]
command = "gunicorn -b :$PORT"
port = 8000
cwd = "app"
stdout = "log/%(name)s.log"
stderr = { path = "/var/log/err", max_bytes = "1MB" }
env = { LEVEL = "debug" }
[process.web.backoff]
factor = 3
[process.a]
command = ["a", "b"]
"""
    assert list(_templates(text).items()) == [
        (
            "web",
            ProcessTemplate(
                "web",
                "gunicorn -b :$PORT",
                port=8000,
                cwd="/srv/app",
                stdout=LogFile(path="/srv/log/%(name)s.log"),
                stderr=LogFile(path="/var/log/err", max_bytes=1 << 20),
                env={"LEVEL": "debug", "SHARED": "1"},
                backoff=Backoff(factor=3),
            ),
        ),
        ("a", ProcessTemplate("a", ("a", "b"), cwd="/srv", env={"LEVEL": "info", "SHARED": "1"})),
    ]


def test_the_order_of_environments() -> None:
    """The own one of a template goes before what is given, and that before the one of all."""
    text = '[env]\nA = "file"\nB = "file"\nC = "file"\n[process.web]\ncommand = "x"\nenv = { A = "own" }'

    assert _templates(text, env={"A": "given", "B": "given"})["web"].env == {
        "A": "own",
        "B": "given",
        "C": "file",
    }


def test_a_port_that_is_handed_out_can_be_looked_at() -> None:
    """The table itself says nothing of it."""
    text = f'{WEB}readiness.tcp = "$PORT"\n'
    assert _templates(text, port=6000)["web"].port == 6000
    with pytest.raises(
        TemplateError, match=r"^x\.toml:3: \[process\.web\]: readiness\.tcp '\$PORT': it needs"
    ):
        _templates(text)


def test_ports_are_handed_out_where_nothing_is_said_of_them() -> None:
    """By place in the file; what says something keeps it, whatever the environment of all has."""
    text = """
[env]
PORT = 1
[process.a]
command = "x"
[process.b]
command = "x"
port = 80
[process.c]
command = "x"
env = { PORT = 81 }
[process.d]
command = "x"
"""
    templates = _templates(text, port=6000)

    assert [each.port for each in templates.values()] == [6000, 80, None, 6300]
    assert [each.env.get("PORT") for each in templates.values()] == [None, None, "81", None]
    assert [(each.port, each.env.get("PORT")) for each in _templates(text).values()] == [
        (None, "1"),
        (80, None),
        (None, "81"),
        (None, "1"),
    ]


def test_on_nodes_directories_are_not_ours() -> None:
    """But log files are, which the manager writes."""
    text = '[process.web]\ncommand = "x"\nnodes = "n[1-2],@g"\nstdout = "%(node)s.log"\n'

    assert _templates(text)["web"].cwd is None
    assert _templates(f'{text}cwd = "a"')["web"].cwd == "a"
    assert _templates(text)["web"].stdout == LogFile(path="/srv/%(node)s.log")


def test_home_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``~`` is that of who runs the manager."""
    monkeypatch.setenv("HOME", "/home/me")
    web = _templates(f'{WEB}cwd = "~/app"\nstdout = "~/log/%(name)s"')["web"]

    assert (web.cwd, web.stdout) == ("/home/me/app", LogFile(path="/home/me/log/%(name)s"))


def test_settings() -> None:
    """Of the manager."""
    text = '[manager]\nname = "shop"\nsocket = "run/s"\nhttp = 8080\nenv_files = [".env", "/etc/env"]\n'

    assert TomlFile(text, directory=SRV).settings() == ManagerSettings(
        name="shop", socket=SRV / "run/s", http="8080", env_files=(SRV / ".env", Path("/etc/env"))
    )
    assert TomlFile("", directory=SRV).settings() == ManagerSettings()
    assert TomlFile('[manager]\nenv_files = "a"', directory=SRV).settings().env_files == (SRV / "a",)


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.toml: there is no process in it: begin a table [process.NAME]"),
        ("\n[proces.web]", "x.toml:2: unknown table 'proces'; did you mean 'process'?"),
        ("a = 1", "x.toml:1: unknown key 'a'; there are [process.NAME], [env], [manager]"),
        ("process = 1", "x.toml:1: process is a table: write [process.NAME] above it"),
        ("\n[[process]]\n", "x.toml:2: process is a table: write [process.NAME] above it"),
        ("[process]\n\nweb = 'x'", "x.toml:3: [process.web] is a table, with command = ..."),
        ("[process.web]", "x.toml:1: [process.web]: command: it is missing"),
        (f"{WEB}\ncmd = 1", "x.toml:4: [process.web]: cmd: there is no such field; here it is command"),
        (
            f"{WEB}stop_signal = 'FOO'",
            "x.toml:3: [process.web]: stop_signal 'FOO': no such signal; kill -l lists them",
        ),
        (
            f"{WEB}[process.web.backoff]\njitter = 0\nfactor = 0",
            "x.toml:5: [process.web]: backoff.factor 0: 1 or more is needed",
        ),
        (f"{WEB}backoff.factor = 0", "x.toml:3: [process.web]: backoff.factor 0: 1 or more is needed"),
        (
            f"{WEB}backoff = {{ factor = 0 }}",
            "x.toml:3: [process.web]: backoff.factor 0: 1 or more is needed",
        ),
        (
            f"{WEB}stdout = 'a/'",
            "x.toml:3: [process.web]: stdout.path 'a/': this is a directory, and a file is needed",
        ),
        (
            f"{WEB}name = 'x'",
            "x.toml:3: [process.web]: name: the name is that of the table: leave this line out",
        ),
        (
            "[process.'+']\ncommand = 'x'",
            "x.toml:1: [process.+]: name '+': a name has letters, digits, _ and -, and does not begin with -",
        ),
        (
            f"{WEB}nodes = 'n[1-'",
            "x.toml:3: [process.web]: nodes 'n[1-': node set 'n[1-': missing bracket: \"n[1-\"",
        ),
        (
            f"{WEB}port = 1\nenv.PORT = 2",
            "x.toml:3: [process.web]: port: env has PORT, too: give one of them",
        ),
        (
            f"{WEB}max_age = 2020-01-01",
            "x.toml:3: [process.web]: max_age: a number of seconds is needed, not date",
        ),
        (f"{WEB}[env]\nA = 1\nB = true", "x.toml:5: [env]: B: text is needed, not bool"),
        (
            f"{WEB}[manager]\nnam = 1",
            "x.toml:4: [manager]: there is no such setting: 'nam'; did you mean 'name'?",
        ),
        (
            f"{WEB}[manager]\nhttp = 0",
            "x.toml:4: [manager]: http '0': a port from 1 to 65535 is needed, or \"host:port\"",
        ),
        (
            f"{WEB}[manager]\nenv_files = 0",
            "x.toml:4: [manager]: env_files: a list of texts is needed, not a number",
        ),
        (f"a = {'9' * 5000}", "x.toml: a number has too many digits"),
        (f"a = {'[' * 5000}", "x.toml: brackets are nested too deeply"),
    ],
)
def test_what_can_never_work(text: str, message: str) -> None:
    """The file, the line, the field, and what would be right."""
    assert _refused(text) == message


@pytest.mark.parametrize(("text", "line"), [("x = ", 3), ("x = [1,\n", 4), ("x = 1\nx = 2", 4)])
def test_no_toml(text: str, line: int) -> None:
    """The line is told, also where the end of the file is what is wrong; the reason is that of the parser."""
    assert re.fullmatch(rf"x\.toml:{line}: this is no TOML: [A-Z].*", _refused(f"{WEB}{text}"))


def test_no_value_of_a_variable_is_told() -> None:
    """It may be a secret."""
    message = _refused(f'{WEB}[env]\nA = "sec\\u0000ret"')

    assert message == "x.toml:4: [env]: A: it cannot hold a NUL character"
