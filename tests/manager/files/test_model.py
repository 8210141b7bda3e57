"""Tests of asynctask.manager.files.model."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.manager.files.model import ManagerSettings, ProcessFile

pytestmark = pytest.mark.one_loop("nothing here waits")


def test_a_file_that_says_nothing_of_the_manager() -> None:
    """All of it is open."""
    assert ProcessFile(Path("a"), {}).manager == ManagerSettings(
        name=None, socket=None, http=None, env_files=None
    )
