"""What comes after an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.manager.deciding import Decision, End, History, decide, delay_of
from asynctask.manager.launching import Exit
from asynctask.manager.states import Happening
from asynctask.manager.template import Backoff, Flapping, ProcessTemplate

pytestmark = pytest.mark.one_loop("decisions")

AGAIN, LATER, DONE, GIVE_UP = Happening.AGAIN, Happening.LATER, Happening.DONE, Happening.GIVE_UP


def template(**fields: Any) -> ProcessTemplate:
    """A template called web."""
    return ProcessTemplate("web", "serve", **fields)


def middle() -> float:
    """No jitter."""
    return 0.5


def ended(code: int | None = 0, signal: int | None = None, *, at: float = 0.0, **fields: Any) -> End:
    """An end of what was ready, unless something else is said."""
    return End(ready=fields.pop("ready", True), exit=Exit(code, signal), time=at, **fields)


@pytest.mark.parametrize(
    ("policy", "end", "happening"),
    [
        ("always", ended(0), AGAIN),
        ("always", ended(3), AGAIN),
        ("unexpected", ended(0), DONE),
        ("unexpected", ended(2), DONE),
        ("unexpected", ended(3), AGAIN),
        ("unexpected", ended(None, 9), AGAIN),
        ("unexpected", ended(None), AGAIN),
        ("unexpected", ended(0, reason="it does not answer"), AGAIN),
        ("never", ended(0), DONE),
        ("never", ended(3), DONE),
        ("never", ended(None, 9), DONE),
        ("always", ended(0, ready=False), LATER),
        ("unexpected", ended(0, ready=False), DONE),
        ("unexpected", ended(3, ready=False), LATER),
        ("never", ended(3, ready=False), DONE),
        ("always", ended(0, asked=True), AGAIN),
        ("never", ended(0, asked=True), AGAIN),
        ("always", End(ready=False, exit=None, time=0, reason="no such program"), LATER),
        ("never", End(ready=False, exit=None, time=0, reason="no such program"), GIVE_UP),
        ("never", End(ready=False, exit=None, time=0, reason="no route", temporary=True), LATER),
    ],
)
def test_the_policy_decides(policy: Any, end: End, happening: Happening) -> None:
    """Of an end that is the first; 0 and 2 are expected exit codes."""
    chosen = template(restart=policy, exit_codes=frozenset({0, 2}))
    assert decide(chosen, History(), end, middle).happening is happening


def test_failed_starts_wait_longer_and_longer_and_are_fatal_in_the_end() -> None:
    """The fifth is."""
    history, failed = History(), End(ready=False, exit=None, time=0, reason="cannot execute")
    found = [decide(template(), history, failed, middle) for _ in range(5)]
    assert found == [
        Decision(LATER, 1, "cannot execute"),
        Decision(LATER, 2, "cannot execute"),
        Decision(LATER, 4, "cannot execute"),
        Decision(LATER, 8, "cannot execute"),
        Decision(GIVE_UP, reason="cannot execute"),
    ]


def test_a_process_that_became_ready_has_no_failures_behind_it() -> None:
    """The next failed start is the first in a row."""
    history = History()
    for _ in range(4):
        decide(template(), history, ended(1, ready=False), middle)
    decide(template(), history, ended(1), middle)
    assert decide(template(), history, ended(1, ready=False), middle).delay == 1


def test_a_node_out_of_reach_is_never_fatal() -> None:
    """It is tried for ever, a minute apart in the end."""
    history = History()
    end = End(ready=False, exit=None, time=0, reason="no route", temporary=True)
    assert [decide(template(), history, end, middle).delay for _ in range(9)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
        60,
    ]
    assert history.failures == 0


def test_ends_close_to_each_other_are_flapping() -> None:
    """Three within a second; then it rests, and after the second rest it is fatal."""
    limits = Flapping(attempts=3, window=1.0, retry_in=7.0, max_retry=1)
    history, kept = History(), template(flapping=limits)
    found = [decide(kept, history, ended(1, at=at / 10), middle) for at in range(6)]
    reason = "it ended 3 times within 1 s, at last: it exited with 1"
    assert found == [
        Decision(AGAIN, reason="it exited with 1"),
        Decision(AGAIN, reason="it exited with 1"),
        Decision(LATER, 7, reason, flapping=True),
        Decision(AGAIN, reason="it exited with 1"),
        Decision(AGAIN, reason="it exited with 1"),
        Decision(GIVE_UP, reason=reason, flapping=True),
    ]


def test_ends_far_from_each_other_are_not() -> None:
    """Only the last three count, however many there were before."""
    kept, history = template(flapping=Flapping(attempts=3, window=1.0)), History()
    times = [0, 0.4, 1.1, 1.5, 2.2, 2.6, 3.3]
    assert {decide(kept, history, ended(1, at=at), middle).happening for at in times} == {AGAIN}
    assert len(history.ends) == 3


def test_a_quiet_time_forgives_flapping() -> None:
    """A process that has lived for longer than the window begins anew."""
    kept = template(flapping=Flapping(attempts=1, window=1.0, max_retry=1))
    history = History()
    assert decide(kept, history, ended(1), middle).happening is LATER
    assert decide(kept, history, ended(1, at=50, lived=1.1), middle).happening is LATER
    assert decide(kept, history, ended(1, at=51, lived=0.9), middle).happening is GIVE_UP


def test_without_limits_nothing_flaps() -> None:
    """It is started again at once, for ever."""
    history = History()
    found = {decide(template(flapping=None), history, ended(1), middle).happening for _ in range(100)}
    assert found == {AGAIN}


def test_a_start_by_hand_forgives_everything() -> None:
    """As if nothing had been."""
    history = History()
    decide(template(), history, ended(1), middle)
    decide(template(), history, ended(1, ready=False), middle)
    history.clear()
    assert history == History()


@given(
    failures=st.integers(1, 10**6),
    initial=st.floats(0, 100),
    factor=st.floats(1, 10),
    maximum=st.floats(0, 1000),
    jitter=st.floats(0, 1),
    chance=st.floats(0, 1),
)
def test_a_delay_has_bounds(
    failures: int, initial: float, factor: float, maximum: float, jitter: float, chance: float
) -> None:
    """Those of the maximum and its jitter, however often it failed."""
    backoff = Backoff(initial=initial, factor=factor, maximum=maximum, jitter=jitter)
    delay = delay_of(backoff, failures, lambda: chance)
    assert 0 <= delay <= maximum * (1 + jitter) * (1 + 1e-9)


@given(jitter=st.floats(0, 1), chance=st.floats(0, 1))
def test_jitter_is_a_share_of_the_delay(jitter: float, chance: float) -> None:
    """To both sides."""
    delay = delay_of(Backoff(initial=10, jitter=jitter), 1, lambda: chance)
    assert abs(delay - 10) <= 10 * jitter + 1e-9
