"""What holds in the end."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from asynctask.cli.request import Request
from asynctask.cli.settings import load
from asynctask.cli.settings.keys import KEYS
from asynctask.errors import UsageError
from tests.cli.settings.machine import Machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

OWN = "~/.config/asynctask/config.toml"


def test_without_any_file(machine: Machine) -> None:
    """All is as it is by default."""
    settings = load()

    assert {name: (settings.get(name), settings.source(name)) for name in settings.keys()} == {  # noqa: SIM118
        name: (key.default, "default") for name, key in KEYS.items()
    }
    assert settings.warnings == ()
    assert {file.state for file in settings.files} == {"not there"}
    assert Request(targets=("a",), **settings.apply({})) == Request(targets=("a",))


def test_each_place_counts_more_than_the_one_before(machine: Machine) -> None:
    """From the default to the command line."""
    seen: list[tuple[Any, str]] = []

    def look(**options: Any) -> None:
        settings = load(**options)
        seen.append((settings.get("fanout"), settings.source("fanout")))

    look()
    site = machine.clush("[Main]\nfanout: 1\n")
    look()
    machine.clush_of_user("[Main]\nfanout: 2\n")
    look()
    all_users = machine.own_of_all("fanout = 3\n[mode.m]\nfanout = 5\n")
    look()
    machine.own("fanout = 4\n")
    look()
    look(mode="m")
    look(mode="m", overrides=["fanout=6", "fanout = 7"])

    assert seen == [
        (64, "default"),
        (1, str(site)),
        (2, "~/.config/clustershell/clush.conf"),
        (3, str(all_users)),
        (4, OWN),
        (5, f"{all_users}, mode m"),
        (7, "-O"),
    ]
    settings = load(mode="m", overrides=["fanout=6"])
    assert settings.apply({"fanout": 8})["fanout"] == 8
    assert settings.apply({})["fanout"] == 6


@pytest.mark.parametrize(
    ("key", "text", "field", "value", "given"),
    [
        ("fanout", "9", "fanout", 9, 1),
        ("color", "always", "color", "always", "never"),
        ("node_count", "no", "node_count", False, True),
        ("connect_timeout", "3", "connect_timeout", 3.0, 99.0),
        ("command_timeout", "0", "command_timeout", math.inf, 99.0),
        ("maxrc", "yes", "maxrc", True, False),
        ("verbosity", "2", "verbosity", 2, 0),
        ("ssh_user", "op", "user", "op", "me"),
        ("ssh_options", "-v", "ssh_options", "-v", "-q"),
        ("command_prefix", "nice", "prefix", "nice", ""),
    ],
)
def test_a_mode_of_clush_counts(
    machine: Machine, key: str, text: str, field: str, value: Any, given: Any
) -> None:
    """Every key of it, and less than the command line: in clush some do not, and some beat it."""
    machine.clush(f"[mode:m]\n{key}: {text}\n")
    settings = load(mode="m")

    assert settings.apply({})[field] == value
    assert settings.apply({field: given})[field] == given


def test_the_same_files_say_the_same_to_clush(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys, from the files that it reads, in the order in which they count."""
    from ClusterShell.CLI.Config import ClushConfig

    site = machine.clush(
        "[Main]\nfanout: 3\nconnect_timeout: 7.5\ncommand_timeout: 60\ncolor: never\nverbosity: 2\n"
        "node_count: off\nmaxrc: 1\nssh_user: op\nssh_options: -o A=%%h\nconfdir: $CFGDIR/d\n"
    )
    user = machine.clush_of_user("[Main]\nfanout: 4\nconfdir: $CFGDIR/none $CFGDIR/d\n[mode:m]\nmaxrc: no\n")
    (user.parent / "d").mkdir()
    (user.parent / "d" / "a.conf").write_text(
        "[mode:m]\nfanout: 5\ncolor: always\ncommand_prefix: nice -n 5\n"
    )
    monkeypatch.setattr("ClusterShell.CLI.Config.config_paths", lambda name: [str(site), str(user)])
    switches = dict.fromkeys(("quiet", "verbose", "debug", "maxrc"), False)
    texts = dict.fromkeys(("fanout", "user", "options", "connect_timeout", "command_timeout", "whencolor"))
    theirs = ClushConfig(SimpleNamespace(**switches, **texts, option=[]))
    names = (
        *("fanout", "connect_timeout", "command_timeout", "color", "verbosity", "node_count", "maxrc"),
        *("ssh_user", "ssh_options", "command_prefix", "password_prompt"),
    )

    for mode in (None, "m"):
        if mode is not None:
            theirs.set_mode(mode)
        ours = load(mode=mode)
        assert {name: ours.get(name) for name in names} == {name: getattr(theirs, name) for name in names}


