"""Passwords, passphrases and answers: those that were given, and those of a prompt, each asked for once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Hashable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import anyio

from asynctask.errors import AuthenticationError
from asynctask.ssh.options import Prompt, SSHOptions
from asynctask.waiting import Patience

__all__ = ("Answers", "Question", "QuestionKind")


QuestionKind = Literal["password", "passphrase", "challenge", "sudo"]

_CLOSE_TIMEOUT = 1.0  # seconds for an async prompt to end


@dataclass(frozen=True, slots=True)
class Question:
    """What :attr:`~asynctask.SSHOptions.prompt` is asked."""

    kind: QuestionKind
    """``"password"`` to log in; ``"passphrase"`` of a private key; ``"challenge"``: something else that a
    server asks, as a code; ``"sudo"``: the password for privileges on a node."""
    text: str
    """What to show. A server's own words have their control characters escaped."""
    node: str
    """The node that is first to need the answer; with ``ask_each`` the only one that gets it."""
    user: str
    """Who logs in."""
    echo: bool = False
    """Whether the answer may be shown while it is typed."""


class _Secret:
    """An answer that no ``repr`` shows, also not one of a future that has it."""

    __slots__ = ("text",)

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<an answer>"


class Answers:
    """The answers of a run.

    One question is asked at a time, and each once: for all nodes with the same user together, or with
    ``ask_each`` for each node; a key's passphrase always once. Whoever needs the same answer waits for it,
    too. ``None`` is an answer: nobody is asked again.

    Attributes:
        each: whether each node is asked for.
    """

    def __init__(self, options: SSHOptions) -> None:
        self._prompt = options.prompt
        self.each = options.ask_each
        self._given = {"password": _Secret(options.password), "passphrase": _Secret(options.passphrase)}
        self._asked: dict[Hashable, asyncio.Task[_Secret]] = {}
        self._wanted: dict[Hashable, int] = {}
        self._one_at_a_time = anyio.Lock()

    def has(self, kind: QuestionKind) -> bool:
        """Whether there can be an answer: one was given, or there is somebody to ask."""
        return self._prompt is not None or self.given(kind) is not None

    def given(self, kind: QuestionKind) -> str | None:
        """The password or passphrase of the options."""
        return self._given[kind].text if kind in self._given else None

    async def answer(
        self, question: Question, *, attempt: int = 0, patience: Patience | None = None
    ) -> str | None:
        """The answer; ``None`` if there is none.

        Args:
            question: what is needed.
            attempt: how often an answer was wrong; each attempt is a question of its own. What was given is
                right or not, so it stands for the first attempt only.
            patience: stands still while a person is asked.

        Raises:
            AuthenticationError: the prompt has failed, which each node is told that needs its answer.

        Has no timeout of its own. When all who wait are cancelled an async prompt is, too; a plain one goes
        on in its thread, and its answer counts.
        """
        if attempt == 0 and (given := self.given(question.kind)) is not None:
            return given
        prompt = self._prompt
        if prompt is None:
            return None
        key = (*self._about(question), attempt)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(prompt, question))
            task.add_done_callback(_look_at)
        if not task.done():
            await self._wait(key, task, patience)
        if task.cancelled():
            return None
        try:
            return task.result().text
        except Exception as exc:
            reason = f"the prompt for a {question.kind} failed ({type(exc).__name__}: {exc})"
            raise AuthenticationError(question.node, reason) from exc

    async def aclose(self) -> None:
        """Ask no more. A plain prompt that still waits for its user is left alone."""
        tasks = [task for task in self._asked.values() if not task.done()]
        self._asked.clear()
        for task in tasks:
            task.cancel()
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)

    def _about(self, question: Question) -> tuple[Hashable, ...]:
        """What tells questions apart."""
        if question.kind == "passphrase":
            return (question.kind, question.text)
        text = question.text if question.kind == "challenge" else ""
        return (question.kind, question.user, text, question.node if self.each else "")

    async def _wait(self, key: Hashable, task: asyncio.Task[_Secret], patience: Patience | None) -> None:
        self._wanted[key] = self._wanted.get(key, 0) + 1
        try:
            with nullcontext() if patience is None else patience.paused():
                await asyncio.wait([task])
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key]
                if not task.done() and _is_async(self._prompt):
                    self._asked.pop(key, None)
                    task.cancel()

    async def _ask(self, prompt: Prompt, question: Question) -> _Secret:
        if question.kind == "challenge":  # a server may ask as if it were us
            question = replace(question, text=f"({question.user}@{question.node}) {question.text}")
        async with self._one_at_a_time:
            try:
                answer: Any = prompt(question) if _is_async(prompt) else await _in_thread(prompt, question)
                if inspect.isawaitable(answer):
                    answer = await answer
            except EOFError:
                answer = None
            if answer is not None and not isinstance(answer, str):
                raise TypeError(f"it returned {type(answer).__name__}, not str or None")
            return _Secret(answer)


def _look_at(task: asyncio.Task[_Secret]) -> None:
    """Keep asyncio from reporting an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


def _is_async(prompt: Prompt | None) -> bool:
    call = getattr(prompt, "__call__", None)  # noqa: B004 - of an object that can be called
    return inspect.iscoroutinefunction(prompt) or inspect.iscoroutinefunction(call)


async def _in_thread(prompt: Prompt, question: Question) -> Any:
    """Call a prompt in a thread that nobody waits for at the end of the program: its user may be away."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[_Secret | Any, BaseException | None]] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((answer, error))

    def call() -> None:
        answer, error = None, None
        try:
            answer = prompt(question)
        except KeyboardInterrupt:  # it can only mean this question here
            pass
        except BaseException as exc:
            error = exc if isinstance(exc, Exception) else RuntimeError(type(exc).__name__)
        with suppress(RuntimeError):  # the loop is closed: nobody needs the answer any more
            loop.call_soon_threadsafe(settle, _Secret(answer) if isinstance(answer, str) else answer, error)

    threading.Thread(target=call, name="asynctask prompt", daemon=True).start()
    answer, error = await done
    if error is not None:
        raise error
    return answer.text if isinstance(answer, _Secret) else answer
