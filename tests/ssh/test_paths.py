"""Tests of asynctask.ssh.paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynctask.ssh import paths as module
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.config_tokens import expand_user
from asynctask.ssh.paths import ConfigPaths

MakePaths = Callable[..., ConfigPaths]


@pytest.fixture
def made(tmp_path: Path) -> MakePaths:
    """Makes the names of files for node ``a``, which is ``b.example``, port 77, for user bob."""

    def make(text: str = "", plain: dict[str, Path] | None = None) -> ConfigPaths:
        config = tmp_path / "config"
        config.write_text(text)
        about = ("a", "b.example", 77, "bob", "tom")
        return ConfigPaths(SSHConfig([config]).lookup("a"), {} if plain is None else plain, *about)

    return make


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/x/%n", "/x/a"),
        ("/%h:%p/%r", "/b.example:77/bob"),
        ("/%u", "/tom"),
        ("/%k", "/a"),
        ("/%i", f"/{os.getuid()}"),
        ("/100%%", "/100%"),
        ("/%%h", "/%h"),
        ("/%y", "/%y"),
        ("plain", "plain"),
    ],
)
def test_tokens(made: MakePaths, text: str, expected: str) -> None:
    """Those that OpenSSH has, and nothing else."""
    assert made().one(text) == Path(expected)


def test_the_alias_stands_for_the_key(made: MakePaths) -> None:
    """``%k`` is the name under which its key is known."""
    assert made("HostKeyAlias gate\n").one("/%k") == Path("/gate")


def test_the_jump(made: MakePaths) -> None:
    """``%j`` is the way as it is configured."""
    assert made("ProxyJump x,y\n").one("/%j") == Path("/x,y")
    assert made("ProxyJump none\n").one("/x%j/z") == Path("/x/z")


def test_homes(made: MakePaths, home: Path) -> None:
    """``~`` is ours; that of nobody stays."""
    names = made()
    assert names.one("~/x") == home / "x"
    assert names.one("~/%n") == home / "a"
    assert names.one("%d/x") == home / "x"
    assert names.one("~no-such-user/x") == Path("~no-such-user/x")


def test_variables(made: MakePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """``${NAME}`` of the environment; others stay, and a ``$`` alone is one."""
    monkeypatch.setenv("PLACE", "some where")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert made().one("${PLACE}/$PLACE/${NOWHERE}") == Path("some where/$PLACE/${NOWHERE}")


def test_what_a_variable_holds_is_taken_as_it_is(made: MakePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token in it is expanded."""
    monkeypatch.setenv("PLACE", "%h")
    assert made().one("/${PLACE}") == Path("/%h")


def test_several_in_one_value(made: MakePaths, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks are kept in quotes; ``none`` is none."""
    monkeypatch.setenv("PLACE", "some where")
    monkeypatch.delenv("NOWHERE", raising=False)
    names = made(' UserKnownHostsFile "~/x y/%n" /%h:%p/%r%%/%i ${PLACE}/%d/${NOWHERE} none\n')
    assert names.listed("userknownhostsfile", ["/default"]) == (
        home / "x y" / "a",
        Path(f"/b.example:77/bob%/{os.getuid()}"),
        Path(f"some where/{home}/${{NOWHERE}}"),
    )


def test_none_of_several(made: MakePaths, home: Path) -> None:
    """Where nothing is said there are default ones, where ``none`` is said there are none."""
    assert made("GlobalKnownHostsFile none\n").listed("globalknownhostsfile", ["/default"]) == ()
    assert made().listed("globalknownhostsfile", ["/default", "~/x"]) == (Path("/default"), home / "x")


def test_one_a_value(made: MakePaths, home: Path) -> None:
    """Each line adds one, in order."""
    names = made("IdentityFile ~/one\nIdentityFile None\nIdentityFile /%n\n")
    assert names.all("identityfile") == (home / "one", Path("/a"))
    assert made().all("identityfile") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ProxyCommand nc %h %p\n", "nc b.example 77"),
        ("ProxyCommand nc %%h\n", "nc %h"),
        ("ProxyCommand ssh -W %h:%p ~/x\n", "ssh -W b.example:77 ~/x"),
        ("ProxyCommand None\n", None),
        ("", None),
    ],
)
def test_a_text(made: MakePaths, text: str, expected: str | None) -> None:
    """Tokens alone: what else is in it is the shell's."""
    assert made(text).text("proxycommand") == expected


def test_plain_names_are_expanded_once(made: MakePaths, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all hosts: a thousand of them have the same files."""
    expanded: list[str] = []

    def expanding(name: str) -> Path:
        expanded.append(name)
        return expand_user(name)

    monkeypatch.setattr(module, "expand_user", expanding)
    plain: dict[str, Path] = {}
    for _ in range(3):
        names = made(plain=plain)
        assert [names.one("~/x"), names.one("/%n")] == [home / "x", Path("/a")]
    assert expanded == ["~/x", "/a", "/a", "/a"]
    assert plain == {"~/x": home / "x"}


def test_tokens_are_found_when_they_are_needed(made: MakePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost a look at the system: not for names without any."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(module, "standard_tokens", fail)
    assert made().one("/x") == Path("/x")
