"""Questions on a terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from asynctask.cli import prompting
from asynctask.cli.prompting import Asker, has_terminal, read_line
from asynctask.errors import UsageError
from asynctask.ssh.answers import Question
from tests.cli import programs
from tests.cli.programs import Terminal

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

QUESTION = Question("passphrase", "Passphrase of key: ", "web1", "bob")


class Person:
    """Who sits at a terminal."""

    def __init__(self) -> None:
        self._ours, self.terminal = pty.openpty()
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self.terminal)
        self.seen = b""

    def close(self) -> None:
        os.close(self.terminal)
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    async def sees(self, text: bytes) -> None:
        """Wait until something is shown."""
        async with asyncio.timeout(20):
            while text not in self.seen:
                await asyncio.sleep(0.001)
                self.look()

    def look(self) -> bytes:
        """All that is shown."""
        with suppress(BlockingIOError):
            self.seen += os.read(self._ours, 65536)
        return self.seen

    def types(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self.terminal)


class FakeScreen:
    """Writes down when it has to leave the terminal alone."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody at a terminal that counts as ours."""
    monkeypatch.setattr(prompting, "_is_ours", lambda fd: True)
    made = Person()
    yield made
    made.close()


async def test_an_answer_is_not_shown(person: Person) -> None:
    """Nor is it in any repr; afterwards all is as before."""
    before = person.modes
    asker = Asker(path=person.path)
    asking = asyncio.create_task(asker(QUESTION))
    await person.sees(b"Passphrase of key: ")
    was_asking = asker.asking
    person.types("sécret\n".encode())

    answer = await asking

    assert (answer, was_asking, asker.asking) == ("sécret", True, False)
    assert person.look() == b"Passphrase of key: \r\n"
    assert person.modes == before
    assert "cret" not in repr(asker)


async def test_an_answer_that_may_be_shown(person: Person) -> None:
    """The question says so; a server's control characters are written out; bytes come through."""
    asking = asyncio.create_task(Asker(path=person.path).ask("Code\x1b[2J\n? ", echo=True))
    await person.sees(b"? ")
    person.types(b"\xff12\n")

    assert await asking == "\udcff12"
    assert person.look().startswith(b"Code^[[2J ? ")
    assert person.look().endswith(b"12\r\n")


async def test_what_was_typed_before_is_no_answer(person: Person) -> None:
    """It was for somebody else."""
    person.types(b"ls\n")
    async with asyncio.timeout(20):
        while not select.select([person.terminal], [], [], 0)[0]:
            await asyncio.sleep(0.001)
    asking = asyncio.create_task(Asker(path=person.path)(QUESTION))
    await person.sees(b"key: ")
    person.types(b"secret\n")

    assert await asking == "secret"


@pytest.mark.parametrize("keys", [b"\x04", b"\n"])
async def test_no_answer(person: Person, keys: bytes) -> None:
    """Ctrl-D gives none; an empty line is an answer."""
    asking = asyncio.create_task(Asker(path=person.path)(QUESTION))
    await person.sees(b"key: ")
    person.types(keys)

    assert await asking == (None if keys == b"\x04" else "")
    assert person.look() == b"Passphrase of key: \r\n"


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_a_question_is_taken_away(person: Person, how: str) -> None:
    """The terminal is as before, and the next line is the terminal's own."""
    before = person.modes
    asker = Asker(path=person.path)
    asking = asyncio.create_task(asker(QUESTION))
    await person.sees(b"key: ")
    if how == "stop":
        asker.stop()
        assert await asking is None
    else:
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    assert person.modes == before
    assert person.look() == b"Passphrase of key: \r\n"
    asker.stop()


async def test_one_question_at_a_time(person: Person) -> None:
    """The second comes when the first is answered."""
    asker = Asker(path=person.path)
    first, second = (asyncio.create_task(asker.ask(text)) for text in ("one? ", "two? "))
    await person.sees(b"one? ")
    assert b"two?" not in person.look()
    person.types(b"1\n")
    await person.sees(b"two? ")
    person.types(b"2\n")

    assert [await first, await second] == ["1", "2"]


async def test_others_leave_the_terminal_alone(person: Person) -> None:
    """From before the question until it is answered, or taken away."""
    asker, screen = Asker(path=person.path), FakeScreen()
    asker.screen = screen
    asking = asyncio.create_task(asker(QUESTION))
    await person.sees(b"key: ")
    assert screen.calls == ["pause"]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert screen.calls == ["pause", "resume"]


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("password", "Password for bob: ", b"Password for bob (web1 asks): "),
        ("sudo", "sudo password for bob: ", b"sudo password for bob (web1 asks): "),
        ("challenge", "(bob@web1) Code:", b"(bob@web1) Code: "),
    ],
)
async def test_who_asks_is_said(person: Person, kind: str, text: str, shown: bytes) -> None:
    """One sees for which node the answer is needed first."""
    question = Question(kind, text, "web1", "bob")  # type: ignore[arg-type]
    asking = asyncio.create_task(Asker(logins=True, path=person.path)(question))
    await person.sees(b": ")
    person.types(b"x\n")

    assert await asking == "x"
    assert person.look() == shown + b"\r\n"


