"""Tests of asynctask.results."""

from __future__ import annotations

import pickle

import pytest

import asynctask
from asynctask.errors import RunFailed, UsageError
from asynctask.outcome import Outcome
from asynctask.results import Part, Result
from tests.support import made_result, node_result, refused

OK, FAILED, SIGNALLED = Outcome.OK, Outcome.FAILED, Outcome.SIGNALLED
TIMED_OUT, NEVER_STARTED = Outcome.TIMED_OUT, Outcome.NEVER_STARTED


@pytest.fixture
def result() -> Result:
    """Six nodes: four ended by themselves, one timed out, one never started."""
    return made_result(
        [
            ("web3", OK, 0, b"same\n"),
            ("web1", FAILED, 3, b"other\n"),
            ("web2", OK, 0, b"same"),
            ("db1", SIGNALLED, 137, b""),
            ("db2", TIMED_OUT, None, b"half"),
            ("db3", NEVER_STARTED, None, b""),
        ]
    )


def _buffers(result: Result, match_keys: list[str] | None = None) -> list[tuple[bytes, list[str]]]:
    return [(bytes(message), nodes) for message, nodes in result.iter_buffers(match_keys)]


def test_a_result_is_a_mapping_in_the_order_of_the_targets(result: Result) -> None:
    """From node to its part."""
    assert list(result) == ["web3", "web1", "web2", "db1", "db2", "db3"]
    assert len(result) == 6
    assert result["web1"].rc == 3
    assert "web1" in result
    assert "web9" not in result
    with pytest.raises(KeyError, match=r"^'web9'$"):
        result["web9"]


def test_buffers_come_once_with_their_nodes_by_first_node(result: Result) -> None:
    """Who printed nothing is left out."""
    assert _buffers(result) == [(b"same", ["web3", "web2"]), (b"other", ["web1"]), (b"half", ["db2"])]


def test_buffers_of_some_nodes(result: Result) -> None:
    """An empty collection matches none; a name that is no node is no error."""
    assert _buffers(result, ["web2", "db2", "web9"]) == [(b"same", ["web2"]), (b"half", ["db2"])]
    assert _buffers(result, []) == []


@pytest.mark.parametrize("method", ["iter_buffers", "iter_errors", "iter_retcodes"])
def test_a_string_is_no_collection_of_nodes(result: Result, method: str) -> None:
    """It would match letters."""
    with pytest.raises(TypeError, match=r"^match_keys: a collection of node names, not the string 'web1'$"):
        getattr(result, method)("web1")


def test_retcodes_come_once_with_their_nodes(result: Result) -> None:
    """By first node; who has none is left out."""
    assert list(result.iter_retcodes()) == [(0, ["web3", "web2"]), (3, ["web1"]), (137, ["db1"])]
    assert list(result.iter_retcodes(["web1", "db2"])) == [(3, ["web1"])]


def test_one_node_at_a_time(result: Result) -> None:
    """Output without the last newline; nothing for who is not known, but a code has to be somebody's."""
    assert result.node_buffer("web3") == result.key_buffer("web3") == b"same"
    assert result.node_buffer("web9") == b""
    assert result.node_error("web3") == result.key_error("web3") == b""
    assert result.node_retcode("web1") == result.key_retcode("web1") == 3
    assert result.node_retcode("db2") is None
    with pytest.raises(KeyError, match=r"^'web9'$"):
        result.node_retcode("web9")


def test_the_largest_code_and_the_timeouts(result: Result) -> None:
    """As ClusterShell's task has them."""
    assert result.max_retcode() == 137
    assert result.num_timeout() == 1
    assert list(result.iter_keys_timeout()) == ["db2"]


def test_a_result_without_codes_has_no_largest_one() -> None:
    """None is not zero."""
    assert made_result([("a", TIMED_OUT, None, b"")]).max_retcode() is None


def test_failures_and_outcomes(result: Result) -> None:
    """Everything but exit status 0 is a failure; outcomes come in the order of their definition."""
    assert not result.ok
    assert [part.node for part in result.failures] == ["web1", "db1", "db2", "db3"]
    assert result.nodes_by_outcome() == {
        OK: ["web3", "web2"],
        FAILED: ["web1"],
        SIGNALLED: ["db1"],
        TIMED_OUT: ["db2"],
        NEVER_STARTED: ["db3"],
    }
    assert list(result.nodes_by_outcome()) == [OK, FAILED, SIGNALLED, TIMED_OUT, NEVER_STARTED]


