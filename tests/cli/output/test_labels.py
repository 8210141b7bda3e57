"""Titles of sets of nodes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from asynctask import nodes
from asynctask.cli.output.labels import Titles, fold

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a2", "a1"], "a[1-2]"),
        (["a"], "a"),
        (["a1", "b"], "a1,b"),
        (["x y", "[", "z"], "x y,[,z"),
        (["a[1-99999999]", "b"], "a[1-99999999],b"),
        (["a!b", "a&b", "@group"], "a!b,a&b,@group"),
        ([], ""),
    ],
)
def test_fold(names: list[str], text: str) -> None:
    """A node set; keys that make none, or would mean others, stand one after the other."""
    assert fold(names) == text


@pytest.mark.parametrize(
    ("names", "title"), [(["a1"], "a1"), (["a1", "a2"], "a[1-2] (2)"), (["a1", "a1"], "a1"), ([], "")]
)
def test_how_many(names: list[str], title: str) -> None:
    """It is said of several; a node that comes twice counts once."""
    assert Titles().of(names) == title


def test_without_a_count() -> None:
    """The set alone."""
    assert Titles(count=False).of(["a1", "a2"]) == "a[1-2]"


def test_a_set_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes again is not folded again."""
    titles = Titles()
    first = titles.of(["a1", "a2"])
    monkeypatch.setattr(nodes, "fold", None)

    assert titles.of(["a1", "a2"]) == first


def test_only_so_many_titles_are_kept() -> None:
    """Sets that never come again do not fill the memory."""
    titles = Titles()

    for number in range(1100):
        titles.of([f"a{number}", "b"])

    assert len(titles._kept) <= 1024


ALL = ["web1", "web2", "web3", "db1", "db2", "x"]


@pytest.mark.parametrize(
    ("source", "groupbase", "names", "title"),
    [
        (None, False, ["web1", "web2", "web3"], "@web (3)"),
        (None, False, ["web1", "web2", "web3", "x"], "@web,x (4)"),
        (None, False, ["db1", "db2", "web3", "web2", "web1"], "@db,@web (5)"),
        (None, False, ["web1", "web2"], "web[1-2] (2)"),
        ("file", False, ["db1", "db2"], "@file:db (2)"),
        ("file", True, ["db1", "db2"], "@db (2)"),
    ],
)
@pytest.mark.usefixtures("site_groups")
async def test_by_groups(source: str | None, groupbase: bool, names: list[str], title: str) -> None:
    """The groups that are in a set as a whole, the largest first, then the other nodes."""
    titles = Titles(regroup=True, source=source, groupbase=groupbase)
    await titles.ready(ALL)

    assert titles.of(names) == title


def test_before_groups_are_looked_up() -> None:
    """Nodes are folded."""
    assert Titles(regroup=True).of(["web1", "web2", "web3"]) == "web[1-3] (3)"


@pytest.mark.usefixtures("site_groups")
async def test_groups_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they are asked for."""
    titles = Titles(regroup=True)
    await titles.ready(ALL)
    monkeypatch.setattr(titles, "look_up", None)

    await titles.ready(ALL)

    assert titles.of(["db1", "db2"]) == "@db (2)"


@pytest.mark.usefixtures("site_groups")
def test_a_source_that_fails() -> None:
    """Is told once, and the nodes are folded."""
    titles = Titles(regroup=True, source="broken")
    titles.look_up(ALL)
    problem = titles.take_problem()

    assert problem is not None
    assert "broken" in problem
    assert (titles.take_problem(), titles.of(["db1", "db2"])) == (None, "db[1-2] (2)")


@pytest.mark.usefixtures("site_groups")
def test_a_group_that_cannot_be_looked_up() -> None:
    """Is told, and the other groups are written all the same."""
    titles = Titles(regroup=True)
    titles.look_up(["web1", "web2", "web3", *(f"n{number}" for number in range(20))])
    problem = titles.take_problem()

    assert problem is not None
    assert titles.of(["web1", "web2", "web3"]) == "@web (3)"


def test_as_clustershell_writes_them(site_groups: Path) -> None:
    """The same groups for any set of nodes."""
    lines = [f"  r{number}: n[{number * 4}-{number * 4 + 3}]\n" for number in range(8)]
    lines += ["  low: n[0-15]\n", "  odd: n[1,3,5]\n", "  one: n31\n", "  out: n[30-40]\n"]
    (site_groups.parent / "groups.yaml").write_text("file:\n" + "".join(lines))
    every = [f"n{number}" for number in range(32)]
    titles = Titles(regroup=True, count=False)
    titles.look_up(every)
    dice = random.Random(1)  # the same each time

    for _ in range(20):
        start = dice.randrange(30)
        names = every[start : start + dice.randrange(1, 32)]
        assert titles.of(names) == nodes.regroup(names)
