"""Tests of asynctask.pollers.ledger."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.pollers.changes import Listing, Stamp
from asynctask.pollers.ledger import Ledger, differences

ONE, TWO, DIR = ("file", 1), ("file", 2), ("dir",)

NAMES = ["a", "d", "d/a", "d/d", "d/d/a", "d-"]
STAMPS = st.sampled_from([None, ONE, TWO, DIR])
NOTES = st.lists(st.tuples(st.sampled_from(NAMES), STAMPS))
LISTINGS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([ONE, TWO, DIR]))


def told(before: Listing, after: Listing) -> dict[str, list[str]]:
    """The events that lead from one to the other, by name."""
    events: dict[str, list[str]] = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is not None and new is not None and old[0] == new[0]:
            events[name] = ["modified"]
        else:
            events[name] = ["deleted"] * (old is not None) + ["created"] * (new is not None)
    return events


def by_name(changes: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The events of each name."""
    events: dict[str, list[str]] = {}
    for name, event in changes:
        events.setdefault(name, []).append(event)
    return events


@pytest.mark.parametrize(
    ("notes", "changes"),
    [
        ([ONE], ["created"]),
        ([ONE, TWO], ["created"]),
        ([ONE, None], []),
        ([ONE, DIR], ["created"]),
    ],
)
def test_what_is_told_of_something_new(notes: list[Stamp | None], changes: list[str]) -> None:
    """All that happened before it is told counts as one."""
    ledger = Ledger()
    for stamp in notes:
        ledger.note("a", stamp)
    assert ledger.take() == [("a", event) for event in changes]
    assert ledger.take() == []


@pytest.mark.parametrize(
    ("notes", "changes"),
    [
        ([ONE], []),
        ([TWO], ["modified"]),
        ([TWO, ONE], []),
        ([None], ["deleted"]),
        ([None, ONE], []),
        ([None, TWO], ["modified"]),
        ([DIR], ["deleted", "created"]),
        ([DIR, None], ["deleted"]),
        ([DIR, TWO], ["modified"]),
    ],
)
def test_what_is_told_of_something_known(notes: list[Stamp | None], changes: list[str]) -> None:
    """The same for what was there."""
    ledger = Ledger({"a": ONE})
    for stamp in notes:
        ledger.note("a", stamp)
    assert ledger.take() == [("a", event) for event in changes]
    assert ledger.open == 0


def test_touched_is_modified_though_it_looks_the_same() -> None:
    """Somebody saw it being written."""
    ledger = Ledger({"a": ONE})
    ledger.note("a", ONE, touched=True)
    assert ledger.take() == [("a", "modified")]
    assert ledger.take() == []


def test_touched_counts_only_for_what_was_told() -> None:
    """What is new is created, what is gone is deleted, whether it was written to or not."""
    ledger = Ledger({"a": ONE})
    ledger.note("b", ONE, touched=True)
    ledger.note("b", ONE, touched=True)
    ledger.note("c", None, touched=True)
    ledger.note("a", ONE, touched=True)
    ledger.note("a", None)
    assert ledger.take() == [("a", "deleted"), ("b", "created")]


@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_touched_stays_so_until_it_is_told(at_once: bool) -> None:
    """Also if it was away meanwhile and looks as before."""
    ledger = Ledger({"a": ONE})
    ledger.note("a", ONE, touched=True)
    for listing in ({}, {"a": ONE}):
        if at_once:
            ledger.replace(listing)
        else:
            ledger.note("a", listing.get("a"))
    assert ledger.take() == [("a", "modified")]


def test_the_order() -> None:
    """What is in a directory is deleted before it and created after it, whatever the order of the notes."""
    old = {"d": DIR, "d/a": ONE, "d/d": DIR, "d/d/a": ONE, "d-": ONE, "x": ONE}
    new = {"d": ONE, "e": DIR, "e/a": ONE, "e/e": DIR, "e/e/a": ONE, "x": TWO}
    names = [*old, *new]
    random.Random(1).shuffle(names)
    ledger = Ledger(old)
    for name in names:
        ledger.note(name, new.get(name))
    assert ledger.take() == [
        ("d/d/a", "deleted"),
        ("d/d", "deleted"),
        ("d/a", "deleted"),
        ("d-", "deleted"),
        ("d", "deleted"),
        ("d", "created"),
        ("e", "created"),
        ("e/a", "created"),
        ("e/e", "created"),
        ("e/e/a", "created"),
        ("x", "modified"),
    ]


def test_looking_changes_nothing() -> None:
    """Only what is taken is told."""
    ledger = Ledger()
    ledger.note("a", ONE)
    assert ledger.changes() == ledger.changes() == [("a", "created")]
    assert ledger.delivered() == {}
    assert ledger.open == 1


