"""Tests of asynctask.outcome."""

from __future__ import annotations

import dataclasses
import pickle
import signal

import pytest

from asynctask.errors import SpawnError
from asynctask.messages import MsgTree
from asynctask.outcome import Ended, Outcome, Times, signal_name
from tests.support import node_result


def test_outcomes_read_as_what_happened() -> None:
    """The text of an outcome is its value."""
    assert [str(outcome) for outcome in Outcome] == [
        "ok",
        "failed",
        "signalled",
        "timed out",
        "unreachable",
        "refused",
        "authentication failed",
        "host key wrong",
        "could not spawn",
        "aborted",
        "never started",
    ]


@pytest.mark.parametrize(
    ("returncode", "ended"),
    [
        (0, Ended(Outcome.OK, rc=0)),
        (1, Ended(Outcome.FAILED, rc=1)),
        (255, Ended(Outcome.FAILED, rc=255)),
        (-9, Ended(Outcome.SIGNALLED, rc=137, signal=9)),
        (-15, Ended(Outcome.SIGNALLED, rc=143, signal=15)),
    ],
)
def test_an_exit_status_says_how_it_ended(returncode: int, ended: Ended) -> None:
    """Negative is a signal, as subprocess has it; its code is then 128 + the signal, as in a shell."""
    assert Ended.from_returncode(returncode) == ended


@pytest.mark.parametrize(
    ("outcome", "fields", "text"),
    [
        (Outcome.OK, {"rc": 0}, "ok"),
        (Outcome.FAILED, {"rc": 3}, "failed with exit code 3"),
        (Outcome.SIGNALLED, {"rc": 137, "signal": 9}, "killed by SIGKILL"),
        (Outcome.SIGNALLED, {"rc": 128}, "signalled"),
        (Outcome.TIMED_OUT, {"rc": None}, "timed out"),
        (Outcome.NEVER_STARTED, {"rc": None}, "never started"),
    ],
)
def test_a_result_is_described_in_words(outcome: Outcome, fields: dict[str, int], text: str) -> None:
    """The code or the signal is in it where there is one."""
    assert node_result("a", outcome, **fields).describe() == text


def test_signals_have_names() -> None:
    """One that this system does not know keeps its number."""
    assert signal_name(signal.SIGTERM) == "SIGTERM"
    assert signal_name(99) == "signal 99"


def test_only_exit_status_zero_is_ok() -> None:
    """Every other outcome is not."""
    assert [outcome for outcome in Outcome if node_result("a", outcome).ok] == [Outcome.OK]


@pytest.mark.parametrize(
    ("times", "duration"),
    [
        (Times(queued=1.0), None),
        (Times(queued=1.0, began=2.0), None),
        (Times(queued=1.0, ended=2.0), None),
        (Times(queued=1.0, began=2.0, ended=4.5), 2.5),
    ],
)
def test_the_duration_counts_from_its_turn(times: Times, duration: float | None) -> None:
    """Waiting for a slot is not part of it; without a turn there is none."""
    assert times.duration == duration


def test_output_as_bytes_and_as_text() -> None:
    """Bytes are exact; text replaces what is not UTF-8 and leaves the last newline off."""
    tree = MsgTree()
    out, err = tree.cursor(), tree.cursor()
    tree.add(out, b"gr\xc3\xbcn\r\n\xff\n")
    tree.add(err, b"oops\n")
    result = node_result("a", out=tree.message(out), err=tree.message(err))
    assert result.stdout == b"gr\xc3\xbcn\r\n\xff\n"
    assert result.stderr == b"oops\n"
    assert result.text == "grün\r\n\N{REPLACEMENT CHARACTER}"


def test_a_result_without_output_is_empty() -> None:
    """Not None: bytes are bytes."""
    result = node_result("a")
    assert (result.stdout, result.stderr, result.text) == (b"", b"", "")


def test_a_result_cannot_be_changed() -> None:
    """It is of one moment."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        node_result("a").rc = 1  # type: ignore[misc]


def test_the_repr_has_no_output() -> None:
    """Output may be long and may hold secrets."""
    tree = MsgTree()
    cursor = tree.cursor()
    tree.add(cursor, b"password\n")
    assert "password" not in repr(node_result("a", out=tree.message(cursor), err=tree.message(cursor)))


def test_a_result_travels_with_output_and_error() -> None:
    """It is plain data: a pickled copy equals the original."""
    tree = MsgTree()
    cursor = tree.cursor()
    tree.add(cursor, b"hi\n")
    original = node_result(
        "a", Outcome.SPAWN_FAILED, None, out=tree.message(cursor), error=SpawnError("a", "no room")
    )
    copied = pickle.loads(pickle.dumps(original))
    assert (copied.node, copied.outcome, copied.stdout, str(copied.error)) == (
        "a",
        Outcome.SPAWN_FAILED,
        b"hi\n",
        "a: no room",
    )
