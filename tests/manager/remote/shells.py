"""The shells that nodes have: each with its own tools, as far as it brings any."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support import unable

__all__ = ("SHELLS", "path_of")

SHELLS = ("dash", "busybox", "bash")


@functools.cache
def _directory(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        return ""
    directory = Path(tempfile.mkdtemp(prefix=f"asynctask-{shell}-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    if shell == "busybox":
        subprocess.run([program, "--install", "-s", str(directory)], check=True)
    else:
        (directory / "sh").symlink_to(program)
    return str(directory)


def path_of(shell: str) -> str:
    """``PATH`` of a node whose ``sh`` this is."""
    directory = _directory(shell)
    if not directory:
        unable(f"no {shell} here, get it with: apt-get install {shell}")
    return os.pathsep.join((directory, os.environ.get("PATH", os.defpath)))
