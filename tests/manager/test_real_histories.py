"""The histories of tests/manager/test_histories.py, with real processes: the same calls tell the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manager import test_histories
from tests.manager.real import RealLauncher

#: What a process of this machine cannot do on demand.
_OF_FAKES = {"test_a_lost_connection_is_no_exit", "test_a_process_that_is_found_was_not_spawned"}

globals().update(
    {
        name: test
        for name, test in vars(test_histories).items()
        if name.startswith("test_") and name not in _OF_FAKES
    }
)


@pytest.fixture
def launcher(tmp_path: Path) -> RealLauncher:
    """Who starts the processes of a test: real ones."""
    return RealLauncher(tmp_path)
