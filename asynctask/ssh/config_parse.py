"""Reading files of OpenSSH's configuration, with what they include."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from asynctask.errors import SSHConfigError
from asynctask.ssh.config_keywords import ALIASES, LISTS, RAW, REPORTED, SILENT, SINGLE
from asynctask.ssh.config_match import File, Match, Patterns, Place, Setting, host_test
from asynctask.ssh.config_tokens import expand_user

__all__ = ("SETTINGS", "read", "read_settings")

#: Where those settings stand that were given without a file, in messages.
SETTINGS = "settings"

_MAX_INCLUDE_DEPTH = 16  # as OpenSSH has it
_SECTIONS = frozenset({"host", "match", "include"})
_KEYWORD = re.compile(r'"?([^\s"=]+)"?[ \t]*=?[ \t]*')
#: A line without anything to look closely at: most are, and there may be ten thousand.
_PLAIN_LINE = re.compile(r"[ \t]*(\w+)[ \t]+([^\s\0\"'\\#=]+)[ \t\r\f]*")


def read(path: Path) -> File:
    """Read a file and those that it includes.

    Raises:
        SSHConfigError: it cannot be read or has a line that makes no sense; the message names both.
    """
    return _Reader(path, 0).file


def read_settings(lines: Sequence[str]) -> File:
    """Read lines that were given without a file, as those of ``ssh -o``; they are for every host.

    Raises:
        SSHConfigError: one makes no sense, or begins a block; the message names it by its number.
    """
    file = File()
    for number, line in enumerate(lines, 1):
        try:
            if "\n" in line:
                raise ValueError("a line break; give each line by itself")
            written, keyword, arguments = _split(line.strip(" \t\r\f"))
            if keyword in _SECTIONS:
                raise ValueError(f"{written} belongs into a file")
            file.sections[0].items.append(_setting(written, keyword, arguments, Place(SETTINGS, number)))
        except ValueError as exc:
            raise SSHConfigError(f"SSH configuration {SETTINGS} line {number}: {exc}") from exc
    return file


class _Reader:
    """Reads one file into ``file``."""

    def __init__(self, path: Path, depth: int) -> None:
        self.file = File()
        self._path = path
        self._name = str(path)
        self._depth = depth
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as exc:
            if depth and isinstance(exc, FileNotFoundError):
                return  # a dangling link that a pattern has found
            raise SSHConfigError(f"SSH configuration {path}: {exc.strerror or exc}") from exc
        for number, line in enumerate(text.split("\n"), 1):
            try:
                self._take(line, number)
            except SSHConfigError:
                raise  # it stands in an included file, and says so
            except ValueError as exc:
                raise SSHConfigError(f"SSH configuration {path} line {number}: {exc}") from exc

    def _take(self, raw: str, number: int) -> None:
        plain = _PLAIN_LINE.fullmatch(raw)
        if plain is not None:
            written, arguments = plain[1], [plain[2]]
            keyword = written.lower()
        else:
            line = raw.strip(" \t\r\f")
            if not line or line.startswith("#"):
                return
            written, keyword, arguments = _split(line)
        place = Place(self._name, number)
        if keyword in _SECTIONS:
            self._begin(keyword, arguments, place)
        else:
            self.file.sections[-1].items.append(_setting(written, keyword, arguments, place))

    def _begin(self, keyword: str, arguments: list[str], place: Place) -> None:
        if keyword == "include":
            self._include(arguments, place)
        elif keyword == "match":
            match = Match(arguments, place)
            self.file.wants_final |= match.wants_final
            self.file.add(match)
        elif any(char in argument for argument in arguments for char in "*?!"):
            self.file.add(host_test(arguments))
        else:
            self.file.add(None, arguments)

    def _include(self, arguments: list[str], place: Place) -> None:
        if self._depth >= _MAX_INCLUDE_DEPTH:
            raise ValueError(f"Include goes deeper than {_MAX_INCLUDE_DEPTH} files")
        for path in _included(arguments, self._path):
            included = _Reader(path, self._depth + 1).file
            self.file.wants_final |= included.wants_final
            self.file.sections[-1].items.append(included)


def _included(arguments: list[str], path: Path) -> list[Path]:
    base = Path("/etc/ssh") if path.is_relative_to("/etc/ssh") else Path("~/.ssh").expanduser()
    found: list[Path] = []
    for argument in arguments:
        # Not pathlib's: it finds hidden files, too.
        names = glob.glob(str(base / expand_user(argument)))  # noqa: PTH207
        found += [Path(name) for name in sorted(names)]
    return [path for path in found if not path.is_dir()]


# -- lines ------------------------------------------------------------------------------------


def _split(line: str) -> tuple[str, str, list[str]]:
    """The keyword as written and in lower case, and its arguments, which may be quoted or follow a ``=``."""
    found = _KEYWORD.match(line)
    if "\0" in line:
        raise ValueError("a NUL character")
    if found is None:
        raise ValueError("no keyword")
    written, rest = found[1], line[found.end() :]
    keyword = written.lower()
    if keyword in RAW:
        rest = rest.lstrip(" \t=")
        # OpenSSH knows comments after a jump host, but not after a command.
        arguments = [rest.partition("#")[0].rstrip() if keyword == "proxyjump" else rest]
    else:
        arguments = _words(rest)
    if not arguments or not arguments[0]:
        raise ValueError(f"{written} has no value")
    return written, keyword, arguments


def _words(text: str) -> list[str]:
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
        raise ValueError("a quotation mark is missing")
    return words if word is None else [*words, word]


# -- settings ---------------------------------------------------------------------------------


def _setting(written: str, keyword: str, arguments: list[str], place: Place) -> Setting:
    keyword = ALIASES.get(keyword, keyword)
    if keyword not in SILENT and keyword not in REPORTED:
        keyword = written  # it is only ever shown
    if len(arguments) > 1:
        if keyword in SINGLE:
            raise ValueError(f"{written} has more than one value")
        if keyword not in LISTS:
            arguments = [" ".join(arguments)]
    if keyword == "setenv":
        arguments = _variables(arguments)
    return Setting(keyword, tuple(arguments), place, _MERGES.get(keyword))


def _variables(arguments: list[str]) -> list[str]:
    """Those of one ``SetEnv``, each name once."""
    named: dict[str, str] = {}
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if not name or not equals:
            raise ValueError(f"SetEnv {argument!r} is not NAME=VALUE")
        named.setdefault(name, argument)
    return list(named.values())


def _add(found: dict[str, Setting], setting: Setting) -> None:
    """Its values add up, each once."""
    earlier = found.get(setting.keyword)
    if earlier is not None:
        values = dict.fromkeys((*earlier.values, *setting.values))
        setting = earlier._replace(values=tuple(values))
    found[setting.keyword] = setting


def _send(found: dict[str, Setting], setting: Setting) -> None:
    """Names add up; one with a ``-`` takes back what came before."""
    earlier = found.get(setting.keyword, setting._replace(values=()))
    names = list(earlier.values)
    for name in setting.values:
        if name.startswith("-"):
            unwanted = Patterns([name[1:]])
            names = [name for name in names if not unwanted.fit(name)]
        else:
            names.append(name)
    found[setting.keyword] = earlier._replace(values=tuple(dict.fromkeys(names)))


def _jump(found: dict[str, Setting], setting: Setting) -> None:
    """The first of ``ProxyJump`` and ``ProxyCommand`` counts."""
    if "proxycommand" not in found:
        found.setdefault("proxyjump", setting)


def _command(found: dict[str, Setting], setting: Setting) -> None:
    """Likewise, but that there is no host to jump over does not rule out a command."""
    jump = found.get("proxyjump")
    if jump is None or jump.values[0].lower() == "none":
        found.setdefault("proxycommand", setting)


_MERGES = {
    "certificatefile": _add,
    "identityfile": _add,
    "proxycommand": _command,
    "proxyjump": _jump,
    "sendenv": _send,
}
