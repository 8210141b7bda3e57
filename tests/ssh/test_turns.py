"""Tests of asynctask.ssh.turns: each guest takes a millisecond."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from asynctask.ssh.turns import A_TURN, Turns
from tests.support import turns as loop_turns

#: How many guests there are in a turn.
ROOM = round(A_TURN * 1000)


class Guests:
    """Take what is given to them, in turns."""

    def __init__(self) -> None:
        self.now = 1.0
        self.turns = Turns(lambda: self.now)
        self.served: list[int] = []

    def come(self, numbers: range) -> None:
        """Some of them have something to do."""
        for number in numbers:
            if self.turns.take(partial(self.serve, number)):
                self.serve(number)

    def serve(self, number: int) -> None:
        """One is served."""
        self.served.append(number)
        self.now += 0.001 + 1e-9


async def test_a_few_are_served_at_once() -> None:
    """Nobody waits for a turn of the loop."""
    guests = Guests()
    guests.come(range(ROOM))
    assert guests.served == list(range(ROOM))


async def test_the_rest_has_its_turn() -> None:
    """So many in each turn of the loop, in order."""
    guests = Guests()
    guests.come(range(3 * ROOM))
    for turn in (1, 2, 3):
        assert guests.served == list(range(turn * ROOM))
        await loop_turns(1)


async def test_who_waits_comes_first() -> None:
    """New ones have what is left of the turn."""
    guests = Guests()
    guests.come(range(ROOM + 2))
    await loop_turns(1)
    guests.come(range(1000, 1000 + ROOM))
    assert guests.served[ROOM:] == [ROOM, ROOM + 1, *range(1000, 1000 + ROOM - 2)]
    await loop_turns(1)
    assert guests.served[-2:] == [1000 + ROOM - 2, 1000 + ROOM - 1]


async def test_another_turn_begins_empty() -> None:
    """What was done before does not count."""
    guests = Guests()
    for turn in range(5):
        guests.come(range(turn * ROOM, (turn + 1) * ROOM))
        await loop_turns(1)
        guests.now += 1
    assert guests.served == list(range(5 * ROOM))


@given(st.lists(st.integers(0, 3 * ROOM), max_size=8))
async def test_nobody_is_forgotten(bursts: list[int]) -> None:
    """Each is served once, in the order in which they came."""
    guests = Guests()
    begin = 0
    for size in bursts:
        guests.come(range(begin, begin + size))
        begin += size
        await loop_turns(1)
    await loop_turns(begin // ROOM + 2)
    assert guests.served == list(range(begin))
