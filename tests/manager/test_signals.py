"""Signals by name and number."""

from __future__ import annotations

import pytest

from asynctask.errors import UsageError
from asynctask.manager.signals import signal_number

pytestmark = pytest.mark.one_loop("names")


@pytest.mark.parametrize("which", ["TERM", "SIGTERM", "term", "SigTerm", 15, "15"])
def test_a_signal_has_many_names(which: str | int) -> None:
    """All of them are TERM."""
    assert signal_number(which) == 15


@pytest.mark.parametrize("which", ["", "TERMINATE", "SIG", "BLOCK", "_IGN", "-9"])
def test_a_name_that_is_none_is_refused(which: str) -> None:
    """With where to look."""
    with pytest.raises(UsageError) as caught:
        signal_number(which)
    assert str(caught.value) == f"signal {which!r}: there is none of this name; kill -l lists them"


@pytest.mark.parametrize("which", [0, -9, 65, "0", "99", True])
def test_a_number_that_is_none_is_refused(which: str | int) -> None:
    """0 would ask whether it is there, and negative ones mean groups elsewhere."""
    with pytest.raises(UsageError) as caught:
        signal_number(which)
    assert str(caught.value) == f"signal {which!r}: a name, or a number from 1 to 64"
