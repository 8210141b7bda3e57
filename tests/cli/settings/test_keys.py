"""The table of keys."""

from __future__ import annotations

from dataclasses import fields

import pytest

from asynctask.cli.request import Request
from asynctask.cli.settings.keys import KEYS, SECTIONS, Key, find, nearest

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

#: What clush.conf(5) describes.
CLUSH = """
    fanout connect_timeout command_timeout color verbosity node_count maxrc fd_max command_prefix
    password_prompt confdir ssh_user ssh_path ssh_options scp_path scp_options rsh_path rcp_path rsh_options
    history_size
"""


def test_all_keys_of_clush_are_known() -> None:
    """A file that a site has is read without complaint."""
    assert set(CLUSH.split()) <= set(KEYS)


def test_no_key_is_there_twice() -> None:
    """Nor is a part of a request filled by two of them."""
    filled = [key.field for key in KEYS.values() if key.field]

    assert len(KEYS) == sum(map(len, SECTIONS.values()))
    assert len(filled) == len(set(filled))


@pytest.mark.parametrize("key", [pytest.param(key, id=key.name) for key in KEYS.values() if key.field])
def test_a_default_is_that_of_the_request(key: Key) -> None:
    """Who sets nothing gets the same with and without a configuration."""
    defaults = {field.name: field.default for field in fields(Request)}

    assert key.field is not None
    assert key.default == defaults[key.field]


@pytest.mark.parametrize("key", [pytest.param(key, id=key.name) for key in KEYS.values()])
def test_examples_and_defaults_are_of_their_kind(key: Key) -> None:
    """A value is there to be seen unless the key changes nothing."""
    value = key.default if key.example is None else key.example

    assert key.kind.check(value) == value if value else key.default in {None, "", 0}
    assert value not in (None, "") or key.unused or key.clush_only
    assert key.meaning.endswith(".")


@pytest.mark.parametrize("name", ["connect_timeout", "connect-timeout"])
def test_a_key_is_found_by_the_name_of_its_option(name: str) -> None:
    """With either kind of line between the words."""
    assert find(name) is KEYS["connect_timeout"]


def test_no_key_is_found() -> None:
    """For what is none."""
    assert find("conect_timeout") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fanuot", "; did you mean 'fanout'?"),
        ("Conect-Timeout", "; did you mean 'connect_timeout'?"),
        ("user", "; did you mean 'ssh_user'?"),
        ("quiet", "; did you mean 'verbosity'?"),
        ("xyzzy", "; asynctask config lists the keys"),
    ],
)
def test_the_nearest_key(name: str, hint: str) -> None:
    """For a mistake in writing, and for the names that options have."""
    assert nearest(name) == hint
