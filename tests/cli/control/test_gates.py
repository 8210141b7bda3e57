"""Tests of asynctask.cli.control.gates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from asynctask.cli.control.gates import Check, Finished, pass_gate
from tests.ssh.processes import alive
from tests.support import children

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

FIRST = Finished(batch=1, nodes=("web1", "web2", "db1"), done=3, failed=1)


class Shown:
    """What was written."""

    def __init__(self) -> None:
        self.data = b""
        self.news = asyncio.Event()

    async def write(self, data: bytes) -> None:
        self.data += data
        self.news.set()


# -- the command ------------------------------------------------------------------------------------


async def test_what_it_is_told() -> None:
    """By variables, beside those that there are anyway."""
    shown = Shown()
    command = 'echo "$ASYNCTASK_BATCH $ASYNCTASK_DONE $ASYNCTASK_FAILED $ASYNCTASK_NODES $HOME"'
    assert await Check(command, shown.write).run(FIRST) is None
    assert shown.data == f"1 3 1 db1,web[1-2] {os.environ['HOME']}\n".encode()


async def test_what_it_prints_is_shown() -> None:
    """Both streams, as bytes; percent signs are no placeholders."""
    shown = Shown()
    assert await Check(r"printf '\377%%\n'; echo 'err' >&2; printf end", shown.write).run(FIRST) is None
    assert shown.data == b"\xff%\nerr\nend\n"


async def test_it_reads_nothing() -> None:
    """The standard input is for the nodes."""
    shown = Shown()
    assert await Check("cat; echo over", shown.write).run(FIRST) is None
    assert shown.data == b"over\n"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("exit 3", "--check after batch 1: failed with exit code 3"),
        ("kill -9 $$", "--check after batch 1: killed by SIGKILL"),
        ("no-such-command 2>&-", "--check after batch 1: failed with exit code 127"),
    ],
)
async def test_what_is_wrong(command: str, problem: str) -> None:
    """In words."""
    assert await Check(command, Shown().write).run(FIRST) == problem


async def test_it_takes_too_long() -> None:
    """It is ended."""
    check = Check("exec sleep 1000", Shown().write, timeout=0.05)
    assert await check.run(FIRST) == "--check after batch 1: timed out"
    assert children() == set()


async def test_nodes_that_no_variable_can_hold() -> None:
    """The check runs all the same."""
    shown = Shown()
    nodes = tuple("".join(letters) * 100 for letters in permutations("abcdefg", 4))[:700]
    finished = Finished(batch=2, nodes=nodes, done=700, failed=0)
    assert await Check('echo "${ASYNCTASK_NODES-none} $ASYNCTASK_DONE"', shown.write).run(finished) is None
    assert shown.data == b"none 700\n"


async def test_aborting_ends_its_whole_group() -> None:
    """As Ctrl-C does; what was printed by then is shown."""
    shown = Shown()
    check = Check("sleep 1000 & echo $!; wait", shown.write)
    running = asyncio.create_task(check.run(FIRST))
    await shown.news.wait()
    check.abort()
    assert await running == "--check after batch 1: aborted"
    assert not alive(int(shown.data))


async def test_killing_one_that_does_not_react() -> None:
    """A second Ctrl-C."""
    shown = Shown()
    check = Check("trap '' TERM; echo $$; while :; do sleep 0.02; done", shown.write)
    running = asyncio.create_task(check.run(FIRST))
    await shown.news.wait()
    check.abort()
    check.abort(kill=True)
    assert await running == "--check after batch 1: aborted"
    assert not alive(int(shown.data))


async def test_cancelling_ends_it() -> None:
    """And waits until it is gone."""
    shown = Shown()
    running = asyncio.create_task(Check("echo $$; exec sleep 1000", shown.write).run(FIRST))
    await shown.news.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not alive(int(shown.data))


async def test_aborting_one_that_does_not_run() -> None:
    """There is nothing to do."""
    check = Check("true", Shown().write)
    check.abort()
    assert await check.run(FIRST) is None


async def test_what_it_prints_cannot_be_shown() -> None:
    """It counts as a check that did not succeed."""

    async def write(data: bytes) -> None:
        raise OSError("no room")

    assert await Check("echo hello", write).run(FIRST) == "--check after batch 1: no room"


# -- what comes of it -------------------------------------------------------------------------------


class User:
    """Answers questions, in this order."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = list(answers)
        self.questions: list[str] = []

    async def ask(self, question: str) -> str | None:
        self.questions.append(question)
        return self._answers.pop(0)


async def gate(problems: Sequence[str | None], user: User | None) -> tuple[str | None, int]:
    """Why the run ends, and how often was checked."""
    left = list(problems)

    async def check() -> str | None:
        return left.pop(0)

    why = await pass_gate(check, None if user is None else user.ask)
    return why, len(problems) - len(left)


async def test_all_is_well() -> None:
    """Nobody is asked."""
    user = User()
    assert (await gate([None], user), user.questions) == ((None, 1), [])


@pytest.mark.parametrize("user", [None, User(None)])
async def test_nobody_can_be_asked(user: User | None) -> None:
    """The run ends."""
    assert await gate(["boom"], user) == ("boom", 1)


async def test_what_is_over_is_not_checked_again() -> None:
    """It is not offered, and no yes."""
    user = User("retry")
    assert await pass_gate(_boom, user.ask, repeatable=False) == "boom"
    assert user.questions == ["asynctask: boom. Continue? [y/N] "]


async def _boom() -> str:
    return "boom"


@pytest.mark.parametrize("answer", ["", "n", "no", "yeah", "x"])
async def test_the_user_does_not_want_to_go_on(answer: str) -> None:
    """Whatever is no clear yes is a no."""
    user = User(answer)
    assert await gate(["boom"], user) == ("boom", 1)
    assert user.questions == ["asynctask: boom. Continue? [y/N/retry] "]


@pytest.mark.parametrize("answer", ["y", "Yes", "YES"])
async def test_the_user_wants_to_go_on(answer: str) -> None:
    """In spite of it."""
    assert await gate(["boom"], User(answer)) == (None, 1)


async def test_the_user_wants_to_check_again() -> None:
    """As often as it takes."""
    assert await gate(["boom", "boom", None], User("retry", "R")) == (None, 3)
    assert await gate(["boom", "crash"], User("r", "n")) == ("crash", 2)


async def test_a_check_at_work(tmp_path: Path) -> None:
    """Both together: it is repaired while the user is asked."""

    async def ask(question: str) -> str:
        (tmp_path / "repaired").touch()
        return "retry"

    check = Check(f"test -e {tmp_path}/repaired", Shown().write)
    assert await pass_gate(lambda: check.run(FIRST), ask) is None