def test_the_summary_names_who_did_not_end_well(result: Result) -> None:
    """One line, nodes folded."""
    assert result.summary() == (
        "2 ok, 1 failed (web1), 1 signalled (db1), 1 timed out (db2), 1 never started (db3)"
    )
    assert repr(result) == "<Result 2 ok, 1 failed, 1 signalled, 1 timed out, 1 never started>"


def test_the_summary_folds_and_copes_with_names_that_are_no_node_set() -> None:
    """Keys of local commands may be any text."""
    folded = made_result([(f"n{number}", FAILED, 1, b"") for number in (1, 2, 3, 5)])
    assert folded.summary() == "4 failed (n[1-3,5])"
    odd = made_result([("a[", FAILED, 1, b""), ("my key", FAILED, 1, b"")])
    assert odd.summary() == "2 failed (a[,my key)"


def test_raising_is_the_callers_choice(result: Result) -> None:
    """All well: nothing happens; else the error carries the result."""
    made_result([("a", OK, 0, b"")]).raise_for_failures()
    with pytest.raises(RunFailed) as caught:
        result.raise_for_failures()
    assert caught.value.result is result


def test_a_result_of_nothing() -> None:
    """A run without workers has one."""
    empty = made_result([])
    assert (list(empty), len(empty), empty.ok, empty.summary()) == ([], 0, True, "no targets")
    assert repr(empty) == "<Result empty>"
    empty.raise_for_failures()


def test_a_part_that_is_not_over_does_not_count_yet() -> None:
    """While a run goes on the getters show what there is; the output of a running node is there."""
    result = made_result([("a", OK, 0, b"done\n")])
    (record,) = result._add_target(("b",), gather=True, stderr=False)
    assert record.out is not None
    result._out.add(record.out, b"so far")
    assert list(result) == ["a"]
    assert result.all() == [result["a"]]
    assert not result.ok
    assert _buffers(result) == [(b"done", ["a"]), (b"so far", ["b"])]
    assert result.node_retcode("b") is None
    with pytest.raises(KeyError):
        result["b"]


def test_several_parts_of_one_node() -> None:
    """The mapping has the last one, the getters all: outputs one after the other, the largest code."""
    result = made_result(
        [("a", FAILED, 5, b"one\n"), ("b", OK, 0, b"one"), ("a", OK, 0, b"two\n"), ("a", OK, 0, b"")]
    )
    assert list(result) == ["a", "b"]
    assert result["a"].rc == 0
    assert [part.rc for part in result.all()] == [5, 0, 0, 0]
    assert result.node_buffer("a") == b"one\ntwo"
    assert result.node_retcode("a") == 5
    assert _buffers(result) == [(b"one", ["a", "b"]), (b"two", ["a"])]


def test_the_last_part_that_is_over_counts() -> None:
    """A second command of a node that still runs does not hide the first."""
    result = made_result([("a", OK, 0, b"")])
    result._add_target(("a",), gather=True, stderr=False)
    assert result["a"].outcome is OK


def test_standard_error_is_kept_apart() -> None:
    """It has getters of its own."""
    result = Result()
    for node in "ab":
        (record,) = result._add_target((node,), gather=True, stderr=True)
        assert record.err is not None
        result._err.add(record.err, b"oops\n")
        record.result = node_result(node, err=result._err_message(record))
    assert [(bytes(message), nodes) for message, nodes in result.iter_errors()] == [(b"oops", ["a", "b"])]
    assert _buffers(result) == []
    assert result.node_error("a") == b"oops"


def test_output_that_is_not_gathered_is_empty() -> None:
    """The getters know nothing of it."""
    result = Result()
    (record,) = result._add_target(("a",), gather=False, stderr=True)
    record.result = node_result("a", out=result._out_message(record))
    assert (record.out, record.err) == (None, None)
    assert (_buffers(result), result.node_buffer("a"), result["a"].stdout) == ([], b"", b"")


def test_nodes_of_one_target_share_its_output() -> None:
    """One process for several nodes: what it prints is printed by each of them."""
    result = Result()
    records = result._add_target(("a", "b"), gather=True, stderr=False)
    assert records[0].out is not None
    result._out.add(records[0].out, b"hi\n")
    assert _buffers(result) == [(b"hi", ["a", "b"])]


