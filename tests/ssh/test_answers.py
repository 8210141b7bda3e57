"""Tests of asynctask.ssh.answers: who is asked, how often, and who gets the answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from asynctask import SSHOptions
from asynctask.errors import AuthenticationError
from asynctask.ssh.answers import Answers, Question, QuestionKind
from asynctask.waiting import Patience
from tests.support import turns

PATIENCE = 10.0
SECRET = "open sesame"


def _answers(prompt: Any = None, **options: Any) -> Answers:
    return Answers(SSHOptions(config=False, prompt=prompt, **options))


def _question(node: str = "n1", kind: QuestionKind = "password", **changes: Any) -> Question:
    return Question(**{"kind": kind, "text": "?", "node": node, "user": "u", **changes})


class Person:
    """Answers when told to, and notes what was asked."""

    def __init__(self, *replies: str | BaseException | None) -> None:
        self.replies = list(replies)
        self.asked: list[Question] = []
        self.may_answer = asyncio.Event()
        self.is_asked = asyncio.Event()
        self.was_cancelled = 0

    async def __call__(self, question: Question) -> str | None:
        self.asked.append(question)
        self.is_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.was_cancelled += 1
            raise
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    @property
    def nodes(self) -> list[str]:
        return [question.node for question in self.asked]


async def _ask_all(answers: Answers, *questions: Question) -> list[str | BaseException | None]:
    asking = [asyncio.create_task(answers.answer(question)) for question in questions]
    return await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), PATIENCE)


def _ready(*replies: str | BaseException | None) -> Person:
    person = Person(*replies)
    person.may_answer.set()
    return person


@pytest.mark.parametrize("kind", ["password", "passphrase"])
async def test_what_is_given_is_used(kind: QuestionKind) -> None:
    """Nobody is asked for what the options have."""
    person = Person()
    answers = _answers(person, **{kind: SECRET})
    assert await answers.answer(_question(kind=kind)) == SECRET
    assert (person.asked, answers.given(kind)) == ([], SECRET)


async def test_nobody_to_ask() -> None:
    """Then there is no answer but what was given."""
    answers = _answers(password=SECRET)
    kinds: tuple[QuestionKind, ...] = ("password", "passphrase", "challenge", "sudo")
    assert [answers.has(kind) for kind in kinds] == [True, False, False, False]
    assert [await answers.answer(_question(kind=kind)) for kind in kinds] == [SECRET, None, None, None]


async def test_one_for_all() -> None:
    """Nodes with the same user share one answer, whenever they need it."""
    person = _ready(SECRET)
    answers = _answers(person)
    questions = [_question(f"n{number}") for number in range(20)]
    assert await _ask_all(answers, *questions) == [SECRET] * 20
    assert await answers.answer(_question("late")) == SECRET
    assert person.asked == [questions[0]]


async def test_questions_that_differ() -> None:
    """Other users, other kinds and other challenges are other questions."""
    person = _ready(*"abcdef")
    answers = _answers(person)
    questions = [
        _question(),
        _question(user="v"),
        _question(kind="sudo"),
        _question(kind="challenge", text="code"),
        _question(kind="challenge", text="colour"),
        _question(kind="passphrase", text="id_rsa"),
    ]
    assert await _ask_all(answers, *questions, *questions) == [*"abcdef"] * 2
    assert person.asked == [
        # A server may ask as if it were us.
        replace(each, text=f"({each.user}@{each.node}) {each.text}") if each.kind == "challenge" else each
        for each in questions
    ]


async def test_one_for_each() -> None:
    """On request each node is asked for, once and one after the other; a passphrase is for all."""
    running: list[int] = [0, 0]

    async def prompt(question: Question) -> str:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0)
        running[0] -= 1
        return question.node

    answers = _answers(prompt, ask_each=True)
    questions = [_question(node) for node in ("n1", "n2", "n1", "n3")]
    assert await _ask_all(answers, *questions) == ["n1", "n2", "n1", "n3"]
    keys = [_question(node, "passphrase") for node in ("n1", "n2")]
    assert await _ask_all(answers, *keys) == ["n1", "n1"]
    assert running == [0, 1]


async def test_a_plain_prompt_is_called_in_a_thread() -> None:
    """It may wait for its user without holding up the loop."""
    threads: list[threading.Thread] = []

    def prompt(question: Question) -> str:
        threads.append(threading.current_thread())
        return SECRET

    assert await _answers(prompt).answer(_question()) == SECRET
    assert [(thread is threading.main_thread(), thread.daemon) for thread in threads] == [(False, True)]
    await asyncio.to_thread(threads[0].join, PATIENCE)


async def test_a_plain_prompt_may_give_an_awaitable() -> None:
    """It is awaited, on the loop."""

    def prompt(question: Question) -> Awaitable[str | None]:
        return _ready(SECRET)(question)

    assert await _answers(prompt).answer(_question()) == SECRET


def _plain(reply: BaseException | None) -> Callable[[Question], str | None]:
    def prompt(question: Question) -> str | None:
        if reply is not None:
            raise reply
        return None

    return prompt


@pytest.mark.parametrize("reply", [None, EOFError()])
@pytest.mark.parametrize("is_async", [False, True])
async def test_declined(reply: BaseException | None, is_async: bool) -> None:
    """No answer is one: nobody is asked again."""
    calls: list[Question] = []
    inner: Any = _ready(reply) if is_async else _plain(reply)

    def plain(question: Question) -> Any:
        calls.append(question)
        return inner(question)

    async def waiting(question: Question) -> Any:
        calls.append(question)
        return await inner(question)

    answers = _answers(waiting if is_async else plain)
    assert await _ask_all(answers, _question("n1"), _question("n2")) == [None, None]
    assert await answers.answer(_question("n3")) is None
    assert len(calls) == 1


async def test_interrupted() -> None:
    """Whoever interrupts a plain prompt declines."""
    assert await _answers(_plain(KeyboardInterrupt())).answer(_question()) is None


@pytest.mark.parametrize("prompt", [_plain(KeyError("x")), _ready(KeyError("x"))])
async def test_a_prompt_that_fails(prompt: Any) -> None:
    """Each node that needed the answer is told."""
    results = await _ask_all(_answers(prompt), _question("n1"), _question("n2"))
    assert [type(each) for each in results] == [AuthenticationError, AuthenticationError]
    reason = "the prompt for a password failed (KeyError: 'x')"
    assert [str(each) for each in results] == [f"n1: {reason}", f"n2: {reason}"]
    assert isinstance(results[0], AuthenticationError)
    assert isinstance(results[0].__cause__, KeyError)


@pytest.mark.parametrize("prompt", [lambda question: SECRET.encode(), _ready(SECRET.encode())])  # type: ignore[arg-type]
async def test_an_answer_of_the_wrong_type(prompt: Any) -> None:
    """It is said, and not shown."""
    with pytest.raises(AuthenticationError) as raised:
        await _answers(prompt).answer(_question())
    assert (
        raised.value.reason
        == "the prompt for a password failed (TypeError: it returned bytes, not str or None)"
    )


async def test_one_that_is_cancelled_disturbs_no_other() -> None:
    """Also if it was the first: the question stays."""
    person = Person(SECRET)
    answers = _answers(person)
    first, second = (asyncio.create_task(answers.answer(_question(node))) for node in ("n1", "n2"))
    await asyncio.wait_for(person.is_asked.wait(), PATIENCE)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    person.may_answer.set()
    assert await asyncio.wait_for(second, PATIENCE) == SECRET
    assert (person.nodes, person.was_cancelled) == (["n1"], 0)


async def test_all_are_cancelled() -> None:
    """An async prompt is, too, and asked again by the next."""
    person = Person(SECRET)
    answers = _answers(person)
    asking = [asyncio.create_task(answers.answer(_question(node))) for node in ("n1", "n2")]
    await asyncio.wait_for(person.is_asked.wait(), PATIENCE)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await turns(3)
    assert person.was_cancelled == 1
    person.may_answer.set()
    assert await asyncio.wait_for(answers.answer(_question("n3")), PATIENCE) == SECRET
    assert person.nodes == ["n1", "n3"]


async def test_a_plain_prompt_outlives_those_who_asked() -> None:
    """Its user is not asked twice."""
    asked: list[str] = []
    may_answer = threading.Event()
    is_asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def prompt(question: Question) -> str:
        asked.append(question.node)
        loop.call_soon_threadsafe(is_asked.set)
        may_answer.wait(PATIENCE)
        return SECRET

    answers = _answers(prompt)
    first = asyncio.create_task(answers.answer(_question("n1")))
    await asyncio.wait_for(is_asked.wait(), PATIENCE)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(answers.answer(_question("n2")))
    await turns(3)
    may_answer.set()
    assert await asyncio.wait_for(second, PATIENCE) == SECRET
    assert asked == ["n1"]


async def test_attempts() -> None:
    """After a wrong answer one can ask again; what was given is not given again."""
    person = _ready("one", "two")
    answers = _answers(person, passphrase="zero")
    replies = [await answers.answer(_question(kind="passphrase"), attempt=number) for number in (0, 1, 2, 1)]
    assert replies == ["zero", "one", "two", "one"]
    assert len(person.asked) == 2


async def test_closed_while_somebody_is_asked() -> None:
    """Who waits has no answer, and nothing is left."""
    person = Person(SECRET)
    answers = _answers(person)
    asking = asyncio.create_task(answers.answer(_question()))
    await asyncio.wait_for(person.is_asked.wait(), PATIENCE)
    await asyncio.wait_for(answers.aclose(), PATIENCE)
    assert await asyncio.wait_for(asking, PATIENCE) is None
    assert person.was_cancelled == 1


async def test_a_clock_stands_still_while_a_person_thinks() -> None:
    """What is left of a timeout is left when the answer is there; a given one takes no time."""
    person = Person(SECRET)
    answers = _answers(person)
    patience = Patience(0.5)
    with patience.running():
        asking = asyncio.create_task(answers.answer(_question(), patience=patience))
        await asyncio.wait_for(person.is_asked.wait(), PATIENCE)
        assert await asyncio.wait([asking], timeout=0.6) == (set(), {asking})
        person.may_answer.set()
        assert await asyncio.wait_for(asking, PATIENCE) == SECRET
    # The clock of a loop may stand still for a step: uvloop's counts milliseconds.
    assert 0 < patience.left <= 0.5


async def test_no_answer_is_shown() -> None:
    """Neither what was given nor what was answered is in any ``repr``."""
    answers = _answers(_ready(SECRET), password=SECRET, passphrase=SECRET)
    await answers.answer(_question(kind="sudo"))
    tasks = list(answers._asked.values())
    shown = f"{answers!r}{vars(answers)!r}{tasks!r}{[task.result() for task in tasks]!r}{_question()!r}"
    assert len(tasks) == 1
    assert SECRET not in shown
