"""Tests of asynctask.ssh.client: logging in with passwords and answers, and new host keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask import SSHOptions
from asynctask.errors import AuthenticationError
from asynctask.ssh.answers import Answers, Question
from asynctask.ssh.client import Client, Login, visible
from asynctask.ssh.hostkeys import KnownHosts
from asynctask.ssh.recording import Recorder
from asynctask.testing.clientfiles import generate_key
from tests.ssh.servers import NODE

PATIENCE = 10.0
SECRET = "open sesame"
HOST_KEY, OTHER_KEY, CLIENT_KEY = (generate_key("") for _ in range(3))
NOTHING: tuple[Any, ...] = ([],) * 7

#: What a server asks in one round: its prompts, each with whether the answer is shown.
Round = list[tuple[str, bool]]


class Server(asyncssh.SSHServer):
    """Takes passwords, and answers to rounds of questions; notes all it is sent."""

    def __init__(
        self,
        *,
        password: str | None = None,
        expired: bool = False,
        rounds: list[tuple[Round, list[str]]] | None = None,
        keys: bool = False,
        banner: str = "",
    ) -> None:
        self.password = password
        self.expired = expired
        self.rounds = rounds
        self.keys = keys
        self.banner = banner
        self.seen: list[Any] = []
        self._round = -1

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if self.banner:
            self._connection.send_auth_banner(self.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return self.keys

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return self.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        self.seen.append(password)
        if self.expired:
            raise asyncssh.PasswordChangeRequired("choose another")
        return password == self.password

    def kbdint_auth_supported(self) -> bool:
        return self.rounds is not None

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        self._round = 0
        return "name", "instructions", "en", self._rounds[0][0]

    def validate_kbdint_response(self, username: str, responses: Any) -> Any:
        self.seen.append(list(responses))
        if list(responses) != self._rounds[self._round][1]:
            return False
        self._round += 1
        if self._round == len(self._rounds):
            return True
        return "", "", "en", self._rounds[self._round][0]

    @property
    def _rounds(self) -> list[tuple[Round, list[str]]]:
        assert self.rounds is not None
        return self.rounds


class Person:
    """Answers with a word for each kind of question, and notes the questions."""

    def __init__(self, **replies: str | None) -> None:
        self.replies = replies
        self.asked: list[Question] = []

    async def __call__(self, question: Question) -> str | None:
        self.asked.append(question)
        return self.replies[question.kind]


def _client(prompt: Any = None, recorder: Recorder | None = None, **changes: Any) -> Client:
    options = {"password": None, "ask_each": False, **changes}
    known = options.pop("known_hosts", KnownHosts([]))
    answers = Answers(SSHOptions(config=False, prompt=prompt, **options))
    return Client(Login("n1", "tester", NODE, 22, None, answers, known, recorder))


@asynccontextmanager
async def _connected(server: Server, client: Client, **options: Any) -> AsyncIterator[None]:
    """A connection to the server, logged in with the client."""
    listener = await asyncssh.create_server(
        lambda: server, NODE, 0, server_host_keys=[options.pop("host_key", HOST_KEY)]
    )
    try:
        settings = {"known_hosts": None, "client_keys": None, "config": None, "agent_path": None, **options}
        async with asyncio.timeout(PATIENCE):
            connection, _ = await asyncssh.create_connection(
                lambda: client, NODE, listener.get_port(), username="tester", **settings
            )
        async with connection:
            yield
    finally:
        listener.close()
        await listener.wait_closed()


async def _logs_in(server: Server, client: Client, **options: Any) -> bool:
    try:
        async with _connected(server, client, **options):
            return True
    except asyncssh.PermissionDenied:
        return False


# -- passwords --------------------------------------------------------------------------------------


async def test_a_password_that_is_given() -> None:
    """It is sent, and nobody is asked."""
    server, person = Server(password=SECRET), Person()
    assert await _logs_in(server, _client(person, password=SECRET))
    assert (server.seen, person.asked) == ([SECRET], [])


@pytest.mark.parametrize(
    ("each", "text"), [(False, "Password for tester: "), (True, "Password for tester@n1: ")]
)
async def test_a_password_that_is_asked_for(each: bool, text: str) -> None:
    """The question says for whom."""
    server, person = Server(password=SECRET), Person(password=SECRET)
    assert await _logs_in(server, _client(person, ask_each=each))
    assert person.asked == [Question("password", text, "n1", "tester", False)]


@pytest.mark.parametrize("rounds", [None, [([("Password: ", False)], [SECRET])]])
async def test_a_wrong_password_is_sent_once(rounds: Any) -> None:
    """Neither a second time nor in another way: a server counts."""
    server = Server(password=SECRET, rounds=rounds)
    client = _client(password="wrong")
    assert not client.password_sent
    assert not await _logs_in(server, client)
    assert server.seen == (["wrong"] if rounds is None else [["wrong"]])
    assert client.password_sent


async def test_a_prompt_that_is_declined() -> None:
    """The login is refused, and one question was asked."""
    server, person = (
        Server(password=SECRET, rounds=[([("Password: ", False)], [SECRET])]),
        Person(password=None),
    )
    assert not await _logs_in(server, _client(person))
    assert (server.seen, len(person.asked)) == ([], 1)


async def test_nobody_to_ask() -> None:
    """Nothing is sent."""
    server = Server(password=SECRET, rounds=[([("Password: ", False)], [SECRET])])
    assert not await _logs_in(server, _client())
    assert server.seen == []


async def test_a_prompt_that_fails() -> None:
    """Its error ends the login, as ours."""
    with pytest.raises(AuthenticationError) as raised:
        await _logs_in(Server(password=SECRET), _client(Person()))
    assert str(raised.value) == "n1: the prompt for a password failed (KeyError: 'password')"


async def test_an_expired_password() -> None:
    """It is not changed by us, and the reason is kept."""
    client = _client(password=SECRET)
    assert not await _logs_in(Server(password=SECRET, expired=True), client)
    assert client.refusal == "the password of tester has expired and must be changed"


async def test_a_key_comes_first() -> None:
    """With a key that is taken nobody is asked."""
    server, person = Server(keys=True, password=SECRET), Person()
    assert await _logs_in(server, _client(person), client_keys=[CLIENT_KEY])
    assert (server.seen, person.asked) == ([], [])


# -- keyboard-interactive ---------------------------------------------------------------------------


async def test_a_password_asked_interactively() -> None:
    """As PAM does it: the password answers it, and a round without questions is answered."""
    rounds: list[tuple[Round, list[str]]] = [
        ([], []),
        ([("(tester@n1) Password: ", False)], [SECRET]),
        ([], []),
    ]
    server = Server(rounds=rounds)
    assert await _logs_in(server, _client(password=SECRET))
    assert server.seen == [[], [SECRET], []]


async def test_a_second_factor() -> None:
    """A code is another question, its text shown without what could drive a terminal."""
    prompts: Round = [("Password: ", False), ("\x1b[31mVerification code\x07: ", True)]
    server, person = Server(rounds=[(prompts, [SECRET, "123"])]), Person(password=SECRET, challenge="123")
    assert await _logs_in(server, _client(person))
    assert [(each.kind, each.text, each.echo) for each in person.asked] == [
        ("password", "Password for tester: ", False),
        ("challenge", "(tester@n1) \\x1b[31mVerification code\\x07:", True),
    ]


@pytest.mark.parametrize(
    "text", ["One-time password (OATH) for `tester': ", "Token password: ", "Passcode: ", "Response: "]
)
async def test_codes_are_not_the_password(text: str) -> None:
    """They are asked for, and without somebody to ask the password is not betrayed."""
    server, person = Server(rounds=[([(text, False)], ["7"])]), Person(challenge="7")
    assert await _logs_in(server, _client(person, password=SECRET))
    other = Server(rounds=[([(text, False)], ["7"])])
    assert not await _logs_in(other, _client(password=SECRET))
    assert (server.seen, other.seen) == ([["7"]], [])


async def test_a_password_that_would_be_shown() -> None:
    """A server that wants it echoed does not get it unasked."""
    server = Server(rounds=[([("Password: ", True)], [SECRET])])
    assert not await _logs_in(server, _client(password=SECRET))
    assert server.seen == []


@pytest.mark.parametrize("text", ["New password: ", "Retype new password: ", "Current password: "])
async def test_an_interactive_change_of_password(text: str) -> None:
    """It is refused, and the reason is kept."""
    rounds: list[tuple[Round, list[str]]] = [([("Password: ", False)], [SECRET]), ([(text, False)], [])]
    server, client = Server(rounds=rounds), _client(Person(), password=SECRET)
    assert not await _logs_in(server, client)
    assert server.seen == [[SECRET]]
    assert client.refusal == "the password of tester has expired and must be changed"


@pytest.mark.parametrize("given", [False, True])
async def test_a_password_that_is_no_text(given: bool) -> None:
    """It is not sent, and no error has it."""
    secret = "swordfish\udcff"
    client = _client(None, password=secret) if given else _client(Person(password=secret))
    server = Server(password=SECRET)
    assert not await _logs_in(server, client)
    assert (server.seen, client.password_sent) == ([], False)
    assert client.refusal == "the answer cannot be sent: it has a character that is none in UTF-8"


async def test_more_questions_than_sense() -> None:
    """None is answered."""
    server, client = Server(rounds=[([("Colour? ", True)] * 17, [])]), _client(Person(challenge="red"))
    assert not await _logs_in(server, client)
    assert (server.seen, client.refusal) == ([], "the server asks 17 questions at once")


async def test_questions_without_an_end() -> None:
    """Nobody is asked for ever, whether there is something to answer or not."""
    for asked in ([("Code: ", True)], []):
        rounds: list[tuple[Round, list[str]]] = [(asked, ["7"] * len(asked))] * 17
        server, client = Server(rounds=rounds), _client(Person(challenge="7"))
        assert not await _logs_in(server, client)
        assert (len(server.seen), client.refusal) == (16, "the server does not stop asking")


# -- what the server says ---------------------------------------------------------------------------


async def test_a_banner() -> None:
    """It is kept for messages, on one line."""
    client = _client()
    assert not await _logs_in(Server(banner="Closed\r\n\n for \x1b]0;x\x07 repair\n"), client)
    assert client.banner == "Closed / for \\x1b]0;x\\x07 repair"


async def test_a_long_banner() -> None:
    """Only its beginning is kept, however often more comes."""
    client = _client()
    for _ in range(3):
        client.auth_banner_received("x" * 600, "en")
    assert client.banner == "x" * 1000


def test_visible() -> None:
    """Controls, what turns writing round, and halves of characters are escaped; the rest stays."""
    assert visible("ä\t\x9b1m\u202ex\u2066\ud800 漢\n\n b ") == "ä\\t\\x9b1m\\u202ex\\u2066\\ud800 漢 / b"


def test_visible_and_not_too_much() -> None:
    """What escaping makes longer counts."""
    assert visible("x" * 200) == "x" * 200
    assert visible("\a" * 200) == "\\x07" * 50 + "…"
    assert visible("\a" * 200, None) == "\\x07" * 200


# -- host keys --------------------------------------------------------------------------------------


def _trusting(known: KnownHosts, **changes: Any) -> Any:
    trusted = known.trusted(NODE, 22, None, **changes)
    return lambda host, addr, port: trusted


async def test_a_new_host() -> None:
    """Its key is accepted, for that connection and the next ones, and is there to be recorded."""
    recorder, known = Recorder(None), KnownHosts([])
    for _ in range(2):
        client = _client(recorder=recorder, password=SECRET)
        assert await _logs_in(Server(password=SECRET), client, known_hosts=_trusting(known))
        assert client.new_key is not None
        assert client.new_key.public_data == HOST_KEY.public_data


async def test_a_new_host_that_changes() -> None:
    """A second key in the same run is refused, before any password is sent."""
    recorder, known = Recorder(None), KnownHosts([])
    assert await _logs_in(
        Server(password=SECRET), _client(recorder=recorder, password=SECRET), known_hosts=_trusting(known)
    )
    server, client = Server(password=SECRET), _client(recorder=recorder, password=SECRET)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await _logs_in(server, client, known_hosts=_trusting(known), host_key=OTHER_KEY)
    assert (server.seen, client.new_key) == ([], None)
    assert client.refusal == f"host key changed: {NODE} showed another one before in this run"
    assert client.shown is not None
    assert client.shown.public_data == OTHER_KEY.public_data


async def test_strict() -> None:
    """Without a recorder no new key is accepted."""
    client = _client(password=SECRET)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await _logs_in(Server(password=SECRET), client, known_hosts=_trusting(KnownHosts([])))
    assert (client.new_key, client.refusal) == (None, "")


async def test_a_key_on_one_of_many_hashed_lines(tmp_path: Path) -> None:
    """It is found by the key that was shown."""
    file = tmp_path / "known_hosts"
    for key, accepted in ((HOST_KEY, True), (OTHER_KEY, False)):
        file.unlink(missing_ok=True)
        writer = Recorder(file, hashed=True)
        others = (writer.record("n", f"web{number}", 22, None, HOST_KEY) for number in range(300))
        await asyncio.gather(writer.record("n", NODE, 22, None, key), *others)
        known = KnownHosts([file])
        client = _client(known_hosts=known, password=SECRET)
        trusted = _trusting(known, scan=False)
        assert trusted("", "", 0) == NOTHING
        if accepted:
            assert await _logs_in(Server(password=SECRET), client, known_hosts=trusted)
        else:
            with pytest.raises(asyncssh.HostKeyNotVerifiable):
                await _logs_in(Server(password=SECRET), client, known_hosts=trusted)