def test_a_result_can_be_pickled(result: Result) -> None:
    """It is plain data."""
    copied = pickle.loads(pickle.dumps(result))
    assert copied.summary() == result.summary()
    assert _buffers(copied) == _buffers(result)


def test_the_task_has_the_same_getters() -> None:
    """One class for both."""
    assert issubclass(asynctask.Task, asynctask.results.Getters)
    assert list(asynctask.Task().iter_buffers()) == []


# -- the part of a worker ---------------------------------------------------------------------------


def _parts() -> tuple[Result, Part, Part]:
    """Two workers: the first on a and b, the second on b, each with output on both streams."""
    result = Result()
    first, second = result._part(), result._part()
    for part, nodes in ((first, "ab"), (second, "b")):
        for node in nodes:
            (record,) = result._add_target((node,), gather=True, stderr=True, part=part)
            assert record.out is not None
            assert record.err is not None
            result._out.add(record.out, b"out\n" if part is first else b"second\n")
            result._err.add(record.err, b"err\n")
            record.result = node_result(
                node,
                rc=0 if part is first else 4,
                out=result._out_message(record),
                err=result._err_message(record),
            )
    return result, first, second


def test_a_part_has_its_own_targets() -> None:
    """The result has all of them, from the same books."""
    result, first, second = _parts()
    assert [(part.node, part.rc) for part in first.all()] == [("a", 0), ("b", 0)]
    assert [(part.node, part.rc) for part in second.all()] == [("b", 4)]
    assert (result.all(), result["b"]) == (first.all() + second.all(), second.all()[0])
    assert (first.node_buffer("b"), second.node_buffer("b"), result.node_buffer("b")) == (
        b"out",
        b"second",
        b"out\nsecond",
    )
    assert (first.max_retcode(), second.node_retcode("b"), second.node_buffer("a")) == (0, 4, b"")


def test_a_part_knows_its_nodes() -> None:
    """Those of others are none of its."""
    _, first, second = _parts()
    first.check("a")
    with pytest.raises(KeyError, match=r"^'a'$"):
        second.check("a")
    assert second.only_node() == "b"
    refused(UsageError, "the worker has 2 nodes: say whose output to read", first.only_node)


def test_flushing_a_part_leaves_the_others_alone() -> None:
    """Both see the same record, so it is gone for the result as well."""
    result, first, second = _parts()
    first.flush_buffers()
    assert (list(first.iter_buffers()), second.node_buffer("b")) == ([], b"second")
    assert _buffers(result) == [(b"second", ["b"])]
    assert [(bytes(message), nodes) for message, nodes in first.iter_errors()] == [(b"err", ["a", "b"])]
    first.flush_errors()
    assert (list(first.iter_errors()), result.node_error("b")) == ([], b"err")


def test_flushing_forgets_output_and_nothing_else() -> None:
    """Results that are there keep what they have; codes stay."""
    result, first, _ = _parts()
    result.flush_buffers()
    result.flush_errors()
    assert (_buffers(result), list(result.iter_errors()), result.node_buffer("a")) == ([], [], b"")
    assert (result["a"].stdout, result["a"].stderr) == (b"out\n", b"err\n")
    assert (list(result.iter_retcodes()), first.node_buffer("a")) == ([(0, ["a", "b"]), (4, ["b"])], b"")


def test_output_after_a_flush_is_gathered_anew() -> None:
    """A node that still runs goes on."""
    result = Result()
    records = result._add_target(("a", "b"), gather=True, stderr=False)
    assert records[0].out is not None
    result._out.add(records[0].out, b"before\n")
    result.flush_buffers()
    result._out.add(records[0].out, b"after\n")
    assert _buffers(result) == [(b"after", ["a", "b"])]
    result.flush_errors()  # none is kept: nothing happens


@pytest.mark.parametrize(
    ("gather", "kept"),
    [(True, (True, True)), (False, (False, False)), ("stdout", (True, False)), ("stderr", (False, True))],
)
def test_one_stream_alone_can_be_gathered(gather: bool | str, kept: tuple[bool, bool]) -> None:
    """Standard error only where it is kept apart."""
    (record,) = Result()._add_target(("a",), gather=gather, stderr=True)
    assert (record.out is not None, record.err is not None) == kept
    (record,) = Result()._add_target(("a",), gather=gather, stderr=False)
    assert (record.out is not None, record.err is not None) == (kept[0], False)
