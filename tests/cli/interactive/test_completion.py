"""What a line may go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.interactive.completion import Completion, complete, group_names, programs

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def _complete(line: str) -> list[str]:
    found = complete(
        line,
        nodes=lambda: ["web1", "web2", "db1", "Web9"],
        chosen=lambda: ["web1", "db1"],
        groups=lambda: ["@web", "@west", "@db"],
        commands=lambda: ["uname", "uptime", "unzip"],
    )
    return [line[: len(line) - replaces] + text for text, replaces in found]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("up", ["uptime"]),
        ("un", ["uname", "unzip"]),
        ("he", ["help"]),
        ("!un", ["!uname", "!unzip"]),
        ("!he", []),
        ("", []),
        ("uname -", []),
        ("=", []),
        ("?", []),
        ("@we", ["@web1", "@web2"]),
        ("@W", ["@Web9"]),
        ("@@w", ["@@web", "@@west"]),
        ("@web1,@d", ["@web1,@db"]),
        ("@web[1-2],d", ["@web[1-2],db1"]),
        ("@web[1,w", []),
        ("@@web!w", ["@@web!web1", "@@web!web2"]),
        ("+d", ["+db1"]),
        ("-", ["-db1", "-web1"]),
        ("-w", ["-web1"]),
        ("-web1", []),
    ],
)
def test_a_line(line: str, lines: list[str]) -> None:
    """By what stands before the cursor."""
    assert _complete(line) == lines


def test_too_many_to_read() -> None:
    """Some of them are enough."""
    found = complete(
        "@n", nodes=lambda: (f"n{number}" for number in range(5000)), chosen=list, groups=list, commands=list
    )
    assert len(found) == 500
    assert found[0] == Completion("n0", 1)


def test_groups(site_groups: Path) -> None:
    """With their sign; a source that does not tell has none."""
    assert "@web" in group_names()
    assert "@shell:gpu" in group_names("shell")
    assert group_names("broken") == []


def test_programs(tmp_path: Path) -> None:
    """What can be run, from all directories that there are."""
    (tmp_path / "run").touch(mode=0o755)
    (tmp_path / "read").touch(mode=0o644)
    assert programs(f"{tmp_path}:/nowhere") == ["run"]
