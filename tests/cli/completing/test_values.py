"""What a value can be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest

from asynctask import cli
from asynctask.cli.completing import values as module
from asynctask.cli.completing.hosts import known_names
from asynctask.cli.completing.place import find_place
from asynctask.cli.completing.values import Item, offers
from asynctask.cli.controlling import connecting
from asynctask.cli.group import group

pytestmark = pytest.mark.one_loop("no loop is used")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose SSH knows three hosts."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text("web2 x\nweb1 x\ndb1 x\nweb2 y\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(module, "known_names", lambda home: known_names(home, tmp_path))
    monkeypatch.setattr(module, "within", _at_once)
    return tmp_path


def _at_once(seconds: float, function: Callable[[], Iterable[str]]) -> list[str]:
    """Without a process of its own; it has its own tests."""
    return list(function())


@click.group()
def tool() -> None:
    """A program that takes everything."""


@tool.command("all", context_settings={"allow_interspersed_args": False})
@click.option("-w", "--nodes", metavar="NODES", multiple=True, help="Run on these. And so on.")
@click.option("-g", "--group", metavar="GROUP", multiple=True)
@click.option("-s", "--groupsource", metavar="SOURCE")
@click.option("--groupsconf", metavar="FILE")
@click.option("-J", "--jump", metavar="HOSTS")
@click.option("--color", type=click.Choice(["never", "always", "auto"]), help="x" * 100)
@click.option("--path", type=click.Path(file_okay=False))
@click.option("--outdir", metavar="DIR")
@click.option("-R", metavar="WORKER")
@click.option("-m", "--mode", metavar="MODE")
@click.option("-O", metavar="KEY=VALUE")
@click.option("--check", metavar="COMMAND")
@click.option("--connect-timeout", "--connect_timeout", metavar="S")
@click.option("-v", "verbose", count=True)
@click.option("--history/--no-history", default=None)
@click.option("--secret", hidden=True)
@click.option("--copy", is_flag=True)
@click.argument("words", nargs=-1, metavar="COMMAND...")
def all_options(**_: object) -> None:
    """One of each."""


@tool.command()
@click.argument("ids", nargs=2, metavar="ID1 ID2")
def diff(**_: object) -> None:
    """Two runs."""


@tool.command()
@click.argument("words", nargs=-1, metavar="[URL] [-- COMMAND...]")
def watch(**_: object) -> None:
    """Two kinds of words."""


def _offered(line: str) -> list[Item]:
    assert isinstance(tool, click.Group)
    *words, text = line.split(" ")
    place = find_place(tool, words, text)
    assert place is not None
    return offers(place)


def _words(line: str) -> list[str]:
    return [item.value for item in _offered(line)]


def test_sub_commands() -> None:
    """With what they do, and none of them is imported for that."""
    place = find_place(group({"nodes": "Fold.", "run": "Run.", "nothing there": "No."}), [], "n")
    assert place is not None

    assert offers(place) == [Item("nodes", help="Fold."), Item("nothing there", help="No.")]


def test_all_of_them_are_there() -> None:
    """Those of the program itself."""
    place = find_place(group(cli._COMMANDS), [], "")
    assert place is not None

    assert [item.value for item in offers(place)] == list(cli._COMMANDS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("all --c", ["--color", "--check", "--connect-timeout", "--copy"]),
        ("all --color x --c", ["--check", "--connect-timeout", "--copy"]),
        ("all -w n1 --no", ["--nodes", "--no-history"]),
        ("all -v -v", ["-v"]),
        ("all --se", []),
        ("all -x", []),
    ],
)
def test_options(line: str, words: list[str]) -> None:
    """Not again what may come once; nothing hidden; not clush's spelling."""
    assert _words(line) == words


def test_options_say_what_they_are_for() -> None:
    """In a sentence, and not a long one."""
    assert _offered("all --nod") == [Item("--nodes", help="Run on these")]
    assert [len(item.help) for item in _offered("all --colo")] == [70]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("all --color a", ["always", "auto"]),
        ("all --color=ne", ["--color=never"]),
        ("all -R ", ["exec", "openssh", "ssh"]),
        ("all -w w", ["web1", "web2"]),
        ("all -w", ["-w"]),
        ("all -w ", ["db1", "web1", "web2", "@"]),
        ("all -wdb", ["-wdb1"]),
        ("all -w x[1,2],w", ["x[1,2],web1", "x[1,2],web2"]),
        ("all -w x!d", ["x!db1"]),
        ("all -w x[1,", []),
        ("all -J web1,d", ["web1,db1"]),
        ("all --connect-timeout ", []),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    """Choices, workers, hosts; of a node set the last part."""
    assert _words(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("all -w @w", ["@web"]),
        ("all -w web1,@f", ["web1,@file:", "web1,@front"]),
        ("all -w @shell:", ["@shell:cpu", "@shell:gpu"]),
        ("all -s shell -w @", ["@cpu", "@gpu", "@broken:", "@file:", "@mute:", "@shell:"]),
        ("all -w @shell:c", ["@shell:cpu"]),
        ("all -g w", ["web"]),
        ("all -g web,d", ["web,db"]),
        ("all -s s", ["shell"]),
        ("all -w @broken:", []),
        ("all -w @nowhere:", []),
    ],
)
def test_groups(line: str, words: list[str], site_groups: Path) -> None:
    """Of the source that is meant, and the other sources; a source that fails has none."""
    assert sorted(_words(line)) == sorted(words)


