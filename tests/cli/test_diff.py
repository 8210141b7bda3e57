"""``asynctask diff``, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_two_runs(asynctask: CommandLine, tmp_path: Path) -> None:
    """What has changed, and who has, with the exit status of diff."""
    command = "cat version; [ %h != web3 ] || exit $(wc -l <version)"
    for version in ("one\n", "one\n", "one\ntwo\n"):
        (tmp_path / "version").write_text(version)
        asynctask("run", "-w", "web[1-3]", "-R", "exec", "-q", command)

    assert asynctask("diff", "1", "2") == (0, b"", b"")
    status, out, err = asynctask("diff", "-2", "last")

    assert (status, err) == (1, b"")
    assert (
        out.decode()
        == """\
web3: was failed with exit code 1, is failed with exit code 2
---------------
web[1-3] (3)
---------------
--- run 2
+++ run 3
@@ -1 +1,2 @@
 one
+two
"""
    )
    assert asynctask("diff", "-q", "-2", "-1") == (1, b"", b"")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["1", "7"], "asynctask: no run 7 is in the history; there is only 1"),
        (["1"], "Missing argument 'ID2'"),
        (["1", "x"], "asynctask: 'x' is no run"),
    ],
)
def test_trouble(asynctask: CommandLine, words: list[str], problem: str) -> None:
    """It has its own exit status."""
    asynctask("run", "-w", "web1", "-R", "exec", "true")

    finished = asynctask("diff", *words)

    assert (finished.status, finished.stdout) == (2, b"")
    assert problem in finished.stderr.decode()


def test_no_history(asynctask: CommandLine) -> None:
    """That is trouble, too."""
    assert asynctask("diff", "1", "2") == (2, b"", b"asynctask: history: no runs are recorded yet\n")