def test_news_grows_with_each_change() -> None:
    """Also with one that takes another back; not with what is no change."""
    ledger = Ledger({"a": ONE})
    counts = []
    for stamp in (ONE, TWO, TWO, ONE, None):
        ledger.note("a", stamp)
        counts.append(ledger.news)
    ledger.replace({"b": ONE})
    assert [*counts, ledger.news] == [0, 1, 1, 2, 3, 4]


@given(LISTINGS, NOTES, NOTES)
def test_the_events_are_the_difference(
    first: Listing, notes: list[tuple[str, Stamp | None]], more: list[tuple[str, Stamp | None]]
) -> None:
    """The law: two deliveries tell what lies between them, and nothing else."""
    ledger = Ledger(first)
    before = dict(first)
    for sequence in (notes, more):
        for name, stamp in sequence:
            ledger.note(name, stamp)
        after = dict(ledger.now)
        assert ledger.delivered() == before
        assert by_name(ledger.take()) == told(before, after)
        assert ledger.delivered() == after
        before = after


@given(LISTINGS, LISTINGS, LISTINGS)
def test_a_whole_listing_is_the_same_as_notes(first: Listing, second: Listing, third: Listing) -> None:
    """Whether everything comes at once, or one after the other, or in a copy that a thread makes."""
    at_once, one_by_one, many = Ledger(first), Ledger(first), Ledger(first)
    for listing in (second, third):
        before = dict(at_once.now)
        changed = {name: listing.get(name) for name in differences(before, listing)}
        at_once.replace(dict(listing))
        for name, stamp in changed.items():
            one_by_one.note(name, stamp)
        after = many.noted(changed)
        assert many.now == before
        many.adopt(after)
    assert at_once.now == one_by_one.now == many.now == third
    assert at_once.news == one_by_one.news == many.news
    assert at_once.changes() == one_by_one.changes() == many.changes()
    assert by_name(at_once.take()) == told(first, third)


@given(LISTINGS, NOTES, NOTES, st.integers(0, 20))
def test_a_restart_misses_nothing_and_repeats_nothing(
    first: Listing, notes: list[tuple[str, Stamp | None]], more: list[tuple[str, Stamp | None]], taken: int
) -> None:
    """A ledger that begins with what was delivered, and sees what is so now, tells the rest."""
    ledger = Ledger(first)
    for number, (name, stamp) in enumerate([*notes, *more]):
        if number == taken:
            ledger.take()
        ledger.note(name, stamp)
    after = Ledger(ledger.delivered())
    after.replace(dict(ledger.now))
    assert after.take() == ledger.take()


def test_a_restart_remembers_what_was_touched() -> None:
    """It looks as before; the state says that it was not told."""
    ledger = Ledger({"a": ONE})
    ledger.note("a", ONE, touched=True)
    after = Ledger(ledger.delivered())
    after.replace({"a": ONE})
    assert after.take() == [("a", "modified")]


def test_what_was_touched_and_is_gone_is_deleted() -> None:
    """In a listing, too."""
    ledger = Ledger({"a": ONE, "b": ONE})
    ledger.note("a", ONE, touched=True)
    ledger.note("b", ONE, touched=True)
    ledger.replace({"b": ONE})
    assert ledger.take() == [("a", "deleted"), ("b", "modified")]


@given(LISTINGS, LISTINGS, NOTES, st.integers(0, 12))
def test_what_came_back_is_told_again(
    first: Listing, second: Listing, later: list[tuple[str, Stamp | None]], arrived: int
) -> None:
    """With what has happened since, as if it had not been delivered."""
    ledger = Ledger(first)
    ledger.replace(dict(second))
    changes = ledger.take()
    got = by_name(changes[:arrived])
    for name, stamp in later:
        ledger.note(name, stamp)
    for name, event in reversed(changes[arrived:]):
        ledger.untold(name, event)
    again = by_name(ledger.take())

    # Who has heard both knows what there is.
    heard = {name for name in first if got.get(name, [])[:1] != ["deleted"] or "created" in got[name]}
    heard |= {name for name, events in got.items() if "created" in events}
    for name, events in again.items():
        if events[0] == "created":
            assert name not in heard
        else:
            assert name in heard
        heard = heard - {name} if events[-1] == "deleted" else heard | {name}
    assert heard == set(ledger.now)
    modified = {name for name, events in by_name(changes[arrived:]).items() if events == ["modified"]}
    assert modified & ledger.now.keys() <= again.keys()
    assert ledger.open == 0


def test_the_differences_of_listings() -> None:
    """What is new or has changed, then what is gone."""
    assert differences({"a": ONE, "b": ONE, "c": ONE}, {"b": TWO, "c": ONE, "d": ONE}) == ["b", "d", "a"]
