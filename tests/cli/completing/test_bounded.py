"""Something slow, for so long and no longer.

Each in a process of its own: it makes others by fork, which is for programs without threads.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.one_loop("no loop is used")

PRELUDE = """
import os, subprocess, sys, time
from asynctask.cli.completing.bounded import within
"""


def _run(code: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stderr == ""
    return found.stdout


def test_what_it_returns() -> None:
    """Whatever is in the names."""
    code = "print(within(20, lambda: ['a', '', 'b c\\n', os.fsdecode(b'\\xff')]))"

    assert _run(code) == "['a', '', 'b c\\n', '\\udcff']\n"


def test_much() -> None:
    """More than a pipe holds."""
    assert _run("print(len(within(20, lambda: map(str, range(100_000)))))") == "100000\n"


def test_it_fails() -> None:
    """Nothing is returned, nothing is said."""
    code = (
        "for fail in (lambda: 1 / 0, lambda: sys.exit(3), lambda: os._exit(0), lambda: [1],"
        " lambda: print('x', flush=True)):\n"
        "    print(within(20, fail))"
    )

    assert _run(code) == "[]\n" * 5


def test_it_takes_too_long() -> None:
    """It is killed with what it has started, here a command of the shell."""
    before = time.monotonic()

    found = _run(
        "reader, writer = os.pipe()\n"
        "def slow():\n"
        "    os.close(reader)\n"
        "    subprocess.run(['sh', '-c', 'sleep 60; :'], pass_fds=[writer])\n"
        "    return []\n"
        "print(within(0.1, slow))\n"
        "os.close(writer)\n"
        "print(os.read(reader, 1))\n"  # comes to its end when nobody has the other side
    )

    assert found == "[]\nb''\n"
    assert time.monotonic() - before < 10