async def test_nobody_is_asked_to_log_in(person: Person) -> None:
    """Unless the user wants it: a node that has lost a key does not hold up a run."""
    question = Question("password", "Password: ", "web1", "bob")
    assert await Asker(path=person.path)(question) is None
    assert person.look() == b""


async def test_a_terminal_that_goes_away(person: Person) -> None:
    """There is no answer."""
    asking = asyncio.create_task(Asker(path=person.path)(QUESTION))
    await person.sees(b"key: ")
    os.close(person._ours)
    person._ours = -1

    assert await asking is None


async def test_who_was_stopped_asks_on(person: Person) -> None:
    """The shell has set the modes of the terminal as it likes them: they are set again."""
    asking = asyncio.create_task(Asker(path=person.path)(QUESTION))
    await person.sees(b"key: ")
    hidden = person.modes
    shells = termios.tcgetattr(person.terminal)
    shells[3] |= termios.ECHO
    termios.tcsetattr(person.terminal, termios.TCSANOW, shells)
    signal.raise_signal(signal.SIGCONT)
    async with asyncio.timeout(20):
        while person.modes != hidden:
            await asyncio.sleep(0)
    person.types(b"x\n")

    assert await asking == "x"
    assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL


async def test_who_quits_leaves_the_terminal_as_it_was(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGQUIT ends the program at once, and what is typed next is seen again."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *to: killed.append(to))
    before = person.modes
    asking = asyncio.create_task(Asker(path=person.path)(QUESTION))
    await person.sees(b"key: ")
    assert signal.getsignal(signal.SIGQUIT) is not signal.SIG_DFL
    signal.raise_signal(signal.SIGQUIT)
    async with asyncio.timeout(20):
        while not killed:
            await asyncio.sleep(0)

    assert (person.modes, killed) == (before, [(os.getpid(), signal.SIGQUIT)])
    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL
    person.types(b"\n")
    await asking


async def test_no_terminal(tmp_path: Path) -> None:
    """Nobody is asked; what cannot do without says so."""
    asker = Asker(path=str(tmp_path / "none"))

    assert await asker(QUESTION) is None
    with pytest.raises(UsageError) as raised:
        await asker.password("--ask-login", "Password: ")
    assert str(raised.value) == "--ask-login: there is no terminal to ask for the password on"


async def test_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking there would stop us: nobody is asked."""
    person = Person()
    assert not has_terminal(person.path)
    assert await Asker(path=person.path).ask("? ") is None
    assert person.look() == b""
    person.close()
    assert not has_terminal("/dev/null")


async def test_a_password_that_is_needed(person: Person) -> None:
    """Without one there is none; one that was given is not asked for again, nor shown."""
    asker = Asker(path=person.path)
    answers = []
    for keys in (b"\x04", b"secret\n", b""):
        asking = asyncio.create_task(asker.password("-k", "Password: "))
        person.seen = b""
        if keys:
            await person.sees(b"Password: ")
            person.types(keys)
        answers.append(await asking)

    assert answers == [None, "secret", "secret"]
    assert "secret" not in repr(asker)


async def test_a_password_that_is_no_text(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused and not shown."""
    asker = Asker(path=person.path)

    async def typed(*_: object) -> str:
        return "se\0cret"

    monkeypatch.setattr(prompting, "_ask_on", typed)
    with pytest.raises(UsageError, match=r"^-k: a password has no NUL character$"):
        await asker.password("-k", "Password: ")


async def test_a_line_of_a_terminal(person: Person) -> None:
    """A line as it was typed; the descriptor stays as it was; nothing at the end."""
    reading = asyncio.create_task(read_line(person.terminal))
    await asyncio.sleep(0)
    person.types(b"a b\n")
    assert await reading == b"a b\n"
    person.types(b"\x04")
    assert await read_line(person.terminal) == b""
    assert os.get_blocking(person.terminal)


def test_on_a_real_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that controls a program, whatever its standard streams are; Ctrl-C ends the question."""
    script = tmp_path / "asks.py"
    script.write_text(
        "import asyncio, signal, sys\n"
        "from asynctask.cli.loop import run_loop\n"
        "from asynctask.cli.prompting import Asker\n"
        "async def main():\n"
        "    asker = Asker()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, asker.stop)\n"
        "    answers = [await asker.password(f'-{n}', f'{n}? ') for n in (1, 2)]\n"
        "    return 0 if answers == ['secret', None] else 1\n"
        "sys.exit(run_loop(main()))\n"
    )
    monkeypatch.setattr(programs, "PROGRAM", (sys.executable, str(script)))
    null = os.open(os.devnull, os.O_RDWR)
    with Terminal(stdin=null, stdout=null, stderr=null) as terminal:
        terminal.wait_for(b"1? ")
        terminal.press(b"secret\n")
        terminal.wait_for(b"2? ")
        terminal.press(b"\x03")
        assert terminal.wait() == 0
    os.close(null)
