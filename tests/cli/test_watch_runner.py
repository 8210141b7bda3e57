"""``asynctask watch`` at work: real files, real commands, signals."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.programs import PROGRAM, Terminal, until
from tests.rules.support import HOSTILE

pytestmark = pytest.mark.one_loop("the command line has its own")

CTRL_C = b"\x03"


def _drop(path: Path, text: str = "x") -> None:
    """Write a file as one should: it appears complete."""
    aside = path.parent.parent / "aside"
    aside.write_text(text)
    aside.rename(path)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A directory to watch, which keeps its state: when that is there, the watch has begun."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_hostile_names(asynctask: CommandLine, inbox: Path) -> None:
    """Each is one word, and one variable; none is run."""
    for name in HOSTILE:
        (inbox / name).touch()
    command = f'printf "%%s\\0" %{{path}} "$ASYNCTASK_NAME" >> {inbox.parent}/out'

    status, stdout, stderr = asynctask("watch", str(inbox), "--existing", "--once", "--", command)

    assert (status, stdout, stderr) == (0, b"", b"")
    found = (inbox.parent / "out").read_bytes().split(b"\0")[:-1]
    names = sorted(os.fsencode(name) for name in HOSTILE)
    assert sorted(found[::2]) == [os.fsencode(inbox) + b"/" + name for name in names]
    assert sorted(found[1::2]) == names
    assert sorted(path.name for path in inbox.parent.iterdir()) == ["inbox", "out"]


def test_output_and_failures_are_shown_as_by_run(asynctask: CommandLine, inbox: Path) -> None:
    """With the node in front; who failed in the end is told, and is a dead letter."""
    (inbox / "a").touch()
    letters = inbox.parent / "dead"
    options = ("--existing", "--once", "-R", "exec", "-w", "n[1-2]", "-f1", "--dead-letters", str(letters))

    status, stdout, stderr = asynctask("watch", str(inbox), *options, "--", "echo %{name} %h; exit %n")

    assert (status, stdout) == (0, b"n1: a n1\nn2: a n2\n")
    assert stderr.decode() == (
        f"asynctask: rule watch: gave up on file://{inbox}/a: n2: failed with exit code 1\n"
    )
    assert json.loads(letters.read_text())["nodes"]["n2"]["rc"] == 1


def test_here_there_is_no_label(asynctask: CommandLine, inbox: Path) -> None:
    """One command for a batch, which reads what has changed."""
    for name in "ab":
        (inbox / name).touch()
    words = ("--existing", "--once", "--debounce", "10ms", "--stdin", "paths", "--", "xargs -0 basename -a")
    assert asynctask("watch", str(inbox), *words) == (0, b"a\nb\n", b"")


def test_a_file_is_dropped_and_ctrl_c(inbox: Path) -> None:
    """A command runs for it; Ctrl-C stops what runs, and the exit status is 130."""
    state = inbox.parent / "state"
    command = 'echo "got $ASYNCTASK_NAME"; test %{name} = a || sleep 60'
    words = ("--on", "created", "--state", str(state), "--interval", "0.05", "--", command)
    with Terminal("watch", str(inbox), *words) as terminal:
        until(state.exists)
        _drop(inbox / "a")
        terminal.wait_for(b"got a\n")
        _drop(inbox / "b")
        terminal.wait_for(b"got b\n")
        terminal.press(CTRL_C)
        status = terminal.wait()
    assert (status, terminal.shown) == (130, b"asynctask: SIGINT: stopping what still runs: watch\n")


def test_the_second_ctrl_c_kills(inbox: Path) -> None:
    """What ignores the first one."""
    (inbox / "a").touch()
    command = "trap '' TERM; echo begun; while :; do sleep 60; done"
    with Terminal("watch", str(inbox), "--existing", "--", command) as terminal:
        terminal.wait_for(b"begun\n")
        terminal.press(CTRL_C)
        terminal.wait_for(b"SIGINT: stopping what still runs: watch\n")
        terminal.press(CTRL_C)
        status = terminal.wait()
    assert (status, terminal.shown) == (130, b"asynctask: killing what is left\n")


def test_rules_from_a_file(inbox: Path) -> None:
    """One rule follows another; TERM ends it in order."""
    path = inbox.parent / "rules.toml"
    path.write_text("""
version = 1
[pollers.inbox]
url = "inbox"
interval = 0.05
existing = true
[[rules]]
name = "ingest"
when = "poller.inbox.created"
run = "echo ingest %{name}"
[[rules]]
name = "report"
when = "task.ingest.close"
run = "echo report %{name} %{event}"
""")
    (inbox / "x").touch()
    process = subprocess.Popen(
        [*PROGRAM, "watch", "--rules", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.terminate()
        stdout, stderr = process.communicate(timeout=30)
    assert lines == [b"ingest: ingest x\n", b"report: report x close\n"]
    assert (stdout, stderr, process.returncode) == (b"", b"asynctask: SIGTERM: stopping\n", 143)


def test_nobody_reads_any_more(inbox: Path) -> None:
    """It ends without a word."""
    state = inbox.parent / "state"
    read, write = os.pipe()
    words = ("watch", str(inbox), "--state", str(state), "--interval", "0.05")
    with subprocess.Popen([*PROGRAM, *words], stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        until(state.exists)
        os.close(read)
        _drop(inbox / "a")
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (1, b"")
