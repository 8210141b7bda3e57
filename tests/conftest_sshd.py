"""The fixture of the real OpenSSH server; ``tests/conftest.py`` imports it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sshd import HOW_TO_GET, OpenSSHServer, find_sshd
from tests.support import unable

__all__ = ("need_sshd", "sshd")


def need_sshd() -> None:
    """Without sshd, tests are skipped; in CI they fail."""
    if find_sshd() is None:
        unable(HOW_TO_GET)


@pytest.fixture(scope="session")
def sshd() -> Iterator[OpenSSHServer]:
    """One real sshd for all tests of the run; without it they are skipped, in CI they fail."""
    need_sshd()
    with OpenSSHServer() as server:
        yield server
