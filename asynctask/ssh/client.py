"""What a connection does when the server asks for more than a key, or its host key is not on record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import asyncssh

from asynctask.ssh.answers import Answers, Question
from asynctask.ssh.hostkeys import KnownHosts, known_as
from asynctask.ssh.recording import Recorder
from asynctask.waiting import Patience

__all__ = ("Client", "Login", "visible")

#: What is kept of a server's words, in characters.
_BANNER_SIZE = 1000
_PROMPT_SIZE = 300
#: What of a peer's words is in a message, in characters.
_MOST_SHOWN = 200
#: More than any server has a use for.
_MOST_PROMPTS = 16
_MOST_ROUNDS = 16

#: Also what turns the direction of writing round.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PASSWORD = re.compile(r"password", re.IGNORECASE)
#: A prompt for a password that is not the one to log in with.
_NEW_PASSWORD = re.compile(r"\b(new|current|old|retype|repeat|again)\b", re.IGNORECASE)
_CODE = re.compile(r"one[- ]?time|\botp\b|\btoken\b|verification", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Login:
    """What all connections to a node have in common."""

    node: str
    user: str
    host: str
    port: int
    alias: str | None
    answers: Answers
    known_hosts: KnownHosts
    recorder: Recorder | None = None
    """Accepts the keys of hosts that are not on record; ``None``: nobody does."""


class Client(asyncssh.SSHClient):
    """The user's side of one connection.

    Attributes:
        shown: the host key that was not among those that asyncssh was told to trust, if it was shown one.
        new_key: the same, if it was accepted because the host is new; to be recorded after the login.
        refusal: why the login cannot go on, if that tells more than asyncssh's error.
        password_sent: whether the server has had the password; if it refuses the login, that was wrong.
    """

    def __init__(self, login: Login, patience: Patience | None = None) -> None:
        self._login = login
        self._patience = patience
        self._banner = ""
        self.password_sent = False
        self._interacts = False
        self._rounds = 0
        self.shown: asyncssh.SSHKey | None = None
        self.new_key: asyncssh.SSHKey | None = None
        self.refusal = ""

    @property
    def banner(self) -> str:
        """What the server said before the login, its beginning, without control characters."""
        return visible(self._banner.strip(), None)

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self._banner += msg[: _BANNER_SIZE - len(self._banner)]

    # -- host keys ----------------------------------------------------------------------------------

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        at = (self._login.host, self._login.port, self._login.alias)
        known, recorder = self._login.known_hosts, self._login.recorder
        self.shown = key
        if known.is_long and known.vouches(*at, key):
            return True
        if recorder is None:
            return False
        if recorder.offer(known, *at, key):
            self.new_key = key
            return True
        if not known.knows(*at):
            self.refusal = f"host key changed: {known_as(*at)} showed another one before in this run"
        return False

    # -- passwords ----------------------------------------------------------------------------------

    async def password_auth_requested(self) -> str | None:
        return await self._password()

    def password_change_requested(self, prompt: str, lang: str) -> Any:
        self._wants_new_password()
        return NotImplemented

    def kbdint_auth_requested(self) -> str | None:
        """Once: what was refused is not tried again."""
        answers = self._login.answers
        if self._interacts or not (answers.has("password") or answers.has("challenge")):
            return None
        self._interacts = True
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Any
    ) -> list[str] | None:
        if len(prompts) > _MOST_PROMPTS:
            self.refusal = f"the server asks {len(prompts)} questions at once"
            return None
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            self.refusal = "the server does not stop asking"
            return None
        responses = []
        for text, echo in prompts:
            response = await self._respond(text, echo)
            if response is None:
                return None
            responses.append(response)
        return responses

    async def _respond(self, text: str, echo: bool) -> str | None:
        if not echo and _PASSWORD.search(text) and not _CODE.search(text):
            if _NEW_PASSWORD.search(text):
                self._wants_new_password()
                return None
            return await self._password()
        return await self._ask("challenge", visible(text[:_PROMPT_SIZE].strip(), None), echo=echo)

    async def _password(self) -> str | None:
        """The password, unless this server has had it: it is then wrong."""
        if self.password_sent:
            return None
        login = self._login
        where = f"{login.user}@{login.node}" if login.answers.each else login.user
        password = await self._ask("password", f"Password for {where}: ")
        self.password_sent = password is not None
        return password

    async def _ask(self, kind: Any, text: str, *, echo: bool = False) -> str | None:
        question = Question(kind, text, self._login.node, self._login.user, echo)
        answer = await self._login.answers.answer(question, patience=self._patience)
        try:
            (answer or "").encode()
        except UnicodeEncodeError:  # which has the answer in it
            self.refusal = "the answer cannot be sent: it has a character that is none in UTF-8"
            return None
        return answer

    def _wants_new_password(self) -> None:
        self.refusal = f"the password of {self._login.user} has expired and must be changed"


def visible(text: str, most: int | None = _MOST_SHOWN) -> str:
    """A peer's words on one line, their control characters escaped: they cannot drive a terminal.

    More than ``most`` characters are cut off; ``None``: none are.
    """
    text = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return shown if most is None or len(shown) <= most else f"{shown[:most]}…"
