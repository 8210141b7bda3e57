"""``asynctask history``, as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.programs import Terminal

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_a_run_is_found_again(asynctask: CommandLine) -> None:
    """Its command, who ended how, and what it printed; while it came, and gathered."""
    asynctask("run", "-w", "web[1-3]", "-R", "exec", "echo %h; [ %h != web2 ]")
    asynctask("run", "-w", "web[1-3]", "-R", "exec", "-b", "-q", "echo same")

    listed = asynctask("history")
    one = asynctask("history", "-2")
    labelled = asynctask("history", "1", "-L", "--node", "web[2-3]")
    gathered = asynctask("history", "last", "-b")

    lines = listed.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["id", "1", "2"]
    assert lines[1].endswith("  0       web[1-3]  2 ok, 1 failed  echo %h; [ %h != web2 ]")
    assert b"\n  failed (rc 1): web2" in one.stdout
    assert labelled.stdout == b"web3: web3\nweb2: web2\n"
    assert labelled.stderr == b"asynctask: web2: failed with exit code 1\n"
    assert gathered.stdout == b"---------------\nweb[1-3] (3)\n---------------\nsame\n"
    assert {each.status for each in (listed, one, labelled, gathered)} == {0}


def test_json(asynctask: CommandLine) -> None:
    """An object for each run; bytes that are no UTF-8 survive."""
    asynctask("run", "-w", "web1", "-R", "exec", "-q", r"printf 'caf\351'")

    (run,) = map(json.loads, asynctask("history", "--json").stdout.splitlines())
    node, _ = map(json.loads, asynctask("history", "last", "--json").stdout.splitlines())

    assert (run["id"], run["status"], run["outcomes"], run["nodes"]) == (1, 0, {"ok": 1}, "web1")
    assert "Y2Fm6Q==" in json.dumps(node)


def test_nothing_is_recorded_if_that_is_wished(asynctask: CommandLine, tmp_path: Path) -> None:
    """Nothing is made."""
    asynctask("run", "-w", "web1", "-R", "exec", "--no-history", "true")

    assert not (tmp_path / "state").exists()
    assert asynctask("history") == (1, b"", b"asynctask: history: no runs are recorded yet\n")


def test_a_home_that_cannot_be_written(asynctask: CommandLine, tmp_path: Path) -> None:
    """It is said once; the run is as it would have been."""
    (tmp_path / "state").write_bytes(b"")

    finished = asynctask("run", "-w", "web[1-2]", "-R", "exec", "-b", "-S", "echo hello; exit 3")

    assert finished.status == 3
    assert finished.stdout == b"---------------\nweb[1-2] (2)\n---------------\nhello\n"
    assert finished.stderr.count(b"asynctask: history: ") == 1
    assert b"; this run is not recorded\n" in finished.stderr


def test_old_runs_are_forgotten(asynctask: CommandLine) -> None:
    """All but those that are to be kept."""
    for _ in range(3):
        asynctask("run", "-w", "web1", "-R", "exec", "true")

    assert asynctask("history", "--prune", "--keep", "1").stderr == b"asynctask: forgot 2 runs\n"
    assert asynctask("history", "--prune", "--older-than", "1d").stderr == b"asynctask: forgot no run\n"
    assert len(asynctask("history").stdout.splitlines()) == 2
    assert asynctask("history", "1") == (1, b"", b"asynctask: no run 1 is in the history; there is only 3\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--keep", "3"], "--older-than and --keep go with --prune"),
        (["--older-than", "1d"], "--older-than and --keep go with --prune"),
        (["--prune", "--older-than", "soon"], "'soon' is no age; write 30d, 12h, 90m or 2w"),
        (["--prune", "7"], "--prune takes no ID"),
        (["--node", "web1"], "--node goes with the ID of a run"),
        (["-b"], "-b goes with the ID of a run"),
        (["-n", "0"], "0 is not in the range x>=1"),
        (["-n", "3", "last"], "-n is for the list of runs"),
        (["1", "2"], "unexpected extra argument"),
        (["-b", "--json", "1"], "-b and --json exclude each other"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, words: list[str], problem: str) -> None:
    """One line names the option."""
    status, out, err = asynctask("history", *words)

    assert (status, out) == (2, b"")
    assert problem in err.decode()


def test_a_terminal_is_not_driven_by_what_is_on_record(asynctask: CommandLine) -> None:
    """Control characters in a command are made visible; long lines are cut off."""
    asynctask("run", "-w", "web1", "-R", "exec", "-q", ": \x1b[2J " + "x" * 200)

    with Terminal("history", columns=80) as terminal:
        assert terminal.wait() == 0

    _, line = terminal.shown.decode().splitlines()
    assert "  : ^[[2J xxx" in line
    assert line.endswith("x…")
    assert len(line) == 80
