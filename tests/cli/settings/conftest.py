"""A user and a machine with a configuration of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.settings.machine import Machine, make_machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without any configuration."""
    return make_machine(tmp_path, monkeypatch)
