"""The same output once."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.output.gathered import GatheredView
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.style import Style
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.messages import Message
from asynctask.outcome import NodeResult
from tests.cli.output.displaying import fake_screen, over, results_of

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


async def _shown(
    results: list[NodeResult], screen: Any = None, style: Style | None = None, **settings: Any
) -> dict[int, bytes]:
    screen = screen or fake_screen()
    await over(GatheredView(screen, style or Style(), **settings), results)
    shown: dict[int, bytes] = screen.shown
    return shown


def _block(nodes: str, text: bytes) -> bytes:
    rule = b"---------------\n"
    return rule + nodes.encode() + b"\n" + rule + text + b"\n"


async def test_the_same_output_once() -> None:
    """A last newline makes no difference; nodes without output are left out."""
    results = results_of(("a1", 0, b"x\n"), ("a2", 0, b"y\n"), ("a3", 0, b"x"), ("a4", 0, b""))

    assert await _shown(results) == {STDOUT: _block("a[1,3] (2)", b"x") + _block("a2", b"y"), STDERR: b""}


async def test_by_exit_code_then_most_nodes_then_first_node() -> None:
    """Nodes without an exit code come last; the first node is that of the set, whatever the order of -w."""
    results = results_of(
        ("n9", None, b"late"),
        ("n8", 3, b"odd"),
        ("n10", 0, b"even"),
        ("n2", 0, b"other"),
        ("n7", 0, b"two"),
        ("n6", 0, b"two"),
        ("n5", 3, b"two"),
    )

    assert (await _shown(results))[STDOUT] == b"".join(
        [
            _block("n[6-7] (2)", b"two"),
            _block("n2", b"other"),
            _block("n10", b"even"),
            _block("n5", b"two"),
            _block("n8", b"odd"),
            _block("n9", b"late"),
        ]
    )


async def test_outliers_last() -> None:
    """Whatever their exit code."""
    results = results_of(("a", 0, b"odd"), ("b", 1, b"x"), ("c", 1, b"x"))

    assert (await _shown(results, outliers="last"))[STDOUT] == _block("b,c (2)", b"x") + _block("a", b"odd")


async def test_standard_error_is_gathered_apart() -> None:
    """With headers of its own, on its own stream; not if it was shown already."""
    results = results_of(("a1", 0, b"x", b"e"), ("a2", 0, b"y", b"e"))

    shown = await _shown(results)
    assert shown == {STDOUT: _block("a1", b"x") + _block("a2", b"y"), STDERR: _block("a[1-2] (2)", b"e")}
    assert await _shown(results, errors=False) == {**shown, STDERR: b""}


async def test_no_count_and_no_label() -> None:
    """``-q`` leaves the number out, ``-N`` the whole header."""
    results = results_of(("a1", 0, b"x\n\n"), ("a2", 0, b"x\n\n"), ("b", 0, b"y"))

    assert (await _shown(results, style=Style(titles=Titles(count=False))))[STDOUT] == _block(
        "a[1-2]", b"x\n"
    ) + _block("b", b"y")
    assert (await _shown(results, style=Style(label=False)))[STDOUT] == b"x\n\ny\n"


async def test_gathered_bytes() -> None:
    """Into a pipe as they are; on a terminal written out, where a line may end as in Windows."""
    results = results_of(("a\x1b", 0, b"\x1b\xff\r\nb\rc\r\n"))

    assert (await _shown(results))[STDOUT] == _block("a\x1b", b"\x1b\xff\r\nb\rc")
    assert (await _shown(results, fake_screen(STDOUT)))[STDOUT] == _block("a^[", "^[\ufffd\nb^Mc".encode())


async def test_lines_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output of thousands of lines is compared, and written, as a whole."""
    monkeypatch.setattr(Message, "lines", None)
    monkeypatch.setattr(Message, "__iter__", None)
    screen = fake_screen()

    await _shown(results_of(("a", 0, b"x\n" * 5), ("b", 0, b"x\n" * 5)), screen)

    assert len(screen.writes) == 1


@pytest.mark.usefixtures("site_groups")
async def test_by_groups() -> None:
    """``-r`` looks them up before anything is shown."""
    results = results_of(*[(node, 0, b"x") for node in ("web1", "web2", "web3")])

    shown = await _shown(results, style=Style(titles=Titles(regroup=True)))

    assert shown[STDOUT] == _block("@web (3)", b"x")
