"""The table of states: exactly these ways, and the documentation has it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import TaskStateError
from asynctask.manager.states import ACTIVE, TRANSITIONS, Happening, ProcessState, after, markdown_table

pytestmark = pytest.mark.one_loop("a table")

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("state", ProcessState)
@pytest.mark.parametrize("happening", Happening)
def test_a_happening_leads_where_the_table_says_or_is_refused(
    state: ProcessState, happening: Happening
) -> None:
    """What is not in the table cannot happen."""
    there = TRANSITIONS[state].get(happening)
    if there is not None:
        assert after(state, happening) is there
    else:
        with pytest.raises(TaskStateError) as caught:
            after(state, happening)
        assert str(caught.value) == f"a process that is {state.value}: {happening.value!r} cannot happen"


def test_every_state_can_be_reached_and_left() -> None:
    """From stopped one comes everywhere, and from everywhere back."""
    reached = {ProcessState.STOPPED}
    for _ in ProcessState:
        reached |= {there for state in reached for there in TRANSITIONS[state].values()}
    assert reached == set(ProcessState)
    for state in ProcessState:
        ways = {state}
        for _ in ProcessState:
            ways |= {there for each in ways for there in TRANSITIONS[each].values()}
        assert ProcessState.STOPPED in ways


def test_resting_states_are_left_only_by_somebodys_wish() -> None:
    """Nothing happens by itself in a state that is not active."""
    for state in set(ProcessState) - ACTIVE:
        assert set(TRANSITIONS[state]) <= {Happening.START, Happening.STOP}


def test_the_documentation_has_the_table_of_the_code() -> None:
    """It is made from it."""
    text = (DOCS / "manager.md").read_text()
    assert text.count(markdown_table()) == 1