def test_a_mode_is_taken_whole(machine: Machine) -> None:
    """The user's own has nothing of the site's: a command would be run by sudo twice."""
    machine.clush("[mode:sudo]\ncommand_prefix: sudo -n\nfanout: 3\n")
    site = load(mode="sudo")
    machine.own("[mode.sudo]\nsudo = 'root'\n")
    user = load(mode="sudo")

    assert [site.get(key) for key in ("sudo", "command_prefix", "fanout")] == [None, "sudo -n", 3]
    assert [user.get(key) for key in ("sudo", "command_prefix", "fanout")] == ["root", "", 64]


def test_a_mode_that_is_built_in(machine: Machine) -> None:
    """``sudo`` works without any file."""
    settings = load(mode="sudo")

    assert (settings.get("sudo"), settings.source("sudo")) == ("root", "built in, mode sudo")
    assert settings.apply({})["sudo"] == "root"
    assert load().apply({})["sudo"] is None


def test_the_modes_that_come_with_clush(machine: Machine) -> None:
    """They ask for the same passwords, and the library does the rest."""
    machine.clush(
        "[mode:sudo]\npassword_prompt: yes\ncommand_prefix: /usr/bin/sudo -S -p \"''\"\n"
        "[mode:sshpass]\npassword_prompt: yes\nssh_path: /usr/bin/sshpass /usr/bin/ssh\n"
        "ssh_options: -oBatchMode=no\n"
    )

    sudo, sshpass = (load(mode=mode).apply({}) for mode in ("sudo", "sshpass"))

    assert (sudo["sudo"], sudo["prefix"], sudo["password_prompt"]) == ("root", "", False)
    assert (sshpass["ask_login"], sshpass["ssh_path"], sshpass["password_prompt"]) == (True, "", False)
    assert sshpass["ssh_options"] == "-oBatchMode=no"


def test_the_modes_are_listed(machine: Machine) -> None:
    """By name, each with its file; one that makes no sense, and that nobody has chosen, is no error."""
    path = machine.clush("[mode:b]\nfanout: many\nmaxrc: yes\n")
    machine.own("[mode.a]\ndeadline = 0\n[mode.c]\n")

    assert load().modes() == (
        ("a", OWN, {"deadline": math.inf}),
        ("b", str(path), {"fanout": "many", "maxrc": True}),
        ("c", "", {}),
        ("sudo", "built in", {"sudo": "root"}),
    )
    with pytest.raises(UsageError, match=r'clush\.conf, mode b: fanout = "many"; it takes a whole number'):
        load(mode="b")


def test_a_wrong_value_that_does_not_count(machine: Machine) -> None:
    """In a file of the site that the user cannot mend, and has overruled."""
    machine.clush("[Main]\nfanout: many\n")

    with pytest.raises(UsageError, match=r'clush\.conf: fanout = "many"'):
        load()
    assert load(overrides=["fanout=3"]).get("fanout") == 3


def test_a_configured_order_of_outputs_is_no_display(machine: Machine) -> None:
    """It holds where they are gathered."""
    machine.own('outliers = "last"')

    assert not Request(targets=("a",), **load().apply({})).at_end


def test_a_display_of_the_command_line_is_the_only_one(machine: Machine) -> None:
    """Who asks for another one than usual has not asked for both."""
    machine.own("gather = true\nregroup = true\n")
    settings = load()

    assert settings.apply({})["gather"] is True
    fields = settings.apply({"by_node": True})
    assert (fields["gather"], fields["by_node"], fields["regroup"]) == (False, True, True)


