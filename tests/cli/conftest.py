"""The command line in this process: quicker than a process each, and watched for what it leaves behind."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from asynctask.cli import main
from tests.cli.clush import clush, node_sets_as_before
from tests.cli.programs import Finished

__all__ = ("CommandLine", "asynctask", "clush", "node_sets_as_before")


class CommandLine(Protocol):
    """What the fixture ``asynctask`` is."""

    def __call__(self, *words: str, stdin: Path | None = None) -> Finished:
        """Run ``asynctask`` with these words; standard input is /dev/null or a file."""


@pytest.fixture
def asynctask(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    """Runs a command line to its end, in this process."""
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    handler = signal.getsignal(signal.SIGINT)

    def run_here(*words: str, stdin: Path | None = None) -> Finished:
        monkeypatch.setattr(sys, "argv", ["asynctask", *words])
        with standard_input(stdin or Path(os.devnull)), pytest.raises(SystemExit) as exit_:
            main()
        code = exit_.value.code
        assert isinstance(code, int)
        return Finished(code, *capfdbinary.readouterr())

    yield run_here
    signal.signal(signal.SIGINT, handler)


@contextmanager
def standard_input(path: Path) -> Iterator[None]:
    """A file at descriptor 0."""
    kept = os.dup(0)
    source = os.open(path, os.O_RDONLY)
    try:
        os.dup2(source, 0)
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(source)
