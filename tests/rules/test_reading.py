"""Tests of asynctask.rules.reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import UsageError
from asynctask.rules.limits import Rate
from asynctask.rules.model import Rule, Rules, Watched
from asynctask.rules.reading import load_rules, parse_rules

pytestmark = pytest.mark.one_loop("nothing here waits")

RULE = '[[rules]]\nname = "a"\nwhen = "poller.inbox.created"\nrun = "true"\n'
POLLER = '[pollers.inbox]\nurl = "/srv/inbox"\n'


def _refused(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_rules(f"version = 1\n{text}", source="x.toml")
    return str(caught.value)


def test_everything(tmp_path: Path) -> None:
    """All keys, with paths relative to the file's directory."""
    path = tmp_path / "rules.toml"
    path.write_text("""
version = 1
[settings]
dead_letters = "dead.jsonl"
[pollers.inbox]
url = "inbox"
recurse = true
interval = 5
debounce = "500ms"
existing = true
state = "/var/inbox.state"
[pollers.bucket]
url = "s3://bucket/data"
[[rules]]
name = "ingest"
when = ["poller.inbox.created", "poller.bucket"]
only = "*.csv"
run = "ingest %{path}"
nodes = "n[1-3]"
worker = "exec"
fanout = 2
timeout = "5m"
connect_timeout = 3
env = { LEVEL = "1" }
stdin = "paths"
debounce = "2s"
rate = "10/1m"
concurrency = 3
queue = 5
overflow = "drop_newest"
retries = 3
retry_delay = "10s"
[[rules]]
name = "after"
when = "task.ingest.close"
run = "true"
""")

    assert load_rules(path) == Rules(
        dead_letters=tmp_path / "dead.jsonl",
        pollers=(
            Watched(
                name="inbox",
                url=str(tmp_path / "inbox"),
                recurse=True,
                interval=5,
                debounce=0.5,
                existing=True,
                state=Path("/var/inbox.state"),
            ),
            Watched(name="bucket", url="s3://bucket/data"),
        ),
        rules=(
            Rule(
                name="ingest",
                when=("poller.inbox.created", "poller.bucket"),
                only=("*.csv",),
                run="ingest %{path}",
                nodes="n[1-3]",
                worker="exec",
                fanout=2,
                timeout=300,
                connect_timeout=3,
                env={"LEVEL": "1"},
                stdin="paths",
                debounce=2,
                rate=Rate(10, 60),
                concurrency=3,
                queue=5,
                overflow="drop_newest",
                retries=3,
                retry_delay=10,
            ),
            Rule(name="after", when=("task.ingest.close",), run="true"),
        ),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no [[rules]]"),
        ("rulez = 1", "unknown key 'rulez'; did you mean 'rules'?"),
        ("rules = 1", "rules: a list is needed, not a number"),
        ("rules = [1]", "[[rules]] 1: a table is needed, not a number"),
        (
            "[settings]\ndead_letter = 'x'",
            "[settings]: unknown key 'dead_letter'; did you mean 'dead_letters'?",
        ),
        ("[pollers]\ninbox = 1", "[pollers.inbox]: a table is needed, not a number"),
        ("[pollers.inbox]", "[pollers.inbox]: url is missing"),
        ("[pollers.inbox]\nuri = '/x'", "[pollers.inbox]: unknown key 'uri'; did you mean 'url'?"),
        (POLLER + "interval = 0", "[pollers.inbox]: interval: more than 0 seconds are needed"),
        (POLLER + "intervall = 1", "[pollers.inbox]: unknown key 'intervall'; did you mean 'interval'?"),
        (POLLER + "recurse = 1", "[pollers.inbox]: recurse: true or false is needed, not a number"),
        (
            "[pollers.'a.b']\nurl = '/x'",
            "[pollers.a.b]: a name has letters, digits, _ and -, for it is part of a topic: 'a.b'",
        ),
        (
            POLLER + "state = 'x'\n[pollers.b]\nurl = '/y'\nstate = './x'\n" + RULE,
            "[pollers.b]: state: x is also that of [pollers.inbox]: state: each needs its own",
        ),
        (
            "[settings]\ndead_letters = 'x'\n" + POLLER + "state = 'x'\n" + RULE,
            "[settings]: dead_letters: x is also that of [pollers.inbox]: state: each needs its own",
        ),
        (
            POLLER + "state = '~no-such-user/x'",
            "[pollers.inbox]: state: '~no-such-user/x': the home directory is not known",
        ),
        (
            "[pollers.inbox]\nurl = '~no-such-user/x'",
            "[pollers.inbox]: url: '~no-such-user/x': the home directory is not known",
        ),
        ("[rules]\nname = 'a'", "rules: each begins with [[rules]], in two brackets"),
        (POLLER + RULE + "timeout = 1" + "0" * 400, "rule 'a': timeout: a time is thirty years at most"),
        (POLLER + RULE + "only = []", "rule 'a': only: it is empty"),
        (POLLER + RULE + "nodes = 12:00:00", "rule 'a': nodes: text is needed, not a date or time"),
        ("x = 1" + "0" * 5000, "a number has too many digits"),
        ("x = " + "[" * 5000, "brackets are nested too deeply"),
        ("[[rules]]\nwhen = 'x'", "rule 1: name is missing"),
        (POLLER + RULE + RULE, "two rules are called 'a'"),
        (RULE, "rule 'a': when: there is no poller 'inbox'"),
        (
            POLLER.replace("inbox", "inbx") + RULE,
            "rule 'a': when: there is no poller 'inbox'; did you mean 'inbx'?",
        ),
        (
            POLLER + RULE.replace("created", "create"),
            "rule 'a': when: pollers have no event 'create'; did you mean 'created'?",
        ),
        (POLLER + RULE + "retry = 1", "rule 'a': unknown key 'retry'; did you mean 'retries'?"),
        (POLLER + RULE + "retries = -1", "rule 'a': retries: 0 or more is needed, not -1"),
        (POLLER + RULE + "retries = true", "rule 'a': retries: a whole number is needed, not true or false"),
        (
            POLLER + RULE + "concurrency = 1.5",
            "rule 'a': concurrency: a whole number is needed, not 1.5",
        ),
        (POLLER + RULE + "rate = 5", 'rule \'a\': rate: a rate is text like "10/1m" or "5/s", not 5'),
        (
            POLLER + RULE + "timeout = 'x'",
            'rule \'a\': timeout: a time is seconds, or text like "500ms", "10s", "5m", "2h", not \'x\'',
        ),
        (
            POLLER + RULE + "overflow = 'drop'",
            "rule 'a': overflow: one of drop_oldest, drop_newest is needed, not 'drop'",
        ),
        (POLLER + RULE + "only = [1]", "rule 'a': only: text is needed, not a number"),
        (POLLER + RULE + "env = { A = 1 }", "rule 'a': env: A: text is needed, not int"),
        (
            POLLER + RULE + "env = { ASYNCTASK_URL = 'x' }",
            "rule 'a': env: ASYNCTASK_URL: names that begin with ASYNCTASK_ are for the event's data",
        ),
        (POLLER + RULE + "worker = 'ssh'", "rule 'a': worker: ssh needs nodes"),
        (POLLER + RULE.replace('"true"', '""'), "rule 'a': run: it is empty"),
        (
            RULE.replace("poller.inbox.created", "a..b"),
            "rule 'a': when: pattern 'a..b': a component is empty",
        ),
        (RULE.replace('"poller.inbox.created"', "[]"), "rule 'a': when: it is empty"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, message: str) -> None:
    """The table, the key, what is wrong and what may be meant."""
    assert _refused(text) == f"x.toml: {message}"


def test_a_placeholder_in_quotes_is_told_with_its_rule() -> None:
    """It is the most likely mistake."""
    message = _refused(POLLER + RULE.replace('"true"', "\"cat '%{path}'\""))
    assert message.startswith("x.toml: rule 'a': %{path} stands inside single quotes")


@pytest.mark.parametrize("text", ["", "version = 2", "version = '1'"])
def test_another_version(text: str) -> None:
    """A file for a later one is not half understood."""
    with pytest.raises(UsageError, match=r"x\.toml: version"):
        parse_rules(text, source="x.toml")


def test_no_toml(tmp_path: Path) -> None:
    """Nor a file at all."""
    with pytest.raises(UsageError, match=r"x\.toml: .*line 1"):
        parse_rules("[\n", source="x.toml")
    with pytest.raises(UsageError, match=r"none\.toml: No such file"):
        load_rules(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\n# \xe9")
    with pytest.raises(UsageError, match=r"it is not UTF-8, as TOML must be \(at line 2\)"):
        load_rules(tmp_path / "latin.toml")
    with pytest.raises(UsageError, match=r"/dev/zero: it has more than 4 MiB: this is no rules file"):
        load_rules("/dev/zero")
    with pytest.raises(UsageError, match="null byte"):
        load_rules("a\0b")


def test_the_version_is_missing() -> None:
    """What to write is told."""
    with pytest.raises(UsageError) as caught:
        parse_rules(POLLER + RULE, source="x.toml")
    assert str(caught.value) == "x.toml: version is missing: begin with the line version = 1"


def test_a_mark_at_the_beginning(tmp_path: Path) -> None:
    """As some editors write it; and lines that end as theirs do."""
    (tmp_path / "rules.toml").write_bytes(f"\ufeffversion = 1\n{POLLER}{RULE}".replace("\n", "\r\n").encode())
    assert load_rules(tmp_path / "rules.toml").rules[0].name == "a"


def test_the_rules_file_itself_is_not_written(tmp_path: Path) -> None:
    """It would be the end of it."""
    (tmp_path / "rules.toml").write_text(f"version = 1\n{POLLER}state = 'rules.toml'\n{RULE}")
    with pytest.raises(UsageError, match=r"\[pollers.inbox\]: state: this is the rules file itself"):
        load_rules(tmp_path / "rules.toml")


def test_a_path_with_a_colon() -> None:
    """It is no URL."""
    text = f"version = 1\n{POLLER.replace('/srv/inbox', 'in:box')}{RULE}"
    assert parse_rules(text, base="/etc/x").pollers[0].url == "/etc/x/in:box"
