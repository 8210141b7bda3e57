"""``asynctask watch``: its words and options; what it does is tested in test_watch_runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line has its own")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to watch: name a URL or a path, or a file with --rules"),
        (["."], "no command to run on the nodes: it follows --"),
        (["--json", ".", "--", "ls"], "--json is for printing changes, without COMMAND"),
        (["--on", "create", "."], "'create' is none of created, modified, deleted"),
        (["--interval", "0", "."], "more than 0 seconds are needed"),
        (["--debounce", "x", "."], "a time is seconds, or text like"),
        (["--rate", "5", ".", "--", "ls"], "a rate is text like"),
        (["--rules", "x.toml", "."], "with --rules, what is watched and run is in the file"),
        (["--rules", "x.toml", "--only", "*"], "with --rules, what is watched and run is in the file"),
        (["-w", " ", ".", "--", "ls"], "-w has no nodes"),
    ],
)
def test_wrong_usage(asynctask: CommandLine, words: list[str], message: str) -> None:
    """It is told, and the exit status is 2."""
    options = ["-w", "a"] if words == ["."] else []
    status, stdout, stderr = asynctask("watch", *options, *words)
    assert (status, stdout) == (2, b"")
    assert message in stderr.decode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gopher://x", "--", "ls"], "no poller for gopher: URLs; there is one for file http"),
        ([".", "--", "cat '%{path}'"], "%{path} stands inside single quotes"),
        ([".", "--", "cat %{file}"], "unknown placeholder %{file}"),
        ([".", "-R", "ssh", "--", "ls"], "worker: ssh needs nodes"),
        ([".", "-w", "a[1-", "--", "ls"], "a[1-"),
        ([".", "--state", "/no/such/state"], "state /no/such/state: there is no directory /no/such"),
        (["--rules", "/no/such.toml"], "/no/such.toml: No such file or directory"),
    ],
)
def test_what_can_never_work(asynctask: CommandLine, words: list[str], message: str) -> None:
    """One clear line, and the exit status is 1."""
    status, stdout, stderr = asynctask("watch", *words)
    assert (status, stdout, stderr.count(b"\n")) == (1, b"", 1)
    assert stderr.decode().startswith("asynctask: ")
    assert message in stderr.decode()


def test_a_topic_that_nothing_publishes(asynctask: CommandLine, tmp_path: Path) -> None:
    """A rule that would never run is a mistake."""
    path = tmp_path / "rules.toml"
    path.write_text('version = 1\n[[rules]]\nname = "a"\nwhen = "task.b.end"\nrun = "true"\n')
    status, _, stderr = asynctask("watch", "--rules", str(path))
    assert (status, stderr.decode()) == (
        1,
        f"asynctask: {path}: rule 'a': when: nothing publishes 'task.b.end'\n",
    )


def test_help(asynctask: CommandLine) -> None:
    """It has examples."""
    status, stdout, _ = asynctask("watch", "-h")
    assert status == 0
    assert b"asynctask watch src -r --debounce 1 -- make" in stdout
