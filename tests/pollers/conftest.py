"""What several tests of pollers need."""

from __future__ import annotations

import gc
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


@pytest.fixture
def descriptions_out_of_sight() -> None:
    """Take what botocore has read about S3, and what the last test left, out of the collector's sight.

    It is a hundred thousand objects: a full collection of them takes longer than the loop may be blocked.
    """
    gc.collect()
    gc.freeze()
