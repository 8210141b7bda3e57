"""What every test of the emitter gets: slices that do not depend on how busy the machine is."""

from __future__ import annotations

import pytest

from asynctask.emitter import delivery, serial

_SLICE = serial.SLICE


@pytest.fixture(autouse=True)
def _long_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is delivered in one turn."""
    for module in (delivery, serial):
        monkeypatch.setattr(module, "SLICE", 60.0)


@pytest.fixture
def slice_seconds(_long_slices: None, monkeypatch: pytest.MonkeyPatch) -> float:
    """The real slices, and how long they are."""
    for module in (delivery, serial):
        monkeypatch.setattr(module, "SLICE", _SLICE)
    return _SLICE
