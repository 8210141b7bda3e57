"""OpenSSH's client configuration: parsed once, asked for each host.

The rules are those of ``ssh_config(5)``: the first value of a keyword wins, some keywords add up, a
block counts when its ``Host`` patterns or ``Match`` criteria fit, ``Include`` works anywhere.
"""

from __future__ import annotations

import getpass
import logging
import os
import shlex
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property, lru_cache
from pathlib import Path
from re import compile as compile_pattern

from asynctask.errors import SSHConfigError

__all__ = ("HostSettings", "SSHConfig")

_ADD_UP = {"identityfile", "certificatefile", "sendenv", "setenv"}
_MAX_INCLUDE_DEPTH = 16  # as OpenSSH has it
#: Keywords that change where a connection goes and that we cannot honour: such a host is not talked to.
_CANNOT_IGNORE = ("proxyjump", "proxycommand")

_log = logging.getLogger(__name__)

_Test = Callable[["_Subject"], bool]


@dataclass
class _Subject:
    """Whom a block is matched against: what is known about the host so far."""

    original: str
    host: str
    user: str
    local_user: str


@dataclass
class _Block:
    tests: tuple[_Test, ...]
    settings: list[tuple[str, list[str], str]] = field(default_factory=list)  # keyword, values, where


class HostSettings:
    """What the configuration says about one host; keywords in lower case."""

    def __init__(self, name: str, values: dict[str, list[str]]) -> None:
        self.name = name
        self._values = values

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

    def number(self, keyword: str) -> int | None:
        """A whole number.

        Raises:
            SSHConfigError: it is something else.
        """
        value = self.get(keyword)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError:
            raise SSHConfigError(f"{self.name}: SSH configuration: {keyword} {value!r} is no number") from None

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
        self._blocks: list[_Block] = []
        for path in paths:
            self._blocks.append(_Block(()))
            self._read(path, (), 0)

    def lookup(self, host: str, user: str | None = None) -> HostSettings:
        """What the files say about ``host`` when logging in as ``user``."""
        subject = _Subject(host, host, user or self.local_user, self.local_user)
        values: dict[str, list[str]] = {}
        for block in self._blocks:
            if block.settings and all(test(subject) for test in block.tests):
                for keyword, arguments, _ in block.settings:
                    if keyword in _ADD_UP:
                        values.setdefault(keyword, []).extend(arguments)
                    else:
                        values.setdefault(keyword, arguments)
                if "hostname" in values:
                    subject.host = _hostname(values["hostname"][0], host)
                if user is None and "user" in values:
                    subject.user = values["user"][0]
        if "hostname" in values:
            values["hostname"] = [subject.host]
        return HostSettings(host, values)

    @cached_property
    def local_user(self) -> str:
        """Who runs this program."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a user id without an entry
            return str(os.getuid())

    # -- parsing ----------------------------------------------------------------------------

    def _read(self, path: Path, outer: tuple[_Test, ...], depth: int) -> None:
        try:
            text = path.read_text(errors="surrogateescape")
        except OSError as exc:
            raise SSHConfigError(f"SSH configuration {path}: {exc.strerror or exc}") from exc
        if depth > _MAX_INCLUDE_DEPTH:
            raise SSHConfigError(f"SSH configuration {path}: Include goes deeper than {_MAX_INCLUDE_DEPTH} files")
        inner = outer
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{path} line {number}"
            words = _words(line, where)
            if not words:
                continue
            keyword, arguments = words[0].lower(), words[1:]
            if not arguments:
                raise SSHConfigError(f"SSH configuration {where}: {words[0]} has no value")
            if keyword == "host":
                inner = (*outer, _host_test(arguments))
                self._blocks.append(_Block(inner))
            elif keyword == "match":
                inner = (*outer, *_match_tests(arguments, where))
                self._blocks.append(_Block(inner))
            elif keyword == "include":
                for included in _included(arguments, path):
                    self._blocks.append(_Block(inner))
                    self._read(included, inner, depth + 1)
                self._blocks.append(_Block(inner))
            else:
                if keyword not in _ADD_UP or keyword in ("identityfile", "certificatefile"):
                    arguments = [" ".join(arguments)]
                self._blocks[-1].settings.append((keyword, arguments, where))


def _words(line: str, where: str) -> list[str]:
    """The keyword and its arguments: ``Keyword value``, ``Keyword=value``, quoted values."""
    line = line.strip()
    if not line or line.startswith("#"):
        return []
    keyword, rest = line, ""
    for place, char in enumerate(line):
        if char in " \t=":
            keyword, rest = line[:place], line[place:].lstrip(" \t").removeprefix("=")
            break
    if keyword.lower() in ("proxycommand", "remotecommand", "localcommand", "knownhostscommand"):
        return [keyword, rest.strip()] if rest.strip() else [keyword]
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    try:
        return [keyword, *lexer]
    except ValueError as exc:
        raise SSHConfigError(f"SSH configuration {where}: a quotation mark is missing ({exc})") from exc


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> Callable[[str], bool]:
    # OpenSSH knows * and ? alone; fnmatch's brackets are taken literally.
    found = compile_pattern(translate(pattern.replace("[", "[[]")))
    return lambda text: found.match(text) is not None


def _fits(patterns: Iterable[str], text: str) -> bool:
    """Whether a pattern fits and no negated one does."""
    fits = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _pattern(pattern[1:].lower())(text):
                return False
        elif _pattern(pattern.lower())(text):
            fits = True
    return fits


def _host_test(patterns: list[str]) -> _Test:
    return lambda subject: _fits(patterns, subject.original.lower())


def _match_tests(words: list[str], where: str) -> list[_Test]:
    tests: list[_Test] = []
    rest = iter(words)
    for word in rest:
        criterion, _, value = word.partition("=")
        negated = criterion.startswith("!")
        criterion = criterion.lstrip("!").lower()
        if criterion == "all":
            continue
        if criterion in ("canonical", "final"):
            tests.append(lambda subject: False)  # names are not made canonical, so there is no second pass
            continue
        value = value or next(rest, "")
        if not value:
            raise SSHConfigError(f"SSH configuration {where}: Match {criterion} has no value")
        tests.append(_criterion(criterion, value.split(","), negated, where))
    return tests


_SUBJECT_OF: dict[str, Callable[[_Subject], str]] = {
    "host": lambda subject: subject.host,
    "originalhost": lambda subject: subject.original,
    "user": lambda subject: subject.user,
    "localuser": lambda subject: subject.local_user,
}


def _criterion(criterion: str, patterns: list[str], negated: bool, where: str) -> _Test:
    subject_of = _SUBJECT_OF.get(criterion)
    if subject_of is None:
        _log.warning("SSH configuration %s: Match %s is not supported; its block is skipped", where, criterion)
        return lambda subject: False
    return lambda subject: _fits(patterns, subject_of(subject).lower()) is not negated


def _included(arguments: list[str], path: Path) -> list[Path]:
    base = Path("/etc/ssh") if path.is_relative_to("/etc/ssh") else Path("~/.ssh").expanduser()
    found: list[Path] = []
    for argument in arguments:
        pattern = Path(argument).expanduser()
        pattern = pattern if pattern.is_absolute() else base / pattern
        found += sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    return found


def _hostname(template: str, host: str) -> str:
    return template.replace("%h", host).replace("%%", "%")


def expand_tokens(text: str, tokens: dict[str, str]) -> str:
    """Replace ``%h``, ``%r``, … and ``~`` at the start; ``%%`` is a percent sign."""
    out, place = [], 0
    while (found := text.find("%", place)) >= 0 and found + 1 < len(text):
        token = text[found + 1]
        out += [text[place:found], "%" if token == "%" else tokens.get(token, "%" + token)]
        place = found + 2
    return os.path.expanduser("".join(out) + text[place:])  # noqa: PTH111 - a text, not yet a path


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
