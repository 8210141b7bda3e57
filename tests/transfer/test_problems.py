"""Tests of asynctask.transfer.problems."""

from __future__ import annotations

import errno

import pytest

from asynctask.transfer.problems import LinkLost, Problem, local_problems


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "x"), "no space left on device"),
        (PermissionError(errno.EACCES, "x"), "permission denied"),
        (OSError("odd"), "odd"),
    ],
)
def test_what_the_system_says(error: OSError, reason: str) -> None:
    """It is told in the system's words, with the path."""
    with pytest.raises(Problem) as caught, local_problems(b"/d/f"):
        raise error
    assert (caught.value.path, caught.value.reason) == (b"/d/f", reason)


def test_other_errors_pass() -> None:
    """What is no word of the system's is left as it is."""
    with pytest.raises(LinkLost), local_problems(b"/d/f"):
        raise LinkLost("gone")
