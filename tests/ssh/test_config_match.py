"""Tests of asynctask.ssh.config_match; that blocks count as for OpenSSH is in test_config_openssh."""

from __future__ import annotations

import pytest

from asynctask.ssh.config_match import File, Match, Patterns, Place, Question, Setting, host_test

HERE = Place("f", 3)


def _fits(line: str, question: Question) -> bool:
    return Match(line.split(), HERE)(question)


def test_a_place() -> None:
    """It is said as in messages."""
    assert str(HERE) == "f line 3"


@pytest.mark.parametrize(
    ("patterns", "fitting"),
    [
        (["a*"], ["a", "ab"]),
        (["?"], ["a", "b"]),
        (["*", "!a"], ["ab", "b", "[a]"]),
        (["!a"], []),
        (["[a]"], ["[a]"]),
        ([], []),
    ],
)
def test_patterns(patterns: list[str], fitting: list[str]) -> None:
    """Wildcards fit, excluding ones come first, brackets are nothing special."""
    assert [text for text in ("a", "ab", "b", "[a]") if Patterns(patterns).fit(text)] == fitting


def test_a_host_line_for_all() -> None:
    """It needs no test, which matters for the time of a lookup."""
    assert host_test(["*"]) is None
    assert host_test(["*", "!a"]) is not None


def test_sections_in_order() -> None:
    """Those that are found by name and the others count in the order of the file, each once."""
    file = File()
    for number, names in enumerate((["b"], [], ["a", "b", "a"], [], ["a"])):
        file.add(None, names)
        file.sections[-1].items.append(Setting(f"k{number}", (), HERE))
    question = Question("a", None, "me")
    file.answer(question)
    assert list(question.found) == ["k1", "k2", "k3", "k4"]


@pytest.mark.parametrize("criterion", ["exec", "localnetwork", "command", "sessiontype", "version"])
@pytest.mark.parametrize("sign", ["", "!"])
def test_a_criterion_that_cannot_be_told(criterion: str, sign: str) -> None:
    """Its block does not count, negated or not, and it is noted, with the place."""
    question = Question("a", None, "me")
    assert not _fits(f"host a {sign}{criterion} x", question)
    name = f"Match {criterion}"
    assert question.found == {name: Setting(name, ("x",), HERE)}


def test_a_criterion_without_a_value_that_cannot_be_told() -> None:
    """It does not take the next criterion for its value."""
    question = Question("a", None, "me")
    assert not _fits("invalid-user host b", question)
    assert question.found == {}


@pytest.mark.parametrize("line", ["host b exec x", "exec x host b", "exec x !all"])
def test_a_criterion_on_which_nothing_hangs(line: str) -> None:
    """It is not noted for hosts that the line is not for anyway."""
    question = Question("a", None, "me")
    assert not _fits(line, question)
    assert question.found == {}


def test_tagged() -> None:
    """A tag that was set before counts; this ssh does not know them yet."""
    question = Question("a", None, "me")
    before = _fits("tagged web*", question)
    question.found["tag"] = Setting("tag", ("web1",), HERE)
    assert (before, _fits("tagged web*", question), _fits("!tagged web*", question)) == (False, True, False)


def test_a_value_after_an_equals_sign() -> None:
    """Newer versions of OpenSSH take that, too."""
    assert _fits("host=a,b", Question("a", None, "me"))
    assert not _fits("host=b", Question("a", None, "me"))


def test_no_value() -> None:
    """A criterion without its value is no criterion."""
    with pytest.raises(ValueError, match=r"^Match user has no value$"):
        Match(["host", "a", "!user"], HERE)


def test_final() -> None:
    """It says that it wants a second pass, and fits only then."""
    match = Match(["host", "a", "final"], HERE)
    question = Question("a", None, "me")
    first = match(question)
    question.final = True
    assert (match.wants_final, first, match(question)) == (True, False, True)
    assert not Match(["canonical"], HERE).wants_final
