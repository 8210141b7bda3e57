"""What was gathered, shown."""

from __future__ import annotations

import pytest

from asynctask.cli.gathering.labels import Labels, Split
from asynctask.cli.gathering.reading import Gathered
from asynctask.cli.gathering.showing import Look, results, show
from asynctask.cli.screen import Screen

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

_RULE = "---------------\n"
_DATA = b"a2: x\na10: x\na1: y\na2: z\na10: z\n[odd]: y\n"


async def _shown(capfdbinary: pytest.CaptureFixture[bytes], look: Look, data: bytes = _DATA) -> str:
    labels = Labels()
    found = Gathered(labels, Split())
    found.add(data)
    screen = Screen(None, lambda: None)
    await show(screen, look, results(found.messages(), labels.odd), labels.odd)
    await screen.close()
    output = capfdbinary.readouterr()
    assert output.err == b""
    return output.out.decode()


def test_results_are_in_the_order_of_a_node_set() -> None:
    """What is no node comes last."""
    labels = Labels()
    found = Gathered(labels, Split())
    found.add(b"[odd]: 1\n" + _DATA)

    shown = results(found.messages(), labels.odd)

    assert [result.node for result in shown] == ["a1", "a2", "a10", "[odd]"]
    assert all(result.ok for result in shown)


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        (
            Look(),
            f"{_RULE}a1\n{_RULE}y\n{_RULE}a2\n{_RULE}x\nz\n{_RULE}a10\n{_RULE}x\nz\n{_RULE}[odd]\n{_RULE}y\n",
        ),
        (Look(gather=True), f"{_RULE}a1,[odd] (2)\n{_RULE}y\n{_RULE}a[2,10] (2)\n{_RULE}x\nz\n"),
        (Look(gather=True, quiet=True), f"{_RULE}a1,[odd]\n{_RULE}y\n{_RULE}a[2,10]\n{_RULE}x\nz\n"),
        (Look(gather=True, no_label=True), "y\nx\nz\n"),
        (Look(by_line=True), "a1: y\na2: x\na2: z\na10: x\na10: z\n[odd]: y\n"),
        (Look(by_line=True, gather=True), "a1,[odd]: y\na[2,10]: x\na[2,10]: z\n"),
        (Look(by_line=True, no_label=True), "y\nx\nz\nx\nz\ny\n"),
        (Look(diff=True), "--- a1,[odd] (2)\n+++ a[2,10] (2)\n@@ -1 +1,2 @@\n-y\n+x\n+z\n"),
        (Look(tree=True), f"{_RULE}a1,[odd] (2)\n{_RULE}y\n{_RULE}a[2,10] (2)\n{_RULE}x\nz\n"),
        (Look(tree=True, by_line=True), "a1,[odd]:\ny\na[2,10]:\nx\nz\n"),
        (Look(tree=True, no_label=True), "y\nx\nz\n"),
        (Look(tree=True, by_line=True, no_label=True), "y\nx\nz\n"),
    ],
)
async def test_displays(capfdbinary: pytest.CaptureFixture[bytes], look: Look, shown: str) -> None:
    """Each of them."""
    assert await _shown(capfdbinary, look) == shown


@pytest.mark.parametrize(("outliers", "order"), [("", ["c[1-3]", "a", "b"]), ("first", ["a", "b", "c[1-3]"])])
async def test_outliers(capfdbinary: pytest.CaptureFixture[bytes], outliers: str, order: list[str]) -> None:
    """First, if that is wanted."""
    data = b"a: 1\nb: 2\nc1: 3\nc2: 3\nc3: 3\n"

    shown = await _shown(capfdbinary, Look(gather=True, quiet=True, outliers=outliers), data)

    assert [line for line in shown.splitlines() if line[0] in "abc"] == order


async def test_a_tree_is_indented(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Where nodes part."""
    shown = await _shown(capfdbinary, Look(tree=True), b"a: 1\nb: 1\na: 2\nb: 3\n")

    rule = "  " + _RULE
    assert shown == f"{_RULE}a,b (2)\n{_RULE}1\n{rule}  a\n{rule}  2\n{rule}  b\n{rule}  3\n"


async def test_similar_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Numbers may differ."""
    shown = await _shown(capfdbinary, Look(similar=True), b"a: up 1 day\nb: up 2 days\nc: up 3 day\n")

    assert "a,c (2)\n" in shown


async def test_colours(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Headers are blue, as in clubak."""
    shown = await _shown(capfdbinary, Look(color="always"), b"a: 1\n")

    assert shown == f"\x1b[94m{_RULE}a\n{_RULE[:-1]}\x1b[0m\n1\n"
