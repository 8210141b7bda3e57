"""Who hears a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.hearers import Hearers, gathers
from asynctask.cli.output.style import Style
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.recorder import Recorder
from asynctask.cli.request import Request
from asynctask.cli.screen import Screen
from asynctask.cli.view import View
from asynctask.outcome import NodeResult, Outcome, Times

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

REQUEST = Request(targets=("a", "b"), command="true", worker="exec", history=False)


def _hearers(request: Request, **origin: int) -> Hearers:
    screen = Screen(None, lambda: None)
    return Hearers(request, screen, Style.of(request, screen), View(), **origin)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["LiveView"]),
        ({"gather": True}, ["GatheredView"]),
        ({"json": True}, ["JsonView"]),
        ({"events": True, "outdir": "."}, ["EventsView", "DirectoriesView"]),
        ({"history": True}, ["LiveView", "LiveRecorder"]),
        ({"history": True, "by_node": True}, ["ByNodeView", "Recorder"]),
    ],
)
async def test_who_they_are(fields: dict[str, Any], names: list[str]) -> None:
    """Records take the place of displays, and the history comes last."""
    hearers = _hearers(replace(REQUEST, **fields))

    assert [type(view).__name__ for view in hearers.views[2:]] == names
    await hearers.end(0)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [({}, False), ({"gather": True}, True), ({"json": True}, True), ({"events": True}, False)],
)
def test_when_output_is_kept(fields: dict[str, Any], kept: bool) -> None:
    """For what is shown at the end."""
    assert gathers(replace(REQUEST, **fields)) is kept


async def test_nodes_with_several_attempts() -> None:
    """They are counted for the summary."""
    hearers = _hearers(REQUEST)
    for node, attempt in (("a", 1), ("b", 3)):
        result = NodeResult(node, Outcome.OK, 0, None, None, Times(queued=0.0))
        await hearers.views[1].node_over(result, attempt)

    assert hearers.attempts == {"b": 3}


async def test_a_record_of_a_run_that_did_not_begin(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """There is none."""
    await _hearers(replace(REQUEST, json=True)).end(1)

    assert capfdbinary.readouterr().out == b""


async def test_a_run_that_is_gone_on_with_has_to_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other run may do without a history."""

    async def begin(recorder: Recorder) -> None:
        """As with a full disk."""

    monkeypatch.setattr(Recorder, "begin", begin)
    first, resumed = (
        _hearers(replace(REQUEST, history=True)),
        _hearers(replace(REQUEST, history=True), resuming=1),
    )

    await first.begin()
    with pytest.raises(HistoryError, match=r"^the history cannot be written"):
        await resumed.begin()
    for hearers in (first, resumed):
        await hearers.end(1)


async def test_files_that_could_not_be_written(tmp_path: Path) -> None:
    """Nothing is wrong with those that are not wanted, or not begun."""
    assert _hearers(REQUEST).error is None
    assert _hearers(replace(REQUEST, outdir=str(tmp_path))).error is None
