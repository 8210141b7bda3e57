"""ClusterShell's own ``clush``, to compare with: one process is ready, and forks for each command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.cli.programs import Finished

__all__ = ("Clush", "clush", "node_sets_as_before")

# A line of JSON asks for a run: words, and files for the three standard streams.
_SERVER = """\
import json, os, sys
import ClusterShell.Worker.Exec, ClusterShell.Worker.Ssh, yaml
from ClusterShell.CLI import Clush

def status_of(words):
    sys.argv = ["clush", *words]
    try:
        try:
            Clush.main()
        except Exception:
            sys.excepthook(*sys.exc_info())
    except SystemExit as exit_:
        return exit_.code or 0
    return 0

replies = os.fdopen(os.dup(1), "w", buffering=1)
for line in sys.stdin:
    words, directory, streams = json.loads(line)
    child = os.fork()
    if not child:
        status = 99
        try:
            os.chdir(directory)
            for fd, path in enumerate(streams):
                os.dup2(os.open(path, os.O_RDWR if fd else os.O_RDONLY), fd)
            sys.stdin = open(0, closefd=False)
            status = status_of(words)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    replies.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\\n")
"""


class Clush:
    """Runs command lines of clush, from ``with`` until it is left."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def __call__(self, *words: str, stdin: Path | None = None) -> Finished:
        """Run it in our directory; standard input is /dev/null or a file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            streams = [str(stdin or os.devnull), out.name, err.name]
            self._process.stdin.write(json.dumps([words, str(Path.cwd()), streams]) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return Finished(status, out.read(), err.read())


@pytest.fixture(scope="session")
def clush() -> Iterator[Clush]:
    """``clush``, which takes long to start."""
    with Clush() as ready:
        yield ready


@pytest.fixture
def node_sets_as_before() -> Iterator[None]:
    """What ``--groupsconf`` and ``--axis`` have set for our process is undone."""
    from ClusterShell.Defaults import DEFAULTS
    from ClusterShell.NodeSet import set_std_group_resolver

    axis = DEFAULTS.fold_axis
    yield
    DEFAULTS.fold_axis = axis
    set_std_group_resolver(None)
