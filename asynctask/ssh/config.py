"""OpenSSH's client configuration: parsed once, asked for each host.

The rules are those of ``ssh_config(5)``: the first value of a keyword wins, some keywords add up, a
block counts when its ``Host`` patterns or ``Match`` criteria fit, ``Include`` works anywhere. Names
are not made canonical, and ``Match exec`` is not run; :attr:`HostSettings.not_honoured` tells.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from asynctask.errors import SSHConfigError
from asynctask.ssh.config_keywords import SILENT, is_reported
from asynctask.ssh.config_match import Patterns, Question, Setting
from asynctask.ssh.config_parse import read, read_settings
from asynctask.ssh.config_tokens import expand_tokens, expand_user, standard_tokens
from asynctask.ssh.targets import parse_jumps

__all__ = ("HostSettings", "SSHConfig", "check_settings", "expand_tokens", "expand_user", "standard_tokens")

_TIME = re.compile(r"(\d+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# The last two are ways of PubkeyAuthentication.
_YES = frozenset({"yes", "true", "on", "unbound", "host-bound"})
_NO = frozenset({"no", "false", "off"})


class HostSettings:
    """What the configuration says about one host; keywords in lower case, by their present names."""

    __slots__ = ("_found", "name")

    def __init__(self, name: str, found: dict[str, Setting]) -> None:
        self.name = name
        self._found = found

    def get(self, keyword: str) -> str | None:
        """The first value of a keyword."""
        setting = self._found.get(keyword)
        # A SendEnv that takes back all names has no value left.
        return setting.values[0] if setting is not None and setting.values else None

    def get_all(self, keyword: str) -> tuple[str, ...]:
        """All values of a keyword."""
        setting = self._found.get(keyword)
        return () if setting is None else setting.values

    def flag(self, keyword: str, default: bool) -> bool:
        """A yes or no.

        Raises:
            SSHConfigError: it is something else; it names file and line.
        """
        value = self.get(keyword)
        if value is None:
            return default
        if value.lower() not in _YES | _NO:
            raise self._wrong(keyword, "is neither yes nor no")
        return value.lower() in _YES

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

    def unless_none(self, keyword: str) -> str | None:
        """A value for which ``none`` means that there is none, as a ``ProxyJump``.

        Of ``proxyjump`` and ``proxycommand`` at most one has such a value.
        """
        value = self.get(keyword)
        return None if value is None or value.lower() == "none" else value

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables for the node: those of ``environ`` that ``SendEnv`` names, then ``SetEnv``."""
        found: dict[str, str] = {}
        names = self.get_all("sendenv")
        if names:
            wanted = Patterns(names)
            found = {name: value for name, value in environ.items() if wanted.fit(name)}
        for variable in self.get_all("setenv"):
            name, _, value = variable.partition("=")
            found[name] = value
        return found

    @property
    def not_honoured(self) -> tuple[str, ...]:
        """What is set for this host, would matter and has no effect here: keywords as OpenSSH spells them.

        Those that nobody knows are among them, unless ``IgnoreUnknown`` names them, and criteria that
        keep a block from counting, as ``"Match exec"``.
        """
        if SILENT.issuperset(self._found):
            return ()
        names: list[str] = []
        ignored = Patterns(())
        for keyword, setting in self._found.items():
            if keyword == "ignoreunknown":  # it is for what comes after it
                ignored = Patterns(setting.values[0].lower().split(","))
                continue
            name = is_reported(keyword, " ".join(setting.values), setting.place.file)
            if name is None or (_is_unknown(name, keyword) and ignored.fit(keyword.lower())):
                continue
            names.append(name)
        return tuple(names)

    def place_of(self, keyword: str) -> str | None:
        """File and line of a keyword, also as :attr:`not_honoured` spells it."""
        setting = self._found.get(keyword) or self._found.get(keyword.lower())
        return None if setting is None else str(setting.place)

    def _wrong(self, keyword: str, what: str) -> SSHConfigError:
        value, place = self.get(keyword), self.place_of(keyword)
        return SSHConfigError(f"SSH configuration {place}: {keyword} {value!r} {what}")


def _is_unknown(name: str, keyword: str) -> bool:
    """Whether it is a keyword that nobody knows: known ones are in lower case, criteria have a blank."""
    return name == keyword and " " not in name


class SSHConfig:
    """The parsed files, most important first.

    Args:
        paths: the files.
        settings: lines that count before the files, as those of ``ssh -o``.

    Raises:
        SSHConfigError: a file cannot be read or has a line that makes no sense; it names both.
    """

    def __init__(self, paths: Sequence[Path] = (), settings: Sequence[str] = ()) -> None:
        self._given = [read_settings(settings)] if settings else []
        self._files = [read(path) for path in paths]
        self._wants_final = any(file.wants_final for file in self._files)

    def lookup(self, host: str, user: str | None = None, *, on_the_way: bool = False) -> HostSettings:
        """What is said about ``host`` when logging in as ``user``.

        Args:
            host: its name, as it was written.
            user: who logs in, if that is known.
            on_the_way: it is a jump host: as in OpenSSH the settings beside the files are not for it.
        """
        question = Question(host, user, self.local_user)
        files = self._files if on_the_way else [*self._given, *self._files]
        for file in files:
            file.answer(question)
        if self._wants_final:
            question.named, question.final = question.host.lower(), True
            for file in files:
                file.answer(question)
        hostname = question.found.get("hostname")
        if hostname is not None and (self._wants_final or "%" in hostname.values[0]):
            question.found["hostname"] = hostname._replace(values=(question.host,))
        return HostSettings(host, question.found)

    @cached_property
    def local_user(self) -> str:
        """Who runs this program."""
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a user id without an entry
            return os.environ.get("USER") or str(os.getuid())


_FLAGS = (
    "compression",
    "hashknownhosts",
    "identitiesonly",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "pubkeyauthentication",
)
_TIMES = ("connecttimeout", "serveraliveinterval")


def check_settings(lines: Sequence[str]) -> None:
    """Refuse settings that would fail for every node, before there is one.

    Raises:
        SSHConfigError: one makes no sense; the message names it.
    """
    found = SSHConfig((), lines).lookup("")
    for keyword in _FLAGS:
        found.flag(keyword, default=False)
    for keyword in _TIMES:
        found.seconds(keyword)
    found.number("port", 1, 65535)
    found.number("serveralivecountmax")
    if (jumps := found.unless_none("proxyjump")) is not None:
        parse_jumps(jumps)
