"""The command line. Each sub-command is a module with a click command named ``command``.

Sub-commands are imported when they are used: what a command does not need, it does not wait for.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from asynctask._version import __version__

__all__ = ("main",)

#: Exit status for an error that is not one of usage (2) and not of the commands that were run.
EXIT_ERROR = 1

#: In the order in which the help has them.
_COMMANDS = {
    "run": "Run a command on many nodes, or copy files.",
    "nodes": "Fold, expand or count node sets, or list node groups.",
    "gather": "Gather labelled output, as of pdsh, clush or run.",
    "replay": "Show a recorded run again.",
    "history": "Show earlier runs.",
    "retry": "Run a command again where it did not go well.",
    "resume": "Go on with a run that was broken off.",
    "diff": "Compare two runs of the history.",
    "config": "Show the configuration, and where each value comes from.",
    "watch": "Run a command when files or objects change.",
    "up": "Run the processes of a Procfile or asynctask.toml, and keep them running.",
    "ps": "Show the processes of a running manager.",
    "status": "Tell whether all processes run that should.",
    "start": "Start processes.",
    "stop": "Stop processes.",
    "restart": "Stop processes and start them again.",
    "reload": "Replace processes without a gap, or read the file again.",
    "scale": "Have more or fewer processes.",
    "logs": "Show what processes print.",
    "send": "Write to the input of processes.",
    "completion": "Print the completion script of a shell.",
    "demo": "Try it: start a cluster in this process and run commands on it.",
}


def main() -> NoReturn:
    """The ``asynctask`` program."""
    _occupy_closed_streams()
    try:
        if sys.argv[1:] == ["--version"]:  # without click: this is asked for at every completion and check
            print(f"asynctask {__version__}", flush=True)  # noqa: T201
        else:
            _run_group()
    except BrokenPipeError:  # whoever read our output has had enough
        _drop_output()
        sys.exit(EXIT_ERROR)
    except OSError as exc:
        _drop_output()
        reason = exc.strerror or str(exc)
        _complain(f"{exc.filename}: {reason}" if exc.filename else reason)
        sys.exit(EXIT_ERROR)
    sys.exit(0)


def _run_group() -> None:
    """Run the sub-command; click exits by itself, except after our errors."""
    import signal

    # Until there is something to be stopped in order, Ctrl-C ends us like any other program.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from asynctask.cli.group import group
    from asynctask.errors import AsyncTaskError

    try:
        group(_COMMANDS).main(prog_name="asynctask")
    except AsyncTaskError as exc:
        _complain(str(exc))
        sys.exit(EXIT_ERROR)


def _occupy_closed_streams() -> None:
    """Put something where a standard stream is closed: else the next file to be opened would take its place.

    It is opened for reading, so that writing to a closed standard output stays an error.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _drop_output() -> None:
    """What Python holds back and cannot write must not be tried again at exit."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(message: str) -> None:
    from asynctask.cli.terminal import encoded, visible

    if sys.stderr is not None:  # else print() takes standard output
        text = visible(encoded(message)).decode()
        print(f"asynctask: {text}", file=sys.stderr)  # noqa: T201
