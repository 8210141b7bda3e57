"""Lines gathered while they come."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.output.colors import PLAIN, Palette
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.live_gather import LiveGatherView
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.output.displaying import NO_WORKER, fake_screen
from tests.support import node_result

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


class Bench:
    """A display and what it shows."""

    def __init__(self, *nodes: str, style: Style | None = None, screen: Any = None, **settings: Any) -> None:
        self.screen = screen or fake_screen()
        self.view = LiveGatherView(self.screen, style or Style(), nodes, **settings)

    async def prints(self, node: str, *lines: bytes, stream: str = "stdout") -> None:
        await self.view._ev_lines(NO_WORKER, node, stream, list(lines))

    async def ends(self, node: str) -> None:
        await self.view.node_over(node_result(node), 1)

    def shown(self, fd: int = STDOUT) -> bytes:
        """What was shown since the last time."""
        shown: bytes = self.screen.shown[fd]
        self.screen.writes.clear()
        return shown


async def test_a_line_is_shown_when_all_have_printed_it() -> None:
    """The same text once, the most nodes first, then by first node."""
    bench = Bench("n4", "n3", "n2", "n1", "n10")

    for node, line in (("n4", b"x"), ("n1", b"y"), ("n3", b"z"), ("n2", b"z")):
        await bench.prints(node, line)
        assert bench.shown() == b""
    await bench.prints("n10", b"a")

    assert bench.shown() == b"n[2-3]: z\nn1: y\nn4: x\nn10: a\n"


async def test_each_line_in_its_turn() -> None:
    """Who is ahead waits for the others; several lines may become complete at once."""
    bench = Bench("a", "b")

    await bench.prints("a", b"1", b"2", b"3")
    await bench.prints("b", b"1")
    assert bench.shown() == b"a,b: 1\n"
    await bench.prints("b", b"x", b"3", b"4")

    assert bench.shown() == b"a: 2\nb: x\na,b: 3\n"


async def test_a_node_that_ends_is_not_waited_for() -> None:
    """What it has printed is shown with the others'."""
    bench = Bench("a", "b", "c")
    await bench.prints("a", b"1", b"2")
    await bench.prints("b", b"1")

    await bench.ends("c")
    assert bench.shown() == b"a,b: 1\n"
    await bench.ends("b")

    assert bench.shown() == b"a: 2\n"


async def test_a_node_that_has_ended_stays_in_its_lines() -> None:
    """Those that it printed are complete only when the rest have them."""
    bench = Bench("a", "b")
    await bench.prints("a", b"1", b"2")
    await bench.ends("a")
    assert bench.shown() == b""

    await bench.prints("b", b"1")
    assert bench.shown() == b"a,b: 1\n"
    await bench.ends("b")

    assert bench.shown() == b"a: 2\n"


async def test_nodes_whose_turn_has_not_come_are_waited_for() -> None:
    """At the end, what is left is shown."""
    bench = Bench("a", "b")
    await bench.prints("a", b"1")
    await bench.ends("a")
    assert bench.shown() == b""

    await bench.view.over([])

    assert bench.shown() == b"a: 1\n"


async def test_the_end_comes_once() -> None:
    """A node of which that is said twice does not count twice."""
    bench = Bench("a", "b", "c")
    await bench.prints("a", b"1")

    await bench.ends("b")
    await bench.ends("b")

    assert bench.shown() == b""


async def test_a_node_that_nobody_named() -> None:
    """Is one of them from then on."""
    bench = Bench()

    await bench.prints("a", b"1")

    assert bench.shown() == b"a: 1\n"


async def test_what_waits_is_bounded() -> None:
    """With too much, the first lines are shown without those who are behind; theirs when they come."""
    bench = Bench("a", "b", "c", high_water=3000)

    await bench.prints("a", b"x" * 1000)
    await bench.prints("a", b"y" * 1000, b"z" * 1000)
    assert bench.shown() == b"a: " + b"x" * 1000 + b"\n"
    await bench.prints("b", b"late", b"y" * 1000)
    assert bench.shown() == b"b: late\n"
    await bench.prints("c", b"late", b"y" * 1000)
    assert bench.shown() == b"c: late\na,b,c: " + b"y" * 1000 + b"\n"
    await bench.ends("b")
    await bench.ends("c")

    assert (bench.shown(), bench.view._waiting) == (b"a: " + b"z" * 1000 + b"\n", 0)


async def test_the_same_line_waits_once() -> None:
    """However many have printed it."""
    bench = Bench(*[f"n{number}" for number in range(100)], high_water=3000)

    for number in range(99):
        await bench.prints(f"n{number}", b"x" * 1000)

    assert bench.shown() == b""


async def test_standard_error_comes_as_it_is() -> None:
    """It waits for nobody."""
    bench = Bench("a", "b")

    await bench.prints("a", b"1", b"2", stream="stderr")

    assert bench.shown(STDERR) == b"a: 1\na: 2\n"


async def test_how_it_looks() -> None:
    """Labels have colours; what nodes print does not drive a terminal."""
    style = Style(palettes=(Palette(colored=True), PLAIN))
    bench = Bench("a", "b", style=style, screen=fake_screen(STDOUT))

    await bench.prints("a", b"\x1b")
    await bench.prints("b", b"\x1b")

    assert bench.shown() == b"\x1b[94ma,b: \x1b[0m^[\n"


async def test_without_labels() -> None:
    """The lines alone."""
    bench = Bench("a", "b", style=Style(label=False))

    await bench.prints("a", b"1")
    await bench.prints("b", b"2")

    assert bench.shown() == b"1\n2\n"


@pytest.mark.usefixtures("site_groups")
async def test_by_groups() -> None:
    """They are looked up before the first line is shown."""
    bench = Bench("db1", "db2", style=Style(titles=Titles(regroup=True)))

    await bench.prints("db1", b"1")
    await bench.prints("db2", b"1")

    assert bench.shown() == b"@db: 1\n"


async def test_many_nodes() -> None:
    """A set of many is folded in a thread, once."""
    names = [f"n{number}" for number in range(1, 301)]
    bench = Bench(*names)

    for node in names:
        await bench.prints(node, b"1", b"2")

    assert bench.shown() == b"n[1-300]: 1\nn[1-300]: 2\n"
