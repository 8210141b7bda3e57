"""Tests of asynctask.rules.happening."""

from __future__ import annotations

import json

import pytest

from asynctask.pollers.changes import Change
from asynctask.rules.happening import (
    MOST_URLS,
    Happening,
    UnfitError,
    coalesced,
    environment,
    portions,
    stdin_of,
    values,
)
from tests.rules.support import HOSTILE, happening, rule

pytestmark = pytest.mark.one_loop("nothing here waits")


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_file_is_as_it_is(name: str) -> None:
    """In placeholders and variables, whatever is in it."""
    found = values(rule("x %{path} %{name} %{event} %{rule}"), [happening(name)])
    env = environment(rule(), [happening(name)])

    assert found == {"path": f"/inbox/{name}", "name": name, "event": "created", "rule": "r", "count": "1"}
    assert (env["ASYNCTASK_PATH"], env["ASYNCTASK_NAME"]) == (f"/inbox/{name}", name)
    assert env["ASYNCTASK_URL"].isascii()
    assert env["ASYNCTASK_URLS"] == env["ASYNCTASK_URL"]


def test_the_variables_of_an_event() -> None:
    """All are there, those of the rule too; what there is none of is empty."""
    event = Happening(topic="task.build.end", node="web1", rc=3, outcome="failed")

    assert environment(rule(env={"LEVEL": "1"}), [event]) == {
        "LEVEL": "1",
        "ASYNCTASK_RULE": "r",
        "ASYNCTASK_COUNT": "1",
        "ASYNCTASK_TOPIC": "task.build.end",
        "ASYNCTASK_EVENT": "end",
        "ASYNCTASK_URL": "",
        "ASYNCTASK_PATH": "",
        "ASYNCTASK_NAME": "",
        "ASYNCTASK_URLS": "",
        "ASYNCTASK_NODE": "web1",
        "ASYNCTASK_RC": "3",
        "ASYNCTASK_OUTCOME": "failed",
    }


def test_the_variables_of_a_batch() -> None:
    """What they have in common, and all URLs."""
    env = environment(rule(), [happening("a"), happening("b", "deleted")])

    assert env["ASYNCTASK_URLS"] == "file:///inbox/a\nfile:///inbox/b"
    assert (env["ASYNCTASK_COUNT"], env["ASYNCTASK_EVENT"], env["ASYNCTASK_PATH"]) == ("2", "", "")


def test_what_a_command_names_must_be_there() -> None:
    """An empty path in a command could be a disaster."""
    remote = Happening(topic="poller.b.created", change=Change("s3://b/a%20b", "created"))

    assert values(rule("get %{url} %{name}"), [remote])["name"] == "a b"
    with pytest.raises(UnfitError, match="the event has no path"):
        values(rule("rm -r %{path}/old"), [remote])


def test_no_command_can_be_given_a_nul_character() -> None:
    """Object stores may have it in a name."""
    remote = Happening(topic="poller.b.created", change=Change("s3://b/a%00b", "created"))

    with pytest.raises(UnfitError, match="the name has a NUL character"):
        values(rule("get %{name}"), [remote])
    with pytest.raises(UnfitError, match="the name has a NUL character"):
        environment(rule(), [remote])


def test_standard_input() -> None:
    """In the form that the rule says."""
    batch = [happening("a b"), happening("\udcff\n", "deleted")]

    assert stdin_of(rule(), batch) is None
    assert stdin_of(rule(stdin="urls"), batch) == b"file:///inbox/a%20b\nfile:///inbox/%FF%0A\n"
    assert stdin_of(rule(stdin="paths"), batch) == b"/inbox/a b\0/inbox/\xff\n\0"
    lines = (stdin_of(rule(stdin="json"), batch) or b"").splitlines()
    assert json.loads(lines[1]) == {
        "topic": "poller.inbox.deleted",
        "event": "deleted",
        "url": "file:///inbox/%FF%0A",
    }


def test_only_the_last_of_several_events_of_an_entry_counts() -> None:
    """What was created and modified is created, what was created and deleted is nothing."""
    events = [
        happening("a"),
        happening("b", "modified"),
        happening("c"),
        happening("a", "modified"),
        happening("c", "deleted"),
        happening("b", "deleted"),
        Happening(topic="task.x.end"),
        Happening(topic="task.x.end"),
    ]

    left, covered = coalesced(events)

    assert [(each.name, each.event) for each in left] == [
        ("a", "created"),
        ("b", "deleted"),
        ("", "end"),
        ("", "end"),
    ]
    assert len(left) + len(covered) == len(events)


def test_a_batch_is_split_where_a_variable_is_full() -> None:
    """Nothing is left out, and the order is kept."""
    events = [happening(f"{number:0200}") for number in range(1000)]

    parts = list(portions(events))

    assert [each for part in parts for each in part] == events
    assert len(parts) > 1
    for part in parts:
        assert len(environment(rule(), part)["ASYNCTASK_URLS"]) <= MOST_URLS
    assert list(portions([])) == []
