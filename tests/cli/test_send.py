"""``asynctask send``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def written(supervised: Supervised) -> list[bytes]:
    """What each process has got."""
    return [b"".join(data for _, data in process.written) for process in supervised.launcher.processes]


def test_a_line(asynctask: CommandLine, supervised: Supervised) -> None:
    """To each process of a template, or to one; with a newline or without."""
    supervised.load("web", numprocesses=2, stdin=True)
    assert asynctask("send", "web", "reload", "all") == (0, b"", b"")
    assert asynctask("send", "-n", "web.2", "x") == (0, b"", b"")
    assert written(supervised) == [b"reload all\n", b"reload all\nx"]


def test_standard_input(asynctask: CommandLine, supervised: Supervised, tmp_path: Path) -> None:
    """All of it as it is, also more than one request holds, and its end."""
    data = bytes(range(256)) * 2048
    (tmp_path / "data").write_bytes(data)
    supervised.load("web", stdin=True)
    assert asynctask("send", "web", "--close", stdin=tmp_path / "data") == (0, b"", b"")
    assert supervised.launcher.processes[0].written[-1] == ("stdin", b"")
    assert written(supervised) == [data]


@pytest.mark.parametrize("words", [("x",), ("--close",)])
def test_nobody_is_there(words: tuple[str, ...], asynctask: CommandLine, supervised: Supervised) -> None:
    """That is an error."""
    supervised.load("web", stdin=True, autostart=False)
    assert asynctask("send", "web", *words) == (1, b"", b"asynctask: web: no process runs\n")


def test_a_process_without_an_input(asynctask: CommandLine, supervised: Supervised) -> None:
    """The manager's error is told."""
    supervised.load("web")
    done = asynctask("send", "web", "x")
    assert done.status == 1
    assert b"it has no stream" in done.stderr


def test_an_option_that_says_nothing(asynctask: CommandLine, supervised: Supervised) -> None:
    """Standard input has its newlines."""
    done = asynctask("send", "-n", "web")
    assert done.status == 2
    assert b"-n goes with TEXT: standard input is sent as it is" in done.stderr
