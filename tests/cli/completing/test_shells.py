"""What a shell and asynctask say to each other: real shells, each with its own script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from asynctask.cli.completing.shells import SCRIPTS, lines, parse
from asynctask.cli.completing.values import Item

pytestmark = pytest.mark.one_loop("no loop is used")

BREAKS = "\"'><=;|&(:@ \t\n"


@pytest.mark.parametrize(
    ("line", "words", "text", "left_out"),
    [
        ("asynctask ", [], "", 0),
        ("asynctask ru", [], "ru", 0),
        ("asynctask run ", ["run"], "", 0),
        ("A=1 B+=2 asynctask run x", ["run"], "x", 0),
        ("asynctask run --color=al", ["run"], "--color=al", 8),
        ("asynctask run -w @we", ["run", "-w"], "@we", 0),
        ("asynctask run -w a,@we", ["run", "-w"], "a,@we", 2),
        ("asynctask run -w @s:we", ["run", "-w"], "@s:we", 3),
        ("asynctask run -w 'a b' x", ["run", "-w", "a b"], "x", 0),
        ("asynctask run -w 'a,@w", ["run", "-w"], "a,@w", 0),
        ("asynctask run -w \"it's @w", ["run", "-w"], "it's @w", 0),
        ("asynctask run a\\ b", ["run"], "a b", 2),
        ("asynctask run a\\ ", ["run"], "a ", 2),
        ("", [], "", 0),
    ],
)
def test_a_line_of_bash(line: str, words: list[str], text: str, left_out: int) -> None:
    """It comes whole, since bash cuts words at signs that are part of ours."""
    assert parse("bash", [line, BREAKS]) == (words, text, left_out)


@pytest.mark.parametrize(
    ("said", "parsed"), [(["run", "-w", "@w"], (["run", "-w"], "@w", 0)), ([], ([], "", 0))]
)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_words_of_other_shells(shell: str, said: list[str], parsed: tuple[list[str], str, int]) -> None:
    """They come as they are."""
    assert parse(shell, said) == parsed


def test_an_answer() -> None:
    """A line each, whatever is in it."""
    items = [Item("a,@web", help="two\twords\n"), Item("b\nc", "open")]

    assert lines(items, 0) == "plain\ta,@web\ttwo words \nopen\tb c\t\n"
    assert lines(items[:1], 2) == "plain\t@web\ttwo words \n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has asynctask in PATH, groups, and known hosts."""
    home = tmp_path_factory.mktemp("home")
    for directory in (".ssh", ".config/clustershell", "bin"):
        (home / directory).mkdir(parents=True)
    (home / ".ssh/known_hosts").write_text("web1 x\nweb2 x\ndb1 x\n")
    (home / ".config/clustershell/groups.conf").write_text("[Main]\ndefault: site\nautodir: $CFGDIR\n")
    (home / ".config/clustershell/site.yaml").write_text("site:\n  web: web[1-2]\n  week: x\n  db: db1\n")
    program = home / "bin/asynctask"
    program.write_text(f"#!{sys.executable}\nfrom asynctask.cli import main\nmain()\n")
    program.chmod(0o755)
    for shell, script in SCRIPTS.items():
        (home / shell).write_text(script)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {**kept, "HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}"}


def _ask(shell: str, code: str, site: dict[str, str], before: str = "") -> list[str]:
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["-N"]}[shell]
    found = subprocess.run(
        [shell, *quiet, "-c", f"{before}source ~/{shell}\n{code}"],
        env=site, cwd=site["HOME"], stdin=subprocess.DEVNULL,
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert found.stderr == ""
    return found.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "current", "found"),
    [
        ("asynctask run -w web1,@we", "@we", ["@web", "@week"]),
        ("asynctask run --host-keys=o", "o", ["off"]),
        ("asynctask run -F s", "s", []),
    ],
)
def test_bash(line: str, current: str, found: list[str], site: dict[str, str]) -> None:
    """What it puts into COMPREPLY, for the part of the word that bash completes."""
    code = (
        f"COMP_LINE='{line}' COMP_POINT={len(line)}\n"
        f"_asynctask_completion asynctask '{current}' x; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )

    assert [line for line in _ask("bash", code, site) if line] == found


def test_bash_is_told() -> None:
    """Which function completes the program; it needs no library."""
    found = subprocess.run(
        ["bash", "--norc", "-c", f"{SCRIPTS['bash']}\ncomplete -p asynctask"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip

    assert found.stdout == "complete -o nosort -F _asynctask_completion asynctask\n"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh(site: dict[str, str]) -> None:
    """What it hands to zsh's own functions, with colons that are no separators."""
    code = (
        "_describe() { print -r -- $5 ${(P)5} ${@[6,-1]}; }\n"
        "words=(asynctask run -w \"'web1,@we\") CURRENT=4 PREFIX='web1,@we'; _asynctask\n"
        "words=(asynctask no) CURRENT=2 PREFIX=no; _asynctask"
    )

    assert _ask("zsh", code, site, before="compdef() { }\n") == [
        "plain web1,@web web1,@week",
        "plain nodes:Fold, expand or count node sets, or list node groups.",
    ]


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish(site: dict[str, str]) -> None:
    """What it completes by itself."""
    assert _ask("fish", "complete -C 'asynctask run -w web1,@we'", site) == ["web1,@web", "web1,@week"]
