"""How output is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from asynctask.cli.display import LiveDisplay, fold, show_by_node, show_gathered, title
from asynctask.cli.screen import Screen
from asynctask.cli.writer import STDERR, STDOUT
from asynctask.lines import PartialLine
from asynctask.messages import MsgTree
from asynctask.outcome import NodeResult, Outcome
from asynctask.workers.base import Worker
from tests.support import node_result

NO_WORKER = cast("Worker", None)


class FakeScreen:
    """Keeps what is shown; each stream may be a terminal."""

    def __init__(self, *terminals: int) -> None:
        self._terminals = terminals
        self.shown = {STDOUT: b"", STDERR: b""}

    def is_terminal(self, fd: int) -> bool:
        return fd in self._terminals

    async def write(self, fd: int, data: bytes) -> None:
        self.shown[fd] += data


def _fake(*terminals: int) -> Any:
    return FakeScreen(*terminals)


def _results(
    *parts: tuple[str, int | None, bytes] | tuple[str, int | None, bytes, bytes],
) -> list[NodeResult]:
    """Results of nodes: name, exit code, standard output and standard error."""
    trees = MsgTree(), MsgTree()
    results = []
    for node, rc, *texts in parts:
        messages = []
        for tree, text in zip(trees, [*texts, b""], strict=False):
            cursor = tree.cursor()
            tree.add(cursor, text)
            messages.append(tree.message(cursor))
        outcome = Outcome.TIMED_OUT if rc is None else Outcome.OK if rc == 0 else Outcome.FAILED
        results.append(node_result(node, outcome, rc, out=messages[0], err=messages[1]))
    return results


# -- as it comes ------------------------------------------------------------------------------


async def _live(screen: Screen, *calls: tuple[str, str, Sequence[bytes]], label: bool = True) -> None:
    display = LiveDisplay(screen, label=label)
    for node, stream, lines in calls:
        await display._ev_lines(NO_WORKER, node, stream, list(lines))


async def test_lines_have_their_node_in_front() -> None:
    """Each stream goes to its own."""
    screen = _fake()

    await _live(screen, ("a", "stdout", [b"1", b"", b"2"]), ("b", "stderr", [b"3"]), ("b", "stdout", [b"4"]))

    assert screen.shown == {STDOUT: b"a: 1\na: \na: 2\nb: 4\n", STDERR: b"b: 3\n"}


async def test_without_labels() -> None:
    """The lines alone."""
    screen = _fake()

    await _live(screen, ("a", "stdout", [b"1", b"2"]), ("b", "stdout", [b"3"]), label=False)

    assert screen.shown[STDOUT] == b"1\n2\n3\n"


async def test_a_terminal_is_not_driven() -> None:
    """Neither by a line nor by the name of a node; the other stream, a pipe, gets all bytes."""
    screen = _fake(STDERR)

    await _live(screen, ("a\x1b", "stderr", [b"\x1b[2J\xff\r"]), ("a\udcff", "stdout", [b"\x1b[2J\xff\r"]))

    assert screen.shown == {
        STDERR: "a^[: ^[[2J\ufffd^M\n".encode(),
        STDOUT: b"a\xff: \x1b[2J\xff\r\n",
    }


@pytest.mark.parametrize(
    ("calls", "shown"),
    [
        ([("a", [PartialLine(b"1"), b"2", b"3"])], b"a: 12\na: 3\n"),
        ([("a", [PartialLine(b"1")]), ("a", [PartialLine(b"2")]), ("a", [b"3", b"4"])], b"a: 123\na: 4\n"),
        ([("a", [PartialLine(b"1")]), ("b", [b"x"]), ("a", [b"2"])], b"a: 1\nb: x\na: 2\n"),
        (
            [("a", [PartialLine(b"1")]), ("b", [PartialLine(b"x")]), ("b", [b"y"]), ("a", [b"2"])],
            b"a: 1\nb: xy\na: 2\n",
        ),
    ],
)
async def test_pieces_of_a_long_line(calls: list[tuple[str, list[bytes]]], shown: bytes) -> None:
    """They make one line again, unless another node's comes between: then that one is kept whole."""
    screen = _fake()

    await _live(screen, *[(node, "stdout", lines) for node, lines in calls])

    assert screen.shown[STDOUT] == shown


async def test_pieces_on_two_streams() -> None:
    """A line in the middle on one stream does not matter to the other."""
    screen = _fake()

    await _live(
        screen,
        ("a", "stdout", [PartialLine(b"1")]),
        ("a", "stderr", [b"x"]),
        ("a", "stdout", [b"2"]),
        label=False,
    )

    assert screen.shown == {STDOUT: b"12\n", STDERR: b"x\n"}


# -- gathered -----------------------------------------------------------------------------------


async def _gathered(screen: Any, results: list[NodeResult], *, label: bool = True, count: bool = True) -> Any:
    await show_gathered(screen, results, label=label, count=count)
    return screen.shown


