"""File names and commands in a host's configuration, with their tokens expanded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from asynctask.ssh.config import HostSettings, expand_tokens, expand_user, standard_tokens

__all__ = ("ConfigPaths",)

#: How OpenSSH writes a variable of the environment in a path.
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class ConfigPaths:
    """Those of one host.

    Args:
        plain: names without tokens or variables that were expanded before, for all hosts.
    """

    def __init__(
        self,
        settings: HostSettings,
        plain: dict[str, Path],
        node: str,
        host: str,
        port: int,
        user: str,
        local_user: str,
    ) -> None:
        self._settings = settings
        self._plain = plain
        self._about = (node, host, port, user, local_user)

    @cached_property
    def _tokens(self) -> dict[str, str]:
        settings = self._settings
        jump = settings.unless_none("proxyjump") or ""
        return standard_tokens(*self._about, alias=settings.get("hostkeyalias"), jump=jump)

    def all(self, keyword: str) -> tuple[Path, ...]:
        """One file a value; ``none`` is none."""
        return tuple(self.one(text) for text in self._settings.get_all(keyword) if text.lower() != "none")

    def listed(self, keyword: str, default: Sequence[str]) -> tuple[Path, ...]:
        """Several files in one value."""
        names = self._settings.get_all(keyword) or default
        return tuple(self.one(name) for name in names if name.lower() != "none")

    def text(self, keyword: str) -> str | None:
        """A value with its tokens expanded; ``none`` is none."""
        text = self._settings.unless_none(keyword)
        return expand_tokens(text, self._tokens) if text is not None and "%" in text else text

    def one(self, text: str) -> Path:
        """A name with its tokens, variables and ``~`` expanded."""
        if "%" in text or "$" in text:
            text = expand_tokens(text, self._tokens)
            text = _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), text)
            return expand_user(text)
        path = self._plain.get(text)
        if path is None:
            path = self._plain[text] = expand_user(text)
        return path
