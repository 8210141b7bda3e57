"""A history of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the history of this test is, or will be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "asynctask" / "history.db"