def test_what_is_given_besides(machine: Machine) -> None:
    """Fields that no key has are handed on."""
    assert load().apply({"outdir": "x"})["outdir"] == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fanout", "-O fanout: KEY=VALUE is expected, such as fanout=16"),
        ("=3", "-O =3: unknown key ''; asynctask config lists the keys"),
        ("fanuot=3", "-O fanuot=3: unknown key 'fanuot'; did you mean 'fanout'?"),
        ("fanout=many", "-O fanout=many: it takes a whole number from 1"),
    ],
)
def test_an_override_that_makes_no_sense(machine: Machine, text: str, message: str) -> None:
    """Is wrong usage."""
    with pytest.raises(click.UsageError) as error:
        load(overrides=[text])

    assert error.value.message == message


def test_an_override_may_have_anything_in_it(machine: Machine) -> None:
    """Only the first ``=`` is between key and value; empty is as nobody had said anything."""
    settings = load(overrides=["ssh_options=-o A=b", "SSH-User=", "maxrc=on"])

    assert [settings.get(key) for key in ("ssh_options", "ssh_user", "maxrc")] == ["-o A=b", None, True]


def test_an_unknown_mode(machine: Machine) -> None:
    """The error lists those that there are."""
    machine.own("[mode.careful]\n")

    with pytest.raises(click.UsageError) as error:
        load(mode="carefull")
    assert error.value.message == "-m carefull: there is no such mode; known are careful, sudo"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", "fanout = 5\n"),
        ("x.conf", "[Main]\nfanout: 5\n"),
        ("x", "# clush\n [Main]\nfanout: 5\n"),
        ("y", "fanout = 5\n[mode.x]\n"),
    ],
)
def test_one_file_alone(machine: Machine, tmp_path: Path, name: str, text: str) -> None:
    """Of either kind; nothing else is looked at."""
    machine.own("fanout = 1\nmaxrc = true\n")
    machine.clush("[Main]\nnode_count: no\n")
    path = tmp_path / name
    path.write_text(text)

    settings = load(conf=str(path))

    assert [settings.get(key) for key in ("fanout", "maxrc", "node_count")] == [5, False, True]
    assert [file.path for file in settings.files] == [path]


def test_one_file_alone_and_what_it_includes(machine: Machine, tmp_path: Path) -> None:
    """Its directory is ``$CFGDIR``."""
    (tmp_path / "x.conf").write_text("[Main]\nconfdir: $CFGDIR/d\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.conf").write_text("[Main]\nfanout: 5\n")

    settings = load(conf=str(tmp_path / "x.conf"))

    assert settings.get("fanout") == 5
    assert [file.path.name for file in settings.files] == ["x.conf", "a.conf"]


def test_one_file_that_is_not_there(tmp_path: Path) -> None:
    """Is an error: it was named."""
    with pytest.raises(UsageError, match=r"nothing: No such file or directory$"):
        load(conf=str(tmp_path / "nothing"))


def test_what_was_looked_for(machine: Machine) -> None:
    """The most important last, with the warnings of all."""
    included = machine.clush("[Main]\nnonsense: 3\n", "d/a.conf")
    machine.clush("[Main]\nconfdir: $CFGDIR/d\n")
    machine.own("").chmod(0o666)

    settings = load()

    assert [(file.path.name, file.state) for file in settings.files] == [
        ("clush.conf", "read"),
        ("clush.conf", "not there"),
        ("clush.conf", "not there"),
        ("a.conf", "read"),
        ("config.toml", "not there"),
        ("config.toml", "read"),
    ]
    assert settings.warnings == (
        f"configuration {OWN}: everybody can write to it; chmod o-w",
        f"{included}: unknown key 'nonsense'; asynctask config lists the keys",
    )


def test_it_starts_without_what_it_does_not_need(machine: Machine) -> None:
    """Without files none of what reads them is imported: start-up is felt at every call."""
    code = (
        "import sys\n"
        "from asynctask.cli.settings import load\n"
        "load().apply({})\n"
        "names = {'asyncssh', 'asyncio', 'configparser', 'difflib', 'json', 'tomllib'}\n"
        "print(sorted(names & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
