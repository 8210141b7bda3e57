"""``asynctask nodes``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asynctask.cli.nodes import command
from asynctask.errors import UsageError


def _run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, words, input=stdin, prog_name="asynctask nodes")


def _output(*words: str, stdin: str = "") -> str:
    result = _run(*words, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize(
    ("words", "output"),
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
def test_fold_expand_and_count(words: list[str], output: str) -> None:
    """The three things one does with a node set."""
    assert _output(*words) == output


@pytest.mark.parametrize(
    ("words", "output"),
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
def test_sets_and_operations_apply_from_left_to_right(words: list[str], output: str) -> None:
    """Whatever the spelling; an operation in front of the first set is meant for it."""
    assert _output(*words) == output


@pytest.mark.parametrize(
    ("words", "stdin", "output"),
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
def test_standard_input(words: list[str], stdin: str, output: str) -> None:
    """Without node sets and for ``-``; ``#`` begins a comment, and a last line without newline is whole."""
    assert _output(*words, stdin=stdin) == output


@pytest.mark.parametrize(
    ("words", "output"),
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
def test_groups(site_groups: Path, words: list[str], output: str) -> None:
    """Groups are listed with more or less of what is in them, and stand for their nodes."""
    site_groups.with_name("groups.yaml").write_text(
        "file:\n  web: web[1-3]\n  db: db[1-2]\n  front: '@web,lb'\n  empty:\n"
    )

    assert _output(*words) == output


@pytest.mark.parametrize("words", [[], ["a1"], ["-f", "-e", "a1"], ["-c", "-l"], ["-f", "-r", "a1"]])
def test_exactly_one_command(words: list[str]) -> None:
    """None or several is a usage error."""
    result = _run(*words)

    assert result.exit_code == 2
    assert result.stderr.endswith("Error: give exactly one of -f, -e, -c, -r and -l\n")


@pytest.mark.parametrize("words", [["-f", "--no-such-option"], ["-f", "a1", "-x"]])
def test_wrong_options(words: list[str]) -> None:
    """What click refuses is refused with its message and code."""
    assert _run(*words).exit_code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-f", "a[1-"], "node set 'a[1-': "),
        (["-f", "a1", "-x", "b["], "node set 'b[': "),
        (["-e", "@nosuch"], "unknown group '@nosuch', known are "),
        (["-l", "-s", "nosuch"], "the list of groups: unknown group source 'nosuch'; "),
        (["-c", "@x;touch pwned"], "group name 'x;touch pwned' is refused"),
    ],
)
def test_what_cannot_be_done_is_explained(site_groups: Path, words: list[str], message: str) -> None:
    """The error is raised for the program to print; nothing is on standard output."""
    result = _run(*words)

    assert isinstance(result.exception, UsageError)
    assert (str(result.exception)[: len(message)], result.stdout) == (message, "")


@pytest.mark.parametrize("spelling", ["-h", "--help"])
def test_help_shows_examples(spelling: str) -> None:
    """Help is for who has not read the manual."""
    assert "\n    asynctask nodes -e web[1-4] -x web2        web1 web3 web4\n" in _output(spelling)


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