def test_groups_of_another_configuration(tmp_path: Path, site_groups: Path) -> None:
    """That of --groupsconf."""
    from ClusterShell.NodeSet import set_std_group_resolver_config

    other = tmp_path / "other.conf"
    other.write_text("[Main]\ndefault: only\n[only]\nmap: echo n1\nlist: echo here\n")

    assert _words(f"all --groupsconf {other} -g ") == ["here", "only:"]
    set_std_group_resolver_config(str(site_groups))


def test_a_source_may_be_followed() -> None:
    """No blank is put behind it, nor behind a node; behind a group there is."""
    kinds = {"@s:": "open", "@g": "plain"}
    found = {item.value: item.kind for item in _with_groups(list(kinds))}

    assert found == kinds
    assert {item.kind for item in _offered("all -w w")} == {"open"}


def _with_groups(names: list[str]) -> Iterator[Item]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "within", lambda seconds, function: names)
        yield from _offered("all -w @")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("all --path x", "dir"),
        ("all --outdir x", "dir"),
        ("all --groupsconf x", "file"),
        ("all --check x", "command"),
        ("all x", "command"),
        ("all ls x", "file"),
        ("all -- x", "command"),
        ("all --copy x", "file"),
        ("all --copy y x", "file"),
        ("watch x", "file"),
        ("watch url -- x", "command"),
        ("watch url -- y x", "file"),
    ],
)
def test_what_the_shell_knows_itself(line: str, kind: str) -> None:
    """Files, directories, commands."""
    assert _offered(line) == [Item("x", kind)]


def test_runs_of_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last first, each with its command."""

    class History:
        def __enter__(self) -> str:
            return "connection"

        def __exit__(self, *_: object) -> None:
            return

    runs = [SimpleNamespace(id=12, command="uptime"), SimpleNamespace(id=3, command="a\n b. c")]
    reading = ModuleType("asynctask.cli.past.reading")
    vars(reading).update(open_history=History, read_runs=lambda connection, most: runs)
    monkeypatch.setitem(sys.modules, "asynctask.cli.past.reading", reading)

    assert _offered("diff ") == [Item("12", help="uptime"), Item("3", help="a b. c")]
    assert _words("diff 12 3") == ["3"]


def test_modes_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the configuration that is in force."""
    settings = SimpleNamespace(
        modes=lambda: (SimpleNamespace(name="sudo", source="built in"),), keys=lambda: ("fanout", "color")
    )
    loading = ModuleType("asynctask.cli.settings.loading")
    vars(loading).update(load=lambda conf=None: settings)
    monkeypatch.setitem(sys.modules, "asynctask.cli.settings.loading", loading)

    assert _offered("all -m s") == [Item("sudo", help="built in")]
    assert _offered("all -O f") == [Item("fanout=", "open")]


@pytest.mark.parametrize(
    ("line", "items"),
    [
        ("stop w", [Item("web"), Item("worker")]),
        ("scale web=2 wo", [Item("worker=", "open")]),
        ("send d", [Item("db")]),
        ("send db w", []),
        ("send --stream w", []),
    ],
)
def test_templates_of_a_manager(line: str, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the one that the options say; a number follows where one is set."""
    asked: list[tuple[str | None, str | None]] = []

    class Client:
        def __init__(self, file: str | None, socket: str | None) -> None:
            asked.append((file, socket))

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def call(self, operation: str) -> dict[str, list[str]]:
            assert operation == "list"
            return {"names": ["web", "worker", "db"]}

    monkeypatch.setattr(connecting, "connect", Client)
    command, _, rest = line.partition(" ")
    place = find_place(group(cli._COMMANDS), [command, "-f", "app", *rest.split()[:-1]], rest.split()[-1])
    assert place is not None
    assert offers(place) == items
    assert asked == ([("app", None)] if items else [])


@pytest.mark.parametrize("line", ["diff ", "all -m ", "all -w w"])
def test_whatever_fails(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is offered; no traceback."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(sys.modules, "asynctask.cli.past.reading", None)
    monkeypatch.setitem(sys.modules, "asynctask.cli.settings.loading", None)
    monkeypatch.setattr(module, "known_names", fail)

    assert _offered(line) == []


def test_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that shows thousands helps nobody."""
    monkeypatch.setattr(module, "known_names", lambda home: (f"web{number}" for number in range(5000)))

    assert len(_offered("all -w web")) == 1000
