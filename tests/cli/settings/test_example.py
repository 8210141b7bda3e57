"""The example of a configuration."""

from __future__ import annotations

import re

import pytest

from asynctask.cli.settings.example import example
from asynctask.cli.settings.keys import KEYS
from asynctask.cli.settings.ownfile import read
from asynctask.cli.settings.said import understood
from tests.cli.settings.machine import Machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def test_it_changes_nothing_as_it_is(machine: Machine) -> None:
    """Every value is behind a ``#``."""
    assert read(machine.own(""), example().encode()) == ({}, {}, [])


def test_every_line_is_right(machine: Machine) -> None:
    """With all of them taken out of the comments it has every key that can stand there."""
    text = re.sub(r"(?m)^#(?=[\w\[])", "", example())

    found = read(machine.own(""), text.encode())

    assert set(found.values) == {key.name for key in KEYS.values() if not key.unused and not key.clush_only}
    assert set(found.modes) == {"sudo", "careful"}
    for name, said in found.values.items():
        if KEYS[name].example is None:
            assert understood(KEYS[name], said) == KEYS[name].default


def test_it_fits_on_a_screen() -> None:
    """No line is long."""
    assert max(map(len, example().splitlines())) <= 90
