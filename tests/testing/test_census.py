"""Tests of asynctask.testing.census."""

from __future__ import annotations

import dataclasses

import pytest

from asynctask.testing.census import Census, ClusterStatistics


def test_counts_connections_and_commands() -> None:
    """What was opened stays counted in all, what is open now comes and goes."""
    census = Census(["a", "b"])
    census.connection_opened()
    census.connection_opened()
    census.command_started("b")
    census.connection_closed()
    assert census.snapshot() == ClusterStatistics(
        connections=2, open_connections=1, commands={"a": 0, "b": 1}, running=1
    )


def test_counts_what_else_happens() -> None:
    """Logins, dropped connections, SFTP sessions and refused channels, each for itself."""
    census = Census(["a"])
    census.connection_dropped()
    for _ in range(2):
        census.logged_in()
    for _ in range(3):
        census.sftp_started()
    for _ in range(4):
        census.session_refused()
    now = census.snapshot()
    assert (now.dropped, now.logins, now.sftp, now.refused_sessions) == (1, 2, 3, 4)
    assert census.idle.is_set()


def test_idle_only_while_nothing_is_open_or_runs() -> None:
    """The event follows both counts."""
    census = Census(["a"])
    seen = [census.idle.is_set()]
    for step in (
        census.connection_opened,
        lambda: census.command_started("a"),
        census.connection_closed,
        census.command_ended,
    ):
        step()
        seen.append(census.idle.is_set())
    assert seen == [True, False, False, False, True]


def test_a_snapshot_does_not_change() -> None:
    """A snapshot is of one moment and cannot be written to."""
    census = Census(["a"])
    before = census.snapshot()
    census.command_started("a")
    assert before.commands == {"a": 0}
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.running = 1  # type: ignore[misc]
