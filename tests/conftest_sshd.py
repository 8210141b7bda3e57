"""The fixture of the real OpenSSH server; ``tests/conftest.py`` imports it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sshd import HOW_TO_GET, OpenSSHServer, find_sshd

__all__ = ("need_sshd", "sshd")


def need_sshd() -> None:
    """Without sshd, tests are skipped; in CI they fail."""
    if find_sshd() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET)
        pytest.skip(HOW_TO_GET)


@pytest.fixture(scope="session")
def sshd() -> Iterator[OpenSSHServer]:
    """One real sshd for all tests of the run; without it they are skipped, in CI they fail."""
    need_sshd()
    with OpenSSHServer() as server:
        yield server
