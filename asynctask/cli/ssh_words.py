"""Options of the program ``ssh``, as clush's ``-o`` has them: ``"-p 2222 -i key -oCompression=yes"``.

The worker ``ssh`` gets them as lines of configuration, which mean the same; the worker ``openssh`` as they
were written. Nothing is left out in silence: what cannot be followed is an error that names it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from asynctask.errors import UsageError

__all__ = ("SSHWords", "parse", "read_words")

#: Options without a value, and the line of configuration that is the same.
_FLAGS = {
    "4": "AddressFamily=inet",
    "6": "AddressFamily=inet6",
    "A": "ForwardAgent=yes",
    "a": "ForwardAgent=no",
    "C": "Compression=yes",
}
#: Options with a value, and the keyword that takes it.
_VALUES = {
    "b": "BindAddress",
    "c": "Ciphers",
    "i": "IdentityFile",
    "J": "ProxyJump",
    "l": "User",
    "m": "MACs",
    "p": "Port",
}
#: What holds for commands that many nodes run at once in any case, or is about what ``ssh`` says.
_ANYWAY = frozenset("knqTvxy")
#: What makes something else of a connection than a command that is run. Those behind have a value.
_NOT_A_COMMAND = frozenset("fGMNstVXY") | frozenset("DELOQRSWew")
#: What only the system's ``ssh`` can do.
_OPENSSH_ONLY = frozenset("gK") | frozenset("BI")
_SETTING = re.compile(r"[A-Za-z0-9]+=")
_WITH_VALUE = frozenset(_VALUES) | frozenset("DELOQRSWewBIFo")


@dataclass(frozen=True, slots=True)
class SSHWords:
    """What options of ``ssh`` say."""

    settings: tuple[str, ...] = ()
    """Lines of configuration; see :attr:`SSHOptions.settings <asynctask.SSHOptions.settings>`."""
    config: str | None = None
    """The file of ``-F``; ``"none"``: none."""

    @property
    def asks_nobody(self) -> bool:
        """Whether ``BatchMode`` is on: no prompt."""
        return _first(self.settings, "batchmode") in {"yes", "true"}


def parse(text: str) -> list[str]:
    """The words of options that stand in one text, as a shell splits them.

    A text that is ``KEY=VALUE`` is one setting, as after ``ssh -o``.

    Raises:
        UsageError: a quotation mark is missing.
    """
    if _SETTING.match(text):
        return ["-o", text]
    try:
        return shlex.split(text)
    except ValueError as exc:
        raise UsageError(f"-o {text!r}: {str(exc).lower()}; ssh's options, as a shell reads them") from exc


def read_words(text: str, worker: str = "ssh") -> SSHWords:
    """Understand options of ``ssh``.

    Args:
        text: as in ``-o`` or ``ssh_options``.
        worker: for ``"openssh"`` it is enough that they change nothing of what runs; pass on what
            :func:`parse` gives.

    Raises:
        UsageError: there is no such option, or it cannot be followed; the message names it.
    """
    settings: list[str] = []
    config: str | None = None
    for letter, value in _options(parse(text)):
        if letter in _NOT_A_COMMAND:
            raise _refused(f"-{letter}", "it is not for commands on many nodes")
        if letter in _OPENSSH_ONLY and worker != "openssh":
            raise _refused(f"-{letter}", "only the system's ssh can do it: -R openssh")
        if letter == "F":
            config = value
        elif letter == "o":
            settings.append(_setting(value, worker))
        elif letter in _FLAGS:
            settings.append(_FLAGS[letter])
        elif letter in _VALUES:
            settings.append(_setting(f"{_VALUES[letter]}={_quoted(_VALUES[letter], value)}", worker))
        elif letter not in _ANYWAY | _OPENSSH_ONLY:
            raise _refused(f"-{letter}", "ssh has no such option")
    return SSHWords(tuple(settings), config)


def _check(setting: str) -> None:
    from asynctask.errors import SSHConfigError
    from asynctask.ssh.config import check_settings

    try:
        check_settings([setting])
    except SSHConfigError as exc:
        reason = str(exc).removeprefix("SSH configuration settings line 1: ")
        raise _refused(f"-o {setting}", reason) from exc


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Letters with their values, as ``getopt`` finds them: ``-4Ap 22`` are three."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or len(word) == 1 or word == "--":
            raise UsageError(
                f"ssh option {word!r}: options begin with -; nodes and commands have their own place"
            )
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in _WITH_VALUE:
                yield letter, ""
                continue
            value = letters or next(rest, None)
            if value is None:
                raise UsageError(f"ssh option -{letter}: it needs a value")
            yield letter, value
            letters = ""


def _setting(setting: str, worker: str) -> str:
    """A line of configuration that can be followed."""
    from asynctask.ssh.config_keywords import is_reported
    from asynctask.ssh.config_parse import read_settings

    _check(setting)
    (found,) = read_settings([setting]).sections[0].items
    keyword = getattr(found, "keyword", "")
    if keyword in {"remotecommand", "sessiontype", "forkafterauthentication", "stdinnull", "requesttty"}:
        raise _refused(f"-o {setting}", "it changes what runs")
    value = " ".join(getattr(found, "values", ()))
    if worker != "openssh" and is_reported(keyword, value, "") is not None:
        what = "only the system's ssh can do it: -R openssh"
        raise _refused(f"-o {setting}", what if keyword == keyword.lower() else "ssh has no such keyword")
    return setting


def _quoted(keyword: str, value: str) -> str:
    """A value in a line of configuration; in a ``ProxyJump`` the rest of the line is the value."""
    if keyword == "ProxyJump" or not any(char in value for char in " \t\"'\\#"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _first(settings: tuple[str, ...], keyword: str) -> str:
    for setting in settings:
        name, _, value = setting.replace("=", " ", 1).strip().partition(" ")
        if name.lower() == keyword:
            return value.strip().lower()
    return ""


def _refused(option: str, why: str) -> UsageError:
    return UsageError(f"ssh option {option}: {why}")
