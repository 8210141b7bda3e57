"""The same command lines by ``clush`` and by ``asynctask run``: exit statuses, and where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.clush import Clush
from tests.cli.conftest import CommandLine

pytestmark = [
    pytest.mark.one_loop("the command line runs on its own loop"),
    pytest.mark.usefixtures("node_sets_as_before"),
]

GROUPS = "--groupsconf groups.conf"


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with groups."""
    monkeypatch.chdir(tmp_path)
    Path("groups.conf").write_text(f"[Main]\ndefault: file\nautodir: {tmp_path}\n")
    Path("groups.yaml").write_text("file:\n  web: web[1-3]\n")


@pytest.mark.parametrize(
    ("options", "command", "status"),
    [
        ("-w n[1-3]", "exit %n", 0),
        ("-w n[1-3] -S", "exit %n", 2),
        ("-w n[1-3] -O maxrc=yes -q -b", "exit %n", 2),
        ("-w n[1-3] -S", "test %n = 1 || kill -9 $$", 137),
        ("-w n[1-3] -S", "kill -TERM $$; sleep 9", 143),
        ("-w n[1-2] -u 0.1 -b", "test %n = 1 || exec sleep 60", 0),
        ("-w n[1-2] -S -u 0.1", "test %n = 1 || exec sleep 60", 255),
        ("-w n -S", "nosuchcommand", 127),
        # Wrong usage.
        ("", "true", 2),
        ("-w n -x n", "true", 2),
        ("-w=", "true", 2),
        ("-w n --nosuch", "true", 2),
        ("-w n -f x", "true", 2),
        ("-w n -t x", "true", 2),
        ("-w n -L --diff", "true", 2),
        ("-w n -c", "", 2),
        # Other errors.
        ("-w n[1-", "true", 1),
        ("-w n -R nosuch", "true", 1),
        ("-w n --hostfile nosuch", "true", 1),
        (f"-w @nosource:x {GROUPS}", "true", 1),
        (f"-a -s nosource {GROUPS}", "true", 1),
        ("-w n", "echo %z", 1),
    ],
)
def test_the_same_exit_status(
    clush: Clush, asynctask: CommandLine, options: str, command: str, status: int
) -> None:
    """0, the largest exit code with -S, 2 for wrong usage, 1 for other errors."""
    words = ["-n", "-R", "exec", *options.replace("-w=", "-w").split(), *([command] if command else [])]
    if "-w=" in options:
        words.insert(4, "")

    theirs, ours = clush(*words), asynctask("run", *words)

    assert (theirs.status, ours.status) == (status, status), (theirs, ours)


@pytest.mark.parametrize(
    ("options", "theirs", "ours", "message"),
    [
        (f"{GROUPS} -w @nosuch true", 2, 1, "asynctask: unknown group '@nosuch', known are web"),
        (f"{GROUPS} -w @nosuch,n true", 0, 1, "asynctask: unknown group '@nosuch', known are web"),
        ("-w n -O fanout true", 1, 2, "Error: -O fanout: KEY=VALUE is expected"),
        ("-w n -O nosuch=1 true", 0, 2, "Error: -O nosuch=1: unknown key 'nosuch'"),
        ("-w n -m nosuch true", 1, 2, "Error: -m nosuch: there is no such mode; known are sudo"),
        ("-w n --conf nosuch true", 0, 1, "asynctask: configuration nosuch: No such file"),
        ("-w n --groupsconf nosuch true", 0, 1, "asynctask: group configuration nosuch: No such file"),
        ("-w n --pick 0 true", 0, 2, "Error: Invalid value for '--pick': 0 is not in the range"),
        ("-w n --dest d true", 0, 2, "Error: --dest goes with --copy or --rcopy"),
        ("-w n -p true", 0, 2, "Error: -p goes with --copy or --rcopy"),
        ("-w n -E nosuch true", 2, 0, ""),
        ("-w n -b --diff -q -v true", 0, 2, "Error: -q and -v exclude each other"),
    ],
)
def test_another_exit_status(
    clush: Clush, asynctask: CommandLine, options: str, theirs: int, ours: int, message: str
) -> None:
    """What clush passes over, or finds later, is said before anything runs."""
    words = ["-n", "-R", "exec", *options.split()]

    status, _, stderr = asynctask("run", *words)

    assert (clush(*words).status, status) == (theirs, ours)
    assert (stderr.decode().splitlines() or [""])[-1].startswith(message)


def test_output_of_who_timed_out(clush: Clush, asynctask: CommandLine) -> None:
    """clush loses it with ``-b`` and ``-L``."""
    words = ["-n", "-R", "exec", "-b", "-u", "0.1", "-w", "n", "echo begun; exec sleep 60"]

    assert clush(*words).stdout == b""
    assert asynctask("run", *words).stdout == b"---------------\nn\n---------------\nbegun\n"
