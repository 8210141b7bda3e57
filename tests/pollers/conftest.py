"""What several tests of pollers need."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.pollers.web import certificate


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody knows: its file, and what a server needs.

    Made once, and not on a loop: that takes too long.
    """
    return certificate(tmp_path_factory.mktemp("certificate"))
