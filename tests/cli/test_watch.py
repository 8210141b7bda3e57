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
        (["a.csv", "b.csv"], "'b.csv': a command follows -- and there is one URL"),
        (["a.csv", "b.csv", "--", "ls"], "'b.csv': a command follows -- and there is one URL"),
        (["a.csv", "--"], "no command follows --"),
        (["a.csv", "--", " "], "the command is empty"),
        (["a.csv", "--state", ""], "--state is empty"),
        (["--rules", ""], "--rules is empty"),
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
        (
            ["http://host/x", "-r", "--", "ls"],
            "recurse (-r) is for directories: leave it out for http://host/x",
        ),
        ([".", "-w", "a", "-R", "telnet", "--", "ls"], "asynctask: unknown worker 'telnet'"),
        ([".", "-w", "a", "-F", "/no/such", "--", "ls"], "SSH configuration /no/such: no such file"),
        ([".", "--dead-letters", "/no/such", "--", "ls"], "dead letters /no/such: there is no directory /no"),
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


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_mistakes_in_parts_of_rules_are_told_with_the_file(
    asynctask: CommandLine, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Also those that are found after it was read."""
    path = tmp_path / "rules.toml"
    text = 'version = 1\n[pollers.p]\nurl = "x"\n[[rules]]\nname = "a"\nwhen = "poller.p"\nrun = "true"\n'
    for wrong, message in (
        (text + 'nodes = "a[1-"', "rule 'a': node set 'a[1-': missing bracket: \"a[1-\""),
        (text.replace('"x"', '"http://h/"\nrecurse = true'), "[pollers.p]: recurse (-r) is for directories"),
        (text.replace('"x"', '"x"\nstate = "x/state"'), f"state {tmp_path}/x/state: there is no directory"),
        (text.replace("poller.p", "rule.a.ok"), "rule 'a': when: a rule is not run for what it does itself:"),
    ):
        path.write_text(wrong)
        status, stdout, stderr = asynctask("watch", "--rules", str(path), *options)
        assert (status, stdout, stderr.count(b"\n")) == (1, b"", 1)
        assert stderr.decode().startswith(f"asynctask: {path}: {message}")


def test_help(asynctask: CommandLine) -> None:
    """It has examples."""
    status, stdout, _ = asynctask("watch", "-h")
    assert status == 0
    assert b"asynctask watch src -r --debounce 1 -- make" in stdout
