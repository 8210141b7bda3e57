"""Which names belong to one file."""

from __future__ import annotations

import pytest

from asynctask.pollers.changes import Listing
from asynctask.pollers.inotify_links import Links, duplicates, names_of

pytestmark = pytest.mark.one_loop

LISTING: Listing = {
    "a": ("file", 1, 2, 10),
    "b": ("file", 1, 2, 11),
    "c": ("file", 1, 2, 10),
    "d": ("dir",),
    "e": ("link", 1, 2, 11),
}


def test_names() -> None:
    """Only files count."""
    assert duplicates(LISTING) == {10: {"a", "c"}}
    assert names_of(LISTING, {11}) == {11: {"b"}}


def test_one_name_stands_for_all() -> None:
    """What is known to have several names is looked at by all of them, once."""
    links = Links()
    links.replace(duplicates(LISTING))
    links.touch("b", 11)
    assert links.take_suspects() == set()
    links.touch("a", 10)
    assert links.take_suspects() == {"a", "c"}
    assert links.take_suspects() == set()


def test_names_that_are_not_known_yet() -> None:
    """They are to be looked for."""
    links = Links()
    links.touch("b", 11, 2)
    assert links.new == {11}
    links.add(names_of(LISTING, links.new))
    assert (links.new, links.take_suspects()) == (set(), {"b"})