def _block(nodes: str, text: bytes) -> bytes:
    rule = b"---------------\n"
    return rule + nodes.encode() + b"\n" + rule + text + b"\n"


async def test_the_same_output_once() -> None:
    """A last newline makes no difference; nodes without output are left out."""
    results = _results(("a1", 0, b"x\n"), ("a2", 0, b"y\n"), ("a3", 0, b"x"), ("a4", 0, b""))

    shown = await _gathered(_fake(), results)

    assert shown == {STDOUT: _block("a[1,3] (2)", b"x") + _block("a2", b"y"), STDERR: b""}


async def test_by_exit_code_then_most_nodes_then_first_node() -> None:
    """Nodes without an exit code come last; the first node is that of the set, whatever the order of -w."""
    results = _results(
        ("n9", None, b"late"),
        ("n8", 3, b"odd"),
        ("n10", 0, b"even"),
        ("n2", 0, b"other"),
        ("n7", 0, b"two"),
        ("n6", 0, b"two"),
        ("n5", 3, b"two"),
    )

    shown = (await _gathered(_fake(), results))[STDOUT]

    assert shown == b"".join(
        [
            _block("n[6-7] (2)", b"two"),
            _block("n2", b"other"),
            _block("n10", b"even"),
            _block("n5", b"two"),
            _block("n8", b"odd"),
            _block("n9", b"late"),
        ]
    )


async def test_standard_error_is_gathered_apart() -> None:
    """With headers of its own, on its own stream."""
    results = _results(("a1", 0, b"x", b"e"), ("a2", 0, b"y", b"e"))

    shown = await _gathered(_fake(), results)

    assert shown == {STDOUT: _block("a1", b"x") + _block("a2", b"y"), STDERR: _block("a[1-2] (2)", b"e")}


async def test_no_count_and_no_label() -> None:
    """``-q`` leaves the number out, ``-N`` the whole header."""
    results = _results(("a1", 0, b"x\n\n"), ("a2", 0, b"x\n\n"), ("b", 0, b"y"))

    assert (await _gathered(_fake(), results, count=False))[STDOUT] == _block("a[1-2]", b"x\n") + _block(
        "b", b"y"
    )
    assert (await _gathered(_fake(), results, label=False))[STDOUT] == b"x\n\ny\n"


async def test_gathered_bytes() -> None:
    """Into a pipe as they are; on a terminal written out, where a line may end as in Windows."""
    results = _results(("a", 0, b"\x1b\xff\r\nb\rc\r\n"))

    assert (await _gathered(_fake(), results))[STDOUT] == _block("a", b"\x1b\xff\r\nb\rc")
    assert (await _gathered(_fake(STDOUT), results))[STDOUT] == _block("a", "^[\ufffd\nb^Mc".encode())


# -- by node ------------------------------------------------------------------------------------


async def test_by_exit_code_then_node() -> None:
    """A label in front of each line; nodes in the order of a set."""
    screen = _fake()
    results = _results(("n10", 0, b"1\n\n2\n"), ("n9", 0, b"3", b"e"), ("n1", 1, b"4"), ("n8", 0, b""))

    await show_by_node(screen, results, label=True)

    assert screen.shown == {STDOUT: b"n9: 3\nn10: 1\nn10: \nn10: 2\nn1: 4\n", STDERR: b"n9: e\n"}


async def test_by_node_without_labels_on_a_terminal() -> None:
    """The lines alone; the terminal is not driven."""
    screen = _fake(STDOUT)

    await show_by_node(screen, _results(("b", 0, b"\x1b\r\nx"), ("a", 0, b"y")), label=False)

    assert screen.shown[STDOUT] == b"y\n^[\nx\n"


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a2", "a1"], "a[1-2]"), (["a"], "a"), (["a1", "b"], "a1,b"), (["x y", "[", "z"], "x y,[,z"), ([], "")],
)
def test_fold(names: list[str], text: str) -> None:
    """A node set; keys that make none stand one after the other."""
    assert fold(names) == text


def test_title() -> None:
    """Of several, it says how many."""
    assert [title(["a1"]), title(["a1", "a2"]), title(["a1", "a2"], count=False)] == [
        "a1",
        "a[1-2] (2)",
        "a[1-2]",
    ]


async def test_names_that_make_no_node_set_keep_their_order() -> None:
    """The output is shown all the same."""
    screen = _fake()

    await show_by_node(screen, _results(("x y", 0, b"1"), ("[", 0, b"2")), label=True)

    assert screen.shown[STDOUT] == b"x y: 1\n[: 2\n"


async def test_names_cannot_drive_the_terminal() -> None:
    """Neither those of a header; in a pipe they are as they are."""
    results = _results(("n\x1bc", 0, b"hi\n"))
    terminal, pipe = _fake(STDOUT), _fake()
    await show_gathered(terminal, results, label=True, count=True)
    await show_gathered(pipe, results, label=True, count=True)
    assert b"\x1b" not in terminal.shown[STDOUT]
    assert pipe.shown[STDOUT].splitlines()[1] == b"n\x1bc"
