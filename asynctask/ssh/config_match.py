"""The parts of an OpenSSH configuration that was read, and which of them count for a host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from asynctask.ssh.config_tokens import expand_tokens

__all__ = ("File", "Match", "Patterns", "Place", "Question", "Section", "Setting", "Test", "host_test")


class Place(NamedTuple):
    """Where a setting stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file} line {self.line}"


class Setting(NamedTuple):
    """A keyword in lower case with its values. ``merge`` has it when it is not the first value that wins."""

    keyword: str
    values: tuple[str, ...]
    place: Place
    merge: Callable[[dict[str, Setting], Setting], None] | None = None


class Question:
    """Whom it is about, and what was found so far."""

    __slots__ = ("_user", "final", "found", "local_user", "named", "original")

    def __init__(self, name: str, user: str | None, local_user: str) -> None:
        self.original = self.named = name
        self.local_user = local_user
        self.found: dict[str, Setting] = {}
        self.final = False
        """Whether this is the second pass, for ``Match final``."""
        self._user = user

    def first(self, keyword: str, default: str = "") -> str:
        """The value of a keyword as it stands so far."""
        setting = self.found.get(keyword)
        return default if setting is None else setting.values[0]

    @property
    def host(self) -> str:
        """Where the host is, as far as it is known by now."""
        if self.final:
            return self.named
        return expand_tokens(self.first("hostname", "%h"), {"h": self.named})

    @property
    def user(self) -> str:
        """Who logs in, as far as it is known by now."""
        return self._user or self.first("user", self.local_user)


Test: TypeAlias = Callable[[Question], bool]


class Section:
    """A ``Host`` or ``Match`` line, or the top of a file, with what stands below it."""

    __slots__ = ("items", "number", "test")

    def __init__(self, number: int, test: Test | None) -> None:
        self.number = number
        self.test = test
        self.items: list[Setting | File] = []


_NUMBER = attrgetter("number")


class File:
    """The sections of a file, in order. Those for plain names are found by name: there may be thousands."""

    def __init__(self) -> None:
        self.sections = [Section(0, None)]
        self.wants_final = False
        """Whether a ``Match final`` stands somewhere in it: OpenSSH then reads all twice, for any host."""
        self._by_name: dict[str, list[Section]] = {}
        self._others = [self.sections[0]]

    def add(self, test: Test | None, names: Iterable[str] = ()) -> None:
        """Begin a section; if it is for some plain names alone, for these, and then it has no test."""
        section = Section(len(self.sections), test)
        self.sections.append(section)
        for name in dict.fromkeys(names):
            self._by_name.setdefault(name, []).append(section)
        if not names:
            self._others.append(section)

    def answer(self, question: Question) -> None:
        """Take what fits. A test is asked once, when its line is reached, as in OpenSSH."""
        sections = self._others
        named = self._by_name.get(question.named)
        if named is not None:
            sections = sorted([*named, *sections], key=_NUMBER)
        found = question.found
        for section in sections:
            if section.test is not None and not section.test(question):
                continue
            for item in section.items:
                if isinstance(item, File):
                    item.answer(question)
                elif item.merge is not None:
                    item.merge(found, item)
                elif item.keyword not in found:
                    found[item.keyword] = item


_Fits: TypeAlias = Callable[[str], object]


class Patterns:
    """Patterns with ``*`` and ``?``; with ``!`` they exclude."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._wanted: list[_Fits] = []
        self._unwanted: list[_Fits] = []
        for pattern in patterns:
            # OpenSSH knows no brackets.
            fits = re.compile(translate(pattern.removeprefix("!").replace("[", "[[]"))).match
            (self._unwanted if pattern.startswith("!") else self._wanted).append(fits)

    def fit(self, text: str) -> bool:
        """Whether a pattern fits and no excluding one does."""
        return any(fits(text) for fits in self._wanted) and not any(fits(text) for fits in self._unwanted)


def host_test(patterns: list[str]) -> Test | None:
    """The test of a ``Host`` line; ``None`` if it fits every host."""
    if all(pattern == "*" for pattern in patterns):
        return None
    fitting = Patterns(patterns)
    return lambda question: fitting.fit(question.named)


#: The text that a criterion is about. Names of hosts are compared in lower case.
_SUBJECT_OF: dict[str, Callable[[Question], str]] = {
    "host": lambda question: question.host.lower(),
    "originalhost": lambda question: question.original.lower(),
    "user": lambda question: question.user,
    "localuser": lambda question: question.local_user,
    "tagged": lambda question: question.first("tag"),
}
#: Criteria without a value.
_BARE = frozenset({"all", "canonical", "final", "invalid-user"})


class Match:
    """The test of a ``Match`` line.

    A criterion that cannot be told here, as ``exec``, whose command would hold up all other hosts, never
    fits. If it is what the line hangs on it is noted among the settings, by ``Match`` and its name.

    Raises:
        ValueError: a criterion has no value.
    """

    def __init__(self, words: list[str], place: Place) -> None:
        self.wants_final = False
        self._tests: list[Test] = []
        self._untold: list[Setting] = []
        rest = iter(words)
        for word in rest:
            criterion, _, value = word.removeprefix("!").partition("=")
            criterion = criterion.lower()
            if criterion not in _BARE:
                value = value or next(rest, "")
                if not value:
                    raise ValueError(f"Match {criterion} has no value")
            self._add(criterion, value, word.startswith("!"), place)

    def __call__(self, question: Question) -> bool:
        """Whether all criteria fit."""
        if not all(test(question) for test in self._tests):
            return False
        for setting in self._untold:
            question.found.setdefault(setting.keyword, setting)
        return not self._untold

    def _add(self, criterion: str, value: str, negated: bool, place: Place) -> None:
        self.wants_final |= criterion == "final"
        if criterion == "all":
            self._tests.append(lambda question: not negated)
        elif criterion in ("canonical", "final"):  # there is but one second pass, for both
            self._tests.append(lambda question: question.final is not negated)
        elif criterion in _SUBJECT_OF:
            subject_of = _SUBJECT_OF[criterion]
            patterns = Patterns((value.lower() if "host" in criterion else value).split(","))
            self._tests.append(lambda question: patterns.fit(subject_of(question)) is not negated)
        else:
            self._untold.append(Setting(f"Match {criterion}", (value,), place))
