"""What ``asynctask watch`` prints itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.watch_show import plan
from asynctask.rules.reading import parse_rules
from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("the command line has its own")

RULES = """
version = 1
[settings]
dead_letters = "/var/dead.jsonl"
[pollers.inbox]
url = "/srv/inbox"
recurse = true
debounce = 2
existing = true
state = "/var/inbox.state"
[[rules]]
name = "ingest"
when = ["poller.inbox.created", "poller.inbox.modified"]
only = "*.csv"
run = "ingest %{path}"
nodes = "n[1-3]"
worker = "exec"
debounce = 1
rate = "10/1m"
timeout = "5m"
retries = 3
[[rules]]
name = "report"
when = "rule.ingest.dead"
run = "mail -s 'ingest \x1b[1m' root"
debounce = 60
"""


def test_what_rules_come_to() -> None:
    """Control characters are made visible."""
    assert plan(parse_rules(RULES.replace("\x1b", "\\u001b"))).decode() == (
        "poller inbox: file:///srv/inbox: every 1 s, with subdirectories, when quiet for 2 s,"
        " existing entries count as created, state in /var/inbox.state\n"
        "rule ingest: when poller.inbox.created or poller.inbox.modified\n"
        "  only *.csv\n"
        "  1 at once, one run for each entry when quiet for 1 s, rate 10/60s, timeout 300 s,"
        " 3 more attempts\n"
        "  runs on n[1-3] (3) by exec: ingest %{path}\n"
        "rule report: when rule.ingest.dead\n"
        "  1 at once, one run for all when quiet for 60 s\n"
        "  runs here: mail -s 'ingest ^[[1m' root\n"
        "dead letters: /var/dead.jsonl\n"
    )


def test_a_dry_run_of_rules(asynctask: CommandLine, tmp_path: Path) -> None:
    """It tells what they come to, and ends."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES.replace("\x1b", ""))
    status, stdout, stderr = asynctask("watch", "--rules", str(path), "--dry-run")
    assert (status, stdout.startswith(b"poller inbox: "), stderr) == (0, True, b"")


def test_a_dry_run_prints_commands(asynctask: CommandLine, tmp_path: Path) -> None:
    """As the shell of each node would get them; nothing is run, no state is kept."""
    inbox, state = tmp_path / "inbox", tmp_path / "state"
    inbox.mkdir()
    (inbox / "a b").touch()
    words = ("watch", str(inbox), "--existing", "--once", "--dry-run", "--state", str(state))

    here = asynctask(*words, "--", "rm %{path} %{count}")
    there = asynctask(*words, "-w", "n[1-2]", "--", "rm %{name} %h")

    assert here == (0, f"rm '{inbox}/a b' 1\n".encode(), b"")
    assert there == (0, b"n1: rm 'a b' n1\nn2: rm 'a b' n2\n", b"")
    assert (inbox / "a b").exists()
    assert not state.exists()


def test_changes_are_printed(asynctask: CommandLine, tmp_path: Path) -> None:
    """A line each, whatever is in a name; or a JSON object."""
    for name in ("a\nb", "\x1b[1m"):
        (tmp_path / name).touch()
    words = ("watch", str(tmp_path), "--existing", "--once")
    url = f"file://{tmp_path}"

    plain, json = asynctask(*words), asynctask(*words, "--json", "--only", "a*")

    assert sorted(plain.stdout.decode().splitlines()) == [
        f"created\t{url}/%1B%5B1m",
        f"created\t{url}/a%0Ab",
    ]
    assert json.stdout.decode() == f'{{"event": "created", "url": "{url}/a%0Ab"}}\n'
