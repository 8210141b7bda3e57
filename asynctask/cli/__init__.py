"""The command line. Each sub-command is a module with a click command named ``command``.

Sub-commands are imported when they are used: what a command does not need, it does not wait for.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from asynctask._version import __version__

__all__ = ("main",)

#: Exit status for an error that is not one of usage (2) and not of the commands that were run.
EXIT_ERROR = 1

_COMMANDS = {
    "demo": "Try it: start a cluster in this process and run commands on it.",
    "nodes": "Fold, expand or count node sets, or list node groups.",
    "run": "Run a command on many nodes.",
}


def main() -> NoReturn:
    """The ``asynctask`` program."""
    if sys.argv[1:] == ["--version"]:  # without click: this is asked for at every completion and check
        print(f"asynctask {__version__}")  # noqa: T201
        sys.exit(0)
    sys.exit(_run_group())


def _run_group() -> int:
    import os
    from contextlib import suppress

    from asynctask.cli.group import group
    from asynctask.errors import AsyncTaskError

    try:
        group(_COMMANDS).main(prog_name="asynctask")
    except AsyncTaskError as exc:
        message = str(exc)
    except BrokenPipeError:  # whoever read our output has had enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except OSError as exc:
        message = str(exc)
    print(f"asynctask: {message}", file=sys.stderr)  # noqa: T201
    return EXIT_ERROR
