"""Sets from words."""

from __future__ import annotations

import pytest

from asynctask.cli.nodesets.computing import compute, node_set, range_set
from asynctask.cli.nodesets.words import Steps
from asynctask.errors import NodeSetError

pytestmark = pytest.mark.one_loop("no event loop runs here")


@pytest.mark.parametrize(
    ("steps", "folded"),
    [
        ([("sets", "a[1-3]"), ("exclude", "a2"), ("sets", "b")], "a[1,3],b"),
        ([("exclude", "a2"), ("sets", "a[1-3]")], "a[1,3]"),
        ([("sets", "a1\na2")], "a[1-2]"),
        ([("sets", "a[1-3]"), ("xor", "a[3-4]"), ("intersection", "a[2-9]")], "a[2,4]"),
        ([("sets", "")], ""),
    ],
)
def test_steps_apply_in_order(steps: Steps, folded: str) -> None:
    """From the first set on."""
    found, in_vain = compute(steps, node_set(None), everything=False, source=None)

    assert (str(found), in_vain) == (folded, False)


def test_numbers() -> None:
    """The same with numbers."""
    found, _ = compute([("sets", "1-9"), ("exclude", "3-4")], range_set, everything=False, source=None)

    assert str(found) == "1-2,5-9"


def test_what_is_no_set_of_numbers() -> None:
    """It is named as the caller calls it."""
    with pytest.raises(NodeSetError, match=r"^-I 'x': "):
        range_set(["1", "x"], "-I")


def test_a_range_that_is_too_large() -> None:
    """It is refused, not tried."""
    with pytest.raises(NodeSetError, match=r"^range set '1-999999999999': "):
        range_set(["1-999999999999"])
