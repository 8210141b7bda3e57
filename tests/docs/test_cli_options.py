"""The table of options has all options of all programs, and names tests that exist and run the command."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from pathlib import Path

import click
import pytest
from ClusterShell.CLI.OptionParser import OptionParser

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "cli-options.md").read_text()
_RUN, _NODES, _GATHER = re.split(r"^## `asynctask (?:nodes|gather)`.*$", PAGE, flags=re.MULTILINE)
_HEADINGS = ("| option ", "|---")

#: Of pdsh 2.35 and its dshbak, as their usage has them.
PDSH = [f"-{letter}" for letter in "wxagXiFAvjPCSkbltufRMNqdLVTh"]
DSHBAK = [f"-{letter}" for letter in "cdfh"]


def _rows(part: str) -> list[list[str]]:
    """The cells of each row."""
    lines = [line for line in part.splitlines() if line.startswith("|") and not line.startswith(_HEADINGS)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def _named(cells: Iterable[str]) -> set[str]:
    """The options that stand in cells."""
    return {word for cell in cells for code in re.findall(r"`([^`]+)`", cell) for word in code.split()}


NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_exists(file: str, test: str) -> None:
    """Where the table says that it is."""
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("part", "columns"), [(_RUN, 5), (_NODES, 4), (_GATHER, 5)])
def test_each_row_names_its_test(part: str, columns: int) -> None:
    """In the last column, and says something in each."""
    rows = _rows(part)

    assert len(rows) > 20
    assert [row for row in rows if len(row) != columns or not all(row)] == []
    assert [row for row in rows if not re.fullmatch(r"(`tests/[\w/]+\.py::\w+`\s?)+", row[-1])] == []


def _spelled(name: str) -> set[str]:
    command: click.Command = importlib.import_module(f"asynctask.cli.{name}").command
    options = [param for param in command.params if isinstance(param, click.Option)]
    return {word for option in options for word in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize(("name", "part"), [("run", _RUN), ("nodes", _NODES), ("gather", _GATHER)])
def test_each_of_our_options_is_there(name: str, part: str) -> None:
    """In all its spellings."""
    assert _spelled(name) - _named(row[0] for row in _rows(part)) == set()


def _parsed(*parts: tuple[str, dict[str, bool]]) -> set[str]:
    parser = OptionParser("")
    parser.install_groupsconf_option()
    for part, settings in parts:
        getattr(parser, f"install_{part}")(**settings)
    return {
        word for option in parser._get_all_options() for word in (*option._short_opts, *option._long_opts)
    }


_CLUSH = ("clush_config", "nodes", "filecopy", "connector")
_NODESET = ("nodeset_commands", "nodeset_operations", "nodeset_options")
_SEPARATED = {"separator_option": True, "dshbak_compat": True, "msgtree_mode": True, "verbose_options": True}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (
            {"-n", "--nostdin"}
            | _parsed(
                *((f"{each}_options", {}) for each in _CLUSH), ("display_options", {"verbose_options": True})
            ),
            _RUN,
        ),
        (_parsed(*((each, {}) for each in _NODESET)), _NODES),
        (_parsed(("display_options", _SEPARATED)), _GATHER),
    ],
    ids=["clush", "nodeset", "clubak"],
)
def test_each_option_of_clustershell_is_there(options: set[str], part: str) -> None:
    """As its own parsers have them."""
    assert len(options) > 25
    assert options - _named(row[0] for row in _rows(part)) == set()


@pytest.mark.parametrize(("options", "part"), [(PDSH, _RUN), (DSHBAK, _GATHER)], ids=["pdsh", "dshbak"])
def test_each_option_of_pdsh_is_there(options: list[str], part: str) -> None:
    """Where it is the same word, or beside what does the same."""
    assert set(options) - _named(cell for row in _rows(part) for cell in (row[0], row[2])) == set()


def test_options_of_run_are_tried_with_the_real_command() -> None:
    """No row about one rests on tests of parts alone."""
    words = _spelled("run")
    bare = [
        row[0]
        for row in _rows(_RUN)
        if words & _named(row[:1]) and not any(map(_runs_it, re.findall(r"`(tests/[^:]+)::", row[-1])))
    ]

    assert bare == []


def _runs_it(file: str) -> bool:
    text = (ROOT / file).read_text()
    return re.search(r"^from tests\.cli\.(conftest|programs|emulator) import", text, re.MULTILINE) is not None
