"""``asynctask retry``, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

#: Fails on web2 and web3, until there is a file of that name.
FLAKY = "echo %h; [ %h = web1 ] || [ -e %h ]"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_where_it_failed(asynctask: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, until all is well; in the directory of the first run."""
    asynctask("run", "-w", "web[1-3]", "-R", "exec", "-q", FLAKY)
    monkeypatch.chdir("/")
    (tmp_path / "web2").touch()

    one = asynctask("retry")
    (tmp_path / "web3").touch()
    two = asynctask("retry", "last", "-b")
    three = asynctask("retry")
    described = asynctask("history", "3")

    assert sorted(one.stdout.splitlines()) == [b"web2: web2", b"web3: web3"]
    assert two.stdout == b"---------------\nweb3\n---------------\nweb3\n"
    assert three == (0, b"", b"asynctask: run 3: all of its nodes ended well\n")
    assert described.stdout.startswith(b"run:      3, a retry of 2\n")


def test_options_choose_by_how_it_ended(asynctask: CommandLine) -> None:
    """They may be combined."""
    command = "case %h in web1) exit 3;; web2) sleep 60;; esac"
    asynctask("run", "-w", "web[1-3]", "-R", "exec", "-q", "-u", "0.2", command)

    failed = asynctask("retry", "1", "--failed")
    both = asynctask("retry", "1", "--failed", "--timed-out")
    none = asynctask("retry", "1", "--unreachable")

    assert failed.stderr == b"asynctask: web1: failed with exit code 3\n"
    assert b"asynctask: web1: failed with exit code 3\nasynctask: web2: timed out\n" in both.stderr
    assert none.stderr == b"asynctask: run 1: no node of it ended so\n"


def test_variables_are_given_again(asynctask: CommandLine, tmp_path: Path) -> None:
    """Their values are not kept; it is said how to give them."""
    asynctask("run", "-w", "web1", "-R", "exec", "-q", "--env", "TOKEN=hunter2", '[ "$TOKEN" = other ]')

    refused = asynctask("retry")
    again = asynctask("retry", "--env", "TOKEN=other")

    assert refused.status == 1
    assert refused.stderr.startswith(b"asynctask: run 1 set TOKEN, and values are not kept: give them again")
    assert again == (0, b"", b"")
    files = (tmp_path / "state" / "asynctask").iterdir()
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_input_is_given_again(asynctask: CommandLine, tmp_path: Path) -> None:
    """It is not kept, either."""
    (tmp_path / "input").write_bytes(b"a secret line\n")
    asynctask("run", "-w", "web1", "-R", "exec", "-q", "cat; exit 1", stdin=tmp_path / "input")

    refused = asynctask("retry")
    again = asynctask("retry", stdin=tmp_path / "input")
    without = asynctask("retry", "1", "-n")

    assert refused.status == 1
    assert b"which is not kept: give it again with < FILE, or -n for nothing" in refused.stderr
    assert (again.stdout, without.stdout) == (b"web1: a secret line\n", b"")


@pytest.mark.parametrize(
    ("words", "status", "problem"),
    [
        (["7"], 1, "asynctask: no run 7 is in the history; there is only 1"),
        (["lost"], 1, "asynctask: 'lost' is no run: give its number"),
        (["--env", "GONE"], 1, "asynctask: --env GONE: it is not set here; give it as GONE=VALUE"),
        (["-q", "-v"], 2, "-q and -v exclude each other"),
        (["--fanout", "0"], 2, "0 is not in the range"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, words: list[str], status: int, problem: str) -> None:
    """One line says what is wrong."""
    asynctask("run", "-w", "web1", "-R", "exec", "-q", "exit 1")

    finished = asynctask("retry", *words)

    assert (finished.status, finished.stdout) == (status, b"")
    assert problem in finished.stderr.decode()
