"""OpenSSH's client configuration: parsed once, asked for each host.

The rules are those of ``ssh_config(5)``: the first value of a keyword wins, some keywords add up, a
block counts when its ``Host`` patterns or ``Match`` criteria fit, ``Include`` works anywhere. Names
are not made canonical, and ``Match exec`` is not run.
"""

from __future__ import annotations

import glob
import logging
import os
import pwd
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from asynctask.errors import SSHConfigError

__all__ = ("HostSettings", "SSHConfig", "expand_tokens", "expand_user", "standard_tokens")

#: Keywords whose values add up. The others have the value that comes first.
_ADD_UP = frozenset({"identityfile", "certificatefile", "sendenv", "setenv"})
#: Keywords that take several words. The words of the others are one value.
_LISTS = frozenset({"sendenv", "setenv", "userknownhostsfile", "globalknownhostsfile"})
#: Keywords that take the rest of the line as it is.
_RAW = frozenset({"proxycommand", "remotecommand", "localcommand", "knownhostscommand"})
#: Keywords that change where a connection goes and that we cannot honour: such a host is not talked to.
_CANNOT_IGNORE = ("proxyjump", "proxycommand")
_MAX_INCLUDE_DEPTH = 16  # as OpenSSH has it
_KEYWORD = re.compile(r'"?([^\s"=]+)"?[ \t]*=?[ \t]*')
_TIME = re.compile(r"(\d+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_log = logging.getLogger(__name__)


class HostSettings:
    """What the configuration says about one host; keywords in lower case."""

    def __init__(self, name: str, values: dict[str, list[str]], places: dict[str, str]) -> None:
        self.name = name
        self._values = values
        self._places = places

    def get(self, keyword: str) -> str | None:
        """The first value of a keyword."""
        values = self._values.get(keyword)
        return values[0] if values else None

    def get_all(self, keyword: str) -> list[str]:
        """All values of a keyword."""
        return self._values.get(keyword, [])

    def flag(self, keyword: str, default: bool) -> bool:
        """A yes or no."""
        value = self.get(keyword)
        return default if value is None else value.lower() in ("yes", "true", "on")

    def number(self, keyword: str, at_least: int = 0, at_most: int = 2**31 - 1) -> int | None:
        """A whole number.

        Raises:
            SSHConfigError: it is something else, or out of bounds; it names file and line.
        """
        value = self.get(keyword)
        if value is None:
            return None
        if not value.isdecimal() or not at_least <= int(value) <= at_most:
            raise self._wrong(keyword, f"is no number from {at_least} to {at_most}")
        return int(value)

    def seconds(self, keyword: str) -> int | None:
        """A time: ``90``, ``1m30s``, ``1h``; ``none`` is 0.

        Raises:
            SSHConfigError: it is something else; it names file and line.
        """
        value = self.get(keyword)
        if value is None:
            return None
        parts = _TIME.findall(value.lower())
        if "".join(map("".join, parts)) != value.lower() and value.lower() != "none":
            raise self._wrong(keyword, "is no time")
        return sum(int(number) * _SECONDS[unit] for number, unit in parts)

    def _wrong(self, keyword: str, what: str) -> SSHConfigError:
        value, place = self.get(keyword), self._places[keyword]
        return SSHConfigError(f"SSH configuration {place}: {keyword} {value!r} {what}")

    @property
    def cannot_honour(self) -> str | None:
        """A keyword that decides about the way and that is not supported, if there is one."""
        for keyword in _CANNOT_IGNORE:
            if (self.get(keyword) or "none").lower() != "none":
                return keyword
        return None


class SSHConfig:
    """The parsed files, most important first.

    Raises:
        SSHConfigError: a file cannot be read or has a line that makes no sense; it names both.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._files = [_read(path, str(path), 0) for path in paths]

    def lookup(self, host: str, user: str | None = None) -> HostSettings:
        """What the files say about ``host`` when logging in as ``user``."""
        question = _Question(host, user, self.local_user)
        for file in self._files:
            file.answer(question)
        if question.wants_final:
            question.named, question.final = question.host.lower(), True
            for file in self._files:
                file.answer(question)
        if "hostname" in question.values:
            question.values["hostname"] = [question.host]
        return HostSettings(host, question.values, question.places)

    @cached_property
    def local_user(self) -> str:
        """Who runs this program."""
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a user id without an entry
            return os.environ.get("USER") or str(os.getuid())


# -- asking -----------------------------------------------------------------------------------


class _Setting(NamedTuple):
    keyword: str
    values: list[str]
    place: str


class _Question:
    """Whom it is about, and what was found so far."""

    def __init__(self, name: str, user: str | None, local_user: str) -> None:
        self.original = self.named = name
        self.local_user = local_user
        self.values: dict[str, list[str]] = {}
        self.places: dict[str, str] = {}
        self.final = False  # the second pass, for ``Match final``
        self.wants_final = False
        self._user = user

    @property
    def host(self) -> str:
        if self.final:
            return self.named
        template = self.values.get("hostname")
        return self.named if template is None else expand_tokens(template[0], {"h": self.named})

    @property
    def user(self) -> str:
        return self._user or self.values.get("user", [self.local_user])[0]

    def take(self, setting: _Setting) -> None:
        keyword, values, place = setting
        found = self.values.get(keyword)
        if found is None:
            self.values[keyword] = list(values)
            self.places[keyword] = place
        elif keyword in _ADD_UP:
            found += [value for value in values if value not in found]


_Test = Callable[[_Question], bool]


class _Section:
    """A ``Host`` or ``Match`` line, or the top of a file, with what stands below it."""

    def __init__(self, test: _Test) -> None:
        self.test = test
        self.items: list[_Setting | _File] = []


class _File:
    """The sections of a file, in order. Those for plain names are found by name: there may be thousands."""

    def __init__(self) -> None:
        self.sections = [_Section(lambda question: True)]
        self._by_name: dict[str, list[int]] = {}
        self._others = [0]

    def add(self, test: _Test, names: Iterable[str] = ()) -> None:
        """Begin a section; if it is for some plain names alone, for these."""
        number = len(self.sections)
        self.sections.append(_Section(test))
        for name in names:
            self._by_name.setdefault(name, []).append(number)
        if not names:
            self._others.append(number)

    def answer(self, question: _Question) -> None:
        """Take what fits. A test is asked once, when its line is reached, as in OpenSSH."""
        numbers = {*self._others, *self._by_name.get(question.named, ())}
        for section in map(self.sections.__getitem__, sorted(numbers)):
            if section.test(question):
                for item in section.items:
                    if isinstance(item, _File):
                        item.answer(question)
                    else:
                        question.take(item)


# -- parsing ----------------------------------------------------------------------------------


def _read(path: Path, place: str, depth: int) -> _File:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as exc:
        raise SSHConfigError(f"SSH configuration {path}: {exc.strerror or exc}") from exc
    if depth > _MAX_INCLUDE_DEPTH:
        raise SSHConfigError(
            f"SSH configuration {place}: Include goes deeper than {_MAX_INCLUDE_DEPTH} files"
        )
    file = _File()
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r\f")
        if not line or line.startswith("#"):
            continue
        place = f"{path} line {number}"
        if "\0" in line:
            raise SSHConfigError(f"SSH configuration {place}: a NUL character")
        keyword, arguments = _split(line, place)
        if keyword == "host":
            plain = not any(char in argument for argument in arguments for char in "*?!")
            file.add(_host_test(arguments), arguments if plain else ())
        elif keyword == "match":
            file.add(_match_test(arguments, place))
        elif keyword == "include":
            included = (_read(each, place, depth + 1) for each in _included(arguments, path))
            file.sections[-1].items += included
        else:
            values = arguments if keyword in _LISTS else [" ".join(arguments)]
            file.sections[-1].items.append(_Setting(keyword, values, place))
    return file


def _split(line: str, place: str) -> tuple[str, list[str]]:
    """The keyword and its arguments: ``Keyword value``, ``Keyword=value``, quoted values."""
    found = _KEYWORD.match(line)
    if found is None:
        raise SSHConfigError(f"SSH configuration {place}: no keyword")
    keyword, rest = found[1].lower(), line[found.end() :]
    arguments = [rest] if keyword in _RAW else _words(rest, place)
    if not arguments or not arguments[0]:
        raise SSHConfigError(f"SSH configuration {place}: {found[1]} has no value")
    return keyword, arguments


def _words(text: str, place: str) -> list[str]:
    r"""Split at blanks; ``"`` and ``'`` quote, ``\`` escapes them, itself and blanks, ``#`` ends the line."""
    if not any(char in text for char in "\"'\\#"):
        return [word for word in text.replace("\t", " ").split(" ") if word]
    words: list[str] = []
    word: str | None = None
    quote = ""
    chars = iter(range(len(text)))
    for at in chars:
        char, following = text[at], text[at + 1 : at + 2]
        if char == "\\" and following and following in ("\"'\\" if quote else "\"'\\ "):
            word = (word or "") + following
            next(chars)
        elif char == quote:
            quote = ""
        elif quote:
            word = (word or "") + char
        elif char in "\"'":
            quote, word = char, word or ""
        elif char in " \t":
            words += [] if word is None else [word]
            word = None
        elif char == "#" and word is None:
            break
        else:
            word = (word or "") + char
    if quote:
        raise SSHConfigError(f"SSH configuration {place}: a quotation mark is missing")
    return words if word is None else [*words, word]


def _included(arguments: list[str], path: Path) -> list[Path]:
    base = Path("/etc/ssh") if path.is_relative_to("/etc/ssh") else Path("~/.ssh").expanduser()
    found: list[Path] = []
    for argument in arguments:
        # Not pathlib's: it finds hidden files, too.
        names = glob.glob(str(base / expand_user(argument)))  # noqa: PTH207
        found += [Path(name) for name in sorted(names)]
    return [path for path in found if not path.is_dir()]


# -- tests ------------------------------------------------------------------------------------


_Fits = Callable[[str], object]


class _Patterns:
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


def _host_test(patterns: list[str]) -> _Test:
    if not any(char in pattern for pattern in patterns for char in "*?!"):
        return lambda question: question.named in patterns
    fitting = _Patterns(patterns)
    return lambda question: fitting.fit(question.named)


def _match_test(words: list[str], place: str) -> _Test:
    tests: list[_Test] = []
    rest = iter(words)
    for word in rest:
        criterion, _, value = word.partition("=")
        negated = criterion.startswith("!")
        criterion = criterion.removeprefix("!").lower()
        if criterion not in ("all", "canonical", "final"):
            value = value or next(rest, "")
            if not value:
                raise SSHConfigError(f"SSH configuration {place}: Match {criterion} has no value")
        tests.append(_criterion(criterion, value, negated, place))
    return lambda question: all(test(question) for test in tests)


#: The text that a criterion is about. Names of hosts are compared in lower case.
_SUBJECT_OF: dict[str, Callable[[_Question], str]] = {
    "host": lambda question: question.host.lower(),
    "originalhost": lambda question: question.original.lower(),
    "user": lambda question: question.user,
    "localuser": lambda question: question.local_user,
}


def _criterion(criterion: str, value: str, negated: bool, place: str) -> _Test:
    if criterion == "all":
        return lambda question: not negated
    if criterion == "canonical":  # the second pass counts as the one with canonical names, too
        return lambda question: question.final is not negated
    if criterion == "final":
        return lambda question: _is_final(question) is not negated
    subject_of = _SUBJECT_OF.get(criterion)
    if subject_of is None:
        _log.warning(
            "SSH configuration %s: Match %s is not supported; its block is skipped", place, criterion
        )
        return lambda question: False
    patterns = _Patterns((value.lower() if "host" in criterion else value).split(","))
    return lambda question: patterns.fit(subject_of(question)) is not negated


def _is_final(question: _Question) -> bool:
    question.wants_final = True
    return question.final


# -- tokens -----------------------------------------------------------------------------------


def expand_tokens(text: str, tokens: dict[str, str]) -> str:
    """Replace ``%h``, ``%r``, … as ``tokens`` says; ``%%`` is a percent sign, another ``%`` stays."""
    return re.sub("%(.)", lambda found: "%" if found[1] == "%" else tokens.get(found[1], found[0]), text)


def expand_user(name: str) -> Path:
    """Replace ``~`` and ``~user`` at the start; that of an unknown user stays; pathlib's would raise."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def standard_tokens(name: str, host: str, port: int, user: str, local_user: str) -> dict[str, str]:
    """The tokens that paths in the configuration may hold."""
    local = socket.gethostname()
    return {
        "d": str(Path.home()),
        "h": host,
        "i": str(os.getuid()),
        "L": local.split(".")[0],
        "l": local,
        "n": name,
        "p": str(port),
        "r": user,
        "u": local_user,
    }
