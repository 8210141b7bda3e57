"""``asynctask nodes``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.programs import Finished

pytestmark = pytest.mark.one_loop("no event loop runs here")


class Nodes(Protocol):
    """What the fixture ``nodes`` is."""

    def __call__(self, *words: str, stdin: bytes = b"") -> Finished: ...


class Output(Protocol):
    """What the fixture ``output`` is."""

    def __call__(self, *words: str, stdin: bytes = b"") -> str: ...


@pytest.fixture
def nodes(asynctask: CommandLine, tmp_path: Path) -> Nodes:
    """Runs ``asynctask nodes``."""

    def run(*words: str, stdin: bytes = b"") -> Finished:
        source = tmp_path / "stdin"
        source.write_bytes(stdin)
        return asynctask("nodes", *words, stdin=source)

    return run


@pytest.fixture
def output(nodes: Nodes) -> Output:
    """Runs it, and is what it writes; it goes well and says nothing else."""

    def run(*words: str, stdin: bytes = b"") -> str:
        result = nodes(*words, stdin=stdin)
        assert (result.status, result.stderr) == (0, b"")
        return result.stdout.decode()

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-f", "a1", "a2"], "a[1-2]\n"),
        (["--fold", "a1,b", "a2"], "a[1-2],b\n"),
        (["-e", "a[1-3]"], "a1 a2 a3\n"),
        (["--expand", "b,a[1-2]", "a1"], "a1 a2 b\n"),
        (["-e", "-S", ",", "a[1-3]"], "a1,a2,a3\n"),
        (["-e", "-S", r"\n", "a[1-3]"], "a1\na2\na3\n"),
        (["-e", "--separator", r"\t\0\\", "a[1-2]"], "a1\t\0\\a2\n"),
        (["-e", "-S", "'''+exit()+'''", "a[1-2]"], "a1'''+exit()+'''a2\n"),
        (["-c", "a[1-100]", "a5"], "100\n"),
        (["--count", ""], "0\n"),
        (["-f", ""], "\n"),
        (["-f", "a1\na2"], "a[1-2]\n"),
    ],
)
def test_fold_expand_and_count(output: Output, words: list[str], expected: str) -> None:
    """The three things one does with a node set."""
    assert output(*words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-f", "a[1-5]", "-x", "a2"], "a[1,3-5]\n"),
        (["-f", "a[1-5]", "-i", "a[4-9]"], "a[4-5]\n"),
        (["-f", "a[1-5]", "-X", "a[4-9]"], "a[1-3,6-9]\n"),
        (["-f", "a[1-5]", "-x", "a2", "a2"], "a[1-5]\n"),
        (["-f", "a[1-5]", "-x", "a[1-2]", "-i", "a[2-3]", "b"], "a3,b\n"),
        (["-f", "a[1-5]", "-i", "a[2-3]", "-x", "a2", "-x", "a9"], "a3\n"),
        (["-f", "-x", "a2", "a[1-5]"], "a[1,3-5]\n"),
        (["-x", "a2", "-f", "a[1-3]", "a[2,7]"], "a[1-3,7]\n"),
        (["a[1-5]", "--exclude=a2", "-f"], "a[1,3-5]\n"),
        (["-fxa2", "a[1-3]"], "a[1,3]\n"),
        (["-f", "a[1-3]", "--intersection", "a2", "--", "a9"], "a[2,9]\n"),
    ],
)
def test_sets_and_operations_apply_from_left_to_right(
    output: Output, words: list[str], expected: str
) -> None:
    """Whatever the spelling; an operation in front of the first set is meant for it."""
    assert output(*words) == expected


@pytest.mark.parametrize(
    ("words", "stdin", "expected"),
    [
        (["-f"], "node12", "node12\n"),
        (["-f"], "a1 a2\na3,b\n", "a[1-3],b\n"),
        (["-c"], "a1 # a2\n# a3\na4", "2\n"),
        (["-f", "-"], "a1\n", "a1\n"),
        (["-f", "b", "-"], "a1\n", "a1,b\n"),
        (["-f", "a[1-3]", "-x", "-"], "a1\n\na2", "a3\n"),
        (["-f", "-x", "a1"], "a[1-3]\n", "a[2-3]\n"),
        (["-f", "a1"], "b\n", "a1\n"),
        (["-f"], "", "\n"),
    ],
)
def test_standard_input(output: Output, words: list[str], stdin: str, expected: str) -> None:
    """Without node sets and for ``-``; ``#`` begins a comment, and a last line without newline is whole."""
    assert output(*words, stdin=stdin.encode()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-l"], "@db\n@empty\n@front\n@web\n"),
        (["-ll"], "@db db[1-2]\n@empty \n@front lb,web[1-3]\n@web web[1-3]\n"),
        (["-lll"], "@db db[1-2] 2\n@empty  0\n@front lb,web[1-3] 4\n@web web[1-3] 3\n"),
        (["--groups", "-s", "shell"], "@shell:cpu\n@shell:gpu\n"),
        (["-ll", "-s", "shell"], "@shell:cpu cpu[1-4]\n@shell:gpu gpu[1-2]\n"),
        (["-l", "web1"], "@front\n@web\n"),
        (["-ll", "web[2-9]"], "@front web[2-3]\n@web web[2-3]\n"),
        (["-lll", "web[2-3],db1"], "@db db1 1/2\n@front web[2-3] 2/4\n@web web[2-3] 2/3\n"),
        (["-l", "-l", "-s", "shell", "gpu2", "other"], "@shell:gpu gpu2\n"),
        (["-l", "other"], ""),
        (["-ll", "-a", "-s", "shell", "-x", "cpu[1-4]"], "@shell:gpu gpu[1-2]\n"),
        (["-f", "-a", "-s", "shell"], "cpu[1-4],gpu[1-2]\n"),
        (["-f", "-a", "-x", "@cpu", "-s", "shell"], "gpu[1-2]\n"),
        (["-e", "@web", "-x", "web2"], "web1 web3\n"),
        (["-r", "web[1-3],lb,db1"], "@front,db1\n"),
        (["--regroup", "-s", "shell", "@gpu"], "@shell:gpu\n"),
    ],
)
def test_groups(output: Output, site_groups: Path, words: list[str], expected: str) -> None:
    """Groups are listed with more or less of what is in them, and stand for their nodes."""
    site_groups.with_name("groups.yaml").write_text(
        "file:\n  web: web[1-3]\n  db: db[1-2]\n  front: '@web,lb'\n  empty:\n"
    )

    assert output(*words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give exactly one of -f, -e, -c, -r, -l, -L, --index and --list-sources"),
        (["a1"], "give exactly one of "),
        (["-f", "-e", "a1"], "give exactly one of "),
        (["-c", "-l"], "give exactly one of "),
        (["-f", "--index", "a1", "a1"], "give exactly one of "),
        (["-f", "--no-such-option"], "No such option '--no-such-option'."),
        (["-f", "a1", "-x"], "Option '-x' requires an argument."),
        (["-R", "-f", "-a"], "-R is for numbers: leave out -a, -r, -l and -L"),
        (["-R", "-l", "1"], "-R is for numbers: leave out -a, -r, -l and -L"),
        (["-f", "--split", "2", "--contiguous", "a"], "--split and --contiguous exclude each other"),
        (["-f", "--split", "0", "a"], "Invalid value for '--split': 0 is not in the range x>=1."),
        (["-e", "--axis", "1", "a1"], "--axis goes with -f, and not with -R"),
        (["--index", "a1", "--pick", "1", "a1"], "--index and --pick exclude each other"),
        (
            ["-f", "--autostep", "3x", "a1"],
            "Invalid value for '--autostep': '3x' is no number of nodes (4), ",
        ),
    ],
)
def test_usage(nodes: Nodes, words: list[str], message: str) -> None:
    """What does not go together is refused, by name."""
    result = nodes(*words)

    assert (result.status, result.stdout) == (2, b"")
    assert f"Error: {message}" in result.stderr.decode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-f", "a[1-"], "node set 'a[1-': "),
        (["-f", "a1", "-x", "b["], "node set 'b[': "),
        (["-e", "@nosuch"], "unknown group '@nosuch', known are "),
        (["-l", "-s", "nosuch"], "the list of groups: unknown group source 'nosuch'; "),
        (["--list-sources", "-s", "nosuch"], "unknown group source 'nosuch'; "),
        (["-c", "@x;touch pwned"], "group name 'x;touch pwned' is refused"),
        (["-f", "-R", "1-x"], "range set '1-x': "),
        (["-f", "-I", "x", "a1"], "-I 'x': "),
        (["-f", "--axis", "-x", "a1"], "--axis -x: give axes from 1, as 1,3, or -1 for the last"),
        (["-f", "-O", "%d", "a1"], "-O '%d': "),
        (["-f", "-O", "%s%s", "a1"], "-O '%s%s': "),
        (["--index", "b1", "a[1-2]"], "--index b1: it is not in the set"),
        (["-f", "--groupsconf", "/no/such", "a1"], "group configuration /no/such: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_explained(
    nodes: Nodes, site_groups: Path, words: list[str], message: str
) -> None:
    """In one line; nothing is on standard output."""
    result = nodes(*words)

    assert (result.status, result.stdout, result.stderr.count(b"\n")) == (1, b"", 1)
    assert result.stderr.decode().startswith(f"asynctask: {message}")


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["-f", "-x", "a1"], True),
        (["-f", "-", "-i", "a1"], True),
        (["-q", "-f", "-x", "a1"], False),
        (["-f", "", "-x", "a1"], False),
        (["-f", "a1", "-i", "b", "-x", "c"], False),
    ],
)
def test_operations_on_nothing(nodes: Nodes, words: list[str], warned: bool) -> None:
    """Nothing on standard input is worth a warning; that nothing is left is not."""
    result = nodes(*words)

    assert (result.status, result.stdout) == (0, b"\n")
    assert result.stderr == (
        b"asynctask: nodes: the set that -x, -i and -X work on is empty\n" if warned else b""
    )


