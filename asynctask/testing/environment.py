"""What commands of a test node find in their environment."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ("is_accepted", "login_environment", "write_scripts")

_HOSTNAME = """\
#!/bin/sh
echo "$ASYNCTASK_NODE"
"""
_UNAME = """\
#!/bin/sh
case "$*" in
    -n | --nodename) echo "$ASYNCTASK_NODE" ;;
    *) exec {uname} "$@" ;;
esac
"""


def write_scripts(directory: Path) -> Path:
    """Make a directory of programs that tell the name of the node, not of this machine."""
    directory.mkdir()
    uname = shlex.quote(shutil.which("uname") or "/bin/uname")
    for name, text in (("hostname", _HOSTNAME), ("uname", _UNAME.format(uname=uname))):
        script = directory / name
        script.write_text(text)
        script.chmod(0o755)
    return directory


def login_environment(user: str, scripts: Path) -> dict[str, str]:
    """What a login has on every node; ``scripts`` come first in ``PATH``."""
    return {
        "PATH": os.pathsep.join((str(scripts), os.environ.get("PATH", os.defpath))),
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/sh",
    }


def is_accepted(name: str, patterns: Iterable[str]) -> bool:
    """Whether a client may set a variable, as sshd's AcceptEnv decides it."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
