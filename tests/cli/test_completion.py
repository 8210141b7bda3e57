"""``asynctask completion``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asynctask.cli.completing.shells import SCRIPTS
from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(shell: str, asynctask: CommandLine) -> None:
    """It is printed as it is."""
    assert asynctask("completion", shell) == (0, SCRIPTS[shell].encode(), b"")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["zsh", "run", "--host-keys", "o"], b"plain\toff\t\n"),
        (["bash", "asynctask run --host-keys=o", "="], b"plain\toff\t\n"),
        (["fish", "reboot", "x"], b""),
        (["fish", "run", "--nosuch="], b""),
    ],
)
def test_an_answer(said: list[str], answer: bytes, asynctask: CommandLine) -> None:
    """To what a script asks."""
    assert asynctask("completion", "--answer", *said) == (0, answer, b"")


@pytest.mark.parametrize("words", [["tcsh"], [], ["bash", "zsh"]])
def test_wrong_usage(words: list[str], asynctask: CommandLine) -> None:
    """One of three shells."""
    status, stdout, stderr = asynctask("completion", *words)

    assert (status, stdout) == (2, b"")
    assert b"bash" in stderr or b"zsh" in stderr


_IMPATIENT = """
from asynctask.cli import main
from asynctask.cli.completing import values
values._PATIENCE = 0.1
main()
"""


def test_a_group_source_that_does_not_answer(tmp_path: Path) -> None:
    """The shell waits for a moment only."""
    (tmp_path / "clustershell").mkdir()
    (tmp_path / "clustershell/groups.conf").write_text(
        "[Main]\ndefault: slow\n[slow]\nmap: sleep 60\nlist: sleep 60\n"
    )
    before = time.monotonic()

    found = subprocess.run(
        [sys.executable, "-c", _IMPATIENT, "completion", "--answer", "zsh", "run", "-w", "@"],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        check=False, capture_output=True, timeout=30,
    )  # fmt: skip

    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
    assert time.monotonic() - before < 10