def test_numbers_have_no_group_source(nodes: Nodes) -> None:
    """It is said that -s does nothing."""
    result = nodes("-f", "-R", "-s", "shell", "1", "2")

    assert (result.stdout, result.stderr) == (b"1-2\n", b"asynctask: nodes: -s has no meaning with -R\n")


@pytest.mark.parametrize(
    ("words", "stdin", "expected"),
    [
        (["-f"], b"caf\xe9 a1\n", b"a1,caf\xe9\n"),
        (["-e", "-S", "\udcff", "a[1-2]"], b"", b"a1\xffa2\n"),
    ],
)
def test_names_that_are_not_utf8(nodes: Nodes, words: list[str], stdin: bytes, expected: bytes) -> None:
    """They come out as they went in."""
    assert nodes(*words, stdin=stdin) == (0, expected, b"")


def test_a_source_that_cannot_list_is_said(nodes: Nodes, site_groups: Path) -> None:
    """The others are listed; only a source that should be able to makes the exit status 1."""
    result = nodes("-L")

    assert (result.status, result.stdout) == (
        1,
        b"@db\n@empty\n@front\n@loop\n@odd\n@web\n@shell:cpu\n@shell:gpu\n",
    )
    assert [line.split(b": ", 3)[-1] for line in result.stderr.splitlines()] == [
        b"group source 'mute' has no 'list' command",
        b"unknown, or its group source 'broken' failed: exit 4",
    ]


def test_debug_says_how_groups_are_looked_up(
    nodes: Nodes, site_groups: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The command of a source is shown."""
    import logging

    with caplog.at_level(logging.DEBUG):
        nodes("-d", "-f", "@shell:gpu")

    assert "s///p" in caplog.text


@pytest.mark.parametrize("spelling", ["-h", "--help"])
def test_help_shows_examples(output: Output, spelling: str) -> None:
    """Help is for who has not read the manual."""
    assert "\n    asynctask nodes -e web[1-4] -x web2        web1 web3 web4\n" in output(spelling)


def test_it_starts_without_what_it_does_not_need() -> None:
    """Start-up is felt at every call: no event loop, no SSH, no rich."""
    code = (
        "import sys\n"
        "from asynctask.cli.nodes import command\n"
        "command(['-f', 'a1', 'a2'], standalone_mode=False)\n"
        "print(sorted({'anyio', 'asyncio', 'asyncssh', 'rich', 'uvloop'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "a[1-2]\n[]\n"
