"""The same commands run by clush and shown by our displays: standard output is the same."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.writer import STDOUT
from tests.cli.output.displaying import run_shown

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

CLUSH = Path(sys.executable).parent / "clush"
#: The same, another, none, blank lines, no last newline, other exit codes, standard error.
MIXED = (
    r"case %n in 0|4) printf 'a\nb\n';; 1) printf 'a\n\nb'; exit 3;; 2) exit 3;; 3) printf 'b\n\n'; exit 3;;"
    r" 5) ;; 6) printf 'a\nb';; *) printf '\n';; esac; echo gone >&2"
)


async def _clush(*words: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(CLUSH), "-n", "-R", "exec", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    shown, _ = await process.communicate()
    return shown


@pytest.mark.parametrize(
    ("options", "request_", "command"),
    [
        ("-b", {"gather": True}, MIXED),
        ("-B -q", {"gather_both": True, "verbosity": 0}, "echo %n >&2; echo x"),
        ("-L", {"by_node": True}, MIXED),
        ("-b -N", {"gather": True, "no_label": True}, MIXED),
        ("--diff", {"diff": True}, MIXED),
        ("-b -L --color=always", {"gather": True, "by_node": True, "color": "always"}, MIXED),
        ("--diff --color=always", {"diff": True, "color": "always"}, r"printf 'x\n%h\n'; test %n != 0"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("-") else "",
)
async def test_the_same_on_standard_output(options: str, request_: dict[str, Any], command: str) -> None:
    """Byte for byte."""
    expected = await _clush(*options.split(), "-w", "n[1-8]", command)

    assert (await run_shown(command, "n[1-8]", **request_))[STDOUT] == expected
    assert expected


async def test_the_same_groups(site_groups: Path) -> None:
    """``-r`` with the names of a source's groups."""
    await asyncio.to_thread(
        (site_groups.parent / "groups.yaml").write_text, "file:\n  web: web[1-3]\n  db: db[1-2]\n"
    )
    command = "case %h in web*) echo a;; *) echo b;; esac"
    words = ("--groupsconf", str(site_groups), "-br", "-s", "file", "-w", "web[1-3],db1")
    expected = await _clush(*words, command)

    shown = await run_shown(command, "web[1-3],db1", gather=True, regroup=True, groupsource="file")

    assert shown[STDOUT] == expected
    assert b"@file:web (3)" in expected
