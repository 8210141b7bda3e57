"""The real Swift of the tests."""

from __future__ import annotations

import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.pollers.swift_server import ACCOUNT, HOW_TO_GET, KEY, USER, SwiftServer, find_swift

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")


@pytest.fixture(autouse=True)
def _need_swift() -> None:
    """Without Swift tests are skipped; in CI they fail."""
    if find_swift() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET)
        pytest.skip(HOW_TO_GET)


def test_it_serves_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins work from ``with`` until it is left; then neither the process nor its directory is there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with SwiftServer() as server:
        assert [entry.name.rpartition("-")[0] for entry in tmp_path.iterdir()] == ["asynctask-swift"]
        assert server._process is not None
        pid = server._process.pid
        assert login(server, KEY) == 200
        assert login(server, "wrong") == 401
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(urllib.error.URLError):
        login(server, KEY)


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote is in the error, and it leaves nothing behind, either."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("tests.pollers.swift_server.find_swift", lambda: "/bin/false")
    with pytest.raises(RuntimeError, match="Swift does not run"):
        SwiftServer().__enter__()
    assert list(tmp_path.iterdir()) == []


def login(server: SwiftServer, key: str) -> int:
    """The status of a login."""
    request = urllib.request.Request(
        server.auth_url, headers={"X-Auth-User": f"{ACCOUNT}:{USER}", "X-Auth-Key": key}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code
