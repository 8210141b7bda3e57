"""Tests of the program that speaks for a node, run by several shells, without a connection."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from asynctask.manager.launching import Order
from asynctask.manager.remote.keeper import KEEPER
from asynctask.manager.remote.post import BOOTSTRAP, POST
from asynctask.manager.remote.script import check_script, run_script
from asynctask.manager.remote.wire import Decoder, Line, Message, order
from asynctask.manager.template import ProcessTemplate
from tests.manager.remote.listening import end_all, lives
from tests.manager.remote.shells import SHELLS, path_of

pytestmark = pytest.mark.one_loop("there is no loop in it")

_KEEPER_WORDS = "6000 TERM 2 1 pipe pipe 16384 1024 1000000"


class Post:
    """A post that runs here.

    Args:
        home: its home directory.
        path: where it finds its programs.
        login: the shell that the user has.
        settings: of the post.
    """

    def __init__(self, home: Path, path: str, login: str = "sh", **settings: object) -> None:
        known = {
            "manager": "tests",
            "node": "n1",
            "owner": "me",
            "nonce": "cafe",
            "window": 100_000,
            "piece": 50_000,
            "stale": 9000,
            "patience": 1,
        }
        lines = [f"{name}={value}" for name, value in {**known, **settings}.items()]
        self.process = subprocess.Popen(
            [login, "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": path, "HOME": str(home)},
            cwd=home,
        )
        self._decoder = Decoder("cafe")
        self._heard: list[Message] = []
        program = "\n".join([*lines, f"keeper={shlex.quote(KEEPER)}", POST, ".", ""])
        self.say(program.encode())

    def say(self, line: bytes) -> None:
        """Give an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def ask(self, *words: object, data: bytes | None = None) -> str:
        """Give an order, and wait for the answer."""
        self.say(order(*words, data=data))
        return self.until("r").text

    def until(self, verb: str) -> Line:
        """Wait for the next of this kind; what else comes is kept."""
        while True:
            for message in self._heard:
                if isinstance(message, Line) and message.verb == verb:
                    self._heard.remove(message)
                    return message
            self._read()

    def _read(self) -> None:
        assert self.process.stdout is not None
        data = self.process.stdout.read1()  # type: ignore[attr-defined]
        assert data, "it has ended"
        self._heard += self._decoder.feed(data)

    def output(self, enough: int) -> bytes:
        """Wait for so many bytes of output."""
        while (
            len(found := b"".join(each.data for each in self._heard if not isinstance(each, Line))) < enough
        ):
            self._read()
        return found

    def close(self) -> None:
        """End it as a lost connection does."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


Posts = Callable[..., Post]


@pytest.fixture
def posts(tmp_path: Path) -> Iterator[Posts]:
    """Starts posts, which are ended."""
    with ExitStack() as closing:
        closing.callback(end_all, tmp_path)

        def make(shell: str = "dash", path: str = "", login: str = "sh", **settings: object) -> Post:
            post = Post(tmp_path, path or path_of(shell), login, **settings)
            closing.callback(post.close)
            return post

        yield make


def _launch(post: Post, seq: int, command: str, *, index: int = 0, token: str = "") -> list[str]:
    it = Order(ProcessTemplate("web", command, shell=True, stdin=True), 1, index)
    words = ("launch", seq, seq, "web", f"web.{index}", token or f"00{seq}", _KEEPER_WORDS)
    answer = post.ask(*words, data=run_script(it))
    assert answer.startswith(f"{seq} ")
    return answer.split()[1:]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_post_does_as_it_is_told(tmp_path: Path, posts: Posts, shell: str) -> None:
    """Each of its orders, one after the other."""
    post = posts(shell)
    assert post.until("hello").text == "ok 4096 100"
    kind, place, pid, *_, out, err, fed = _launch(post, 1, "echo $$; exec cat")
    assert (kind, place, out, err, fed) == ("started", "web.0/001", "0", "0", "0")
    assert post.output(len(pid) + 1) == f"{pid}\n".encode()
    post.say(order("ack", 1, "o", len(pid) + 1))
    post.say(order("in", 1, 1, data=b"a\0'\n"))
    assert post.until("f").text == "1 1"
    assert post.output(len(pid) + 5)[-4:] == b"a\0'\n"
    check = Order(ProcessTemplate("web", "true"), 1, 0)
    assert (
        post.ask("check", 7, "5.000", data=check_script(check, ["sh", "-c", "echo noise; exit 3"])) == "7 3"
    )
    assert post.ask("check", 8, "0.050", data=check_script(check, ["sleep", "60"])) == "8 137"
    assert post.ask("stats", 9).split()[0] == "9"
    row = post.until("u").words
    assert (row[0], row[3], len(row) > 22) == (pid, pid, True)
    post.say(order("beat", 4))
    assert post.until("b").text == "4"
    assert _launch(post, 2, "kill -KILL $$", index=1)[0] == "started"
    assert post.until("x").text == "2 137 gone"
    assert post.ask("kill", 10, 1, 15) == "10 1"
    assert post.until("x").text == "1 143 gone"
    assert {post.until("e").words[0] for _ in range(4)} == {"1", "2"}
    assert post.ask("kill", 11, 1, 15) == "11 0"
    for number, where in (1, "web.0/001"), (2, "web.1/002"):
        post.say(order("forget", number, where))
    assert post.ask("attach", 12, 3, "web.0/001", 0, 0, pid, 1, "x") == "12 gone"
    post.close()
    assert [each.name for each in (tmp_path / ".local/state/asynctask/tests/n1").iterdir()] == [".connected"]


@pytest.mark.parametrize("shell", SHELLS[:2])
def test_of_many_posts_one_stays(posts: Posts, shell: str) -> None:
    """Of those of other managers none comes in; one of the same takes the place of the one before."""
    begun = [posts(shell, owner=f"owner{number}") for number in range(3)]
    greetings = [post.until("hello").text for post in begun]
    assert sorted(greetings) == ["no busy", "no busy", "ok 4096 100"]
    owner = f"owner{greetings.index('ok 4096 100')}"
    assert _launch(begun[greetings.index("ok 4096 100")], 1, "exec sleep 60")[0] == "started"
    after = posts(shell, owner=owner)
    assert after.until("hello").text == "ok 4096 100"
    assert begun[greetings.index("ok 4096 100")].process.wait(10) == -9
    assert _launch(after, 2, "exec sleep 60")[0] == "found"


def test_a_post_without_its_manager_makes_way(tmp_path: Path, posts: Posts) -> None:
    """One that heard nothing for long, though it is still there."""
    first = posts(owner="one")
    first.until("hello")
    second = posts(owner="two", stale=-1)
    assert second.until("hello").text == "ok 4096 100"


def test_a_start_that_was_under_way_is_forestalled(tmp_path: Path, posts: Posts) -> None:
    """What the post before has begun, and was about to execute, is never executed."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ln").write_text(
        '#!/bin/sh\ncase $3 in /*/proc) : > "${3%proc}tried"\n'
        'while [ ! -e "$HOME/go" ]; do sleep 0.01; done ;; esac\n'
        'exec /bin/ln "$@"\n'
    )
    (tools / "ln").chmod(0o755)
    path = f"{tools}:{path_of('dash')}"
    command = 'echo $$ >> "$HOME/ran"; echo up; exec sleep 60'
    it = Order(ProcessTemplate("web", command, shell=True, stdin=True), 1, 0)
    with ExitStack() as closing:
        for number in (1, 2):
            post = Post(tmp_path, path)
            closing.callback(post.close)
            post.until("hello")
            words = ("launch", number, number, "web", "web.0", f"00{number}", _KEEPER_WORDS)
            post.say(order(*words, data=run_script(it)))
            while not (tmp_path / f".local/state/asynctask/tests/n1/web.0/00{number}/tried").exists():
                post.process.poll()
        (tmp_path / "go").touch()
        assert post.until("r").words[:3] == ("2", "started", "web.0/002")
        post.output(3)
        assert [each.name for each in lives(tmp_path)] == ["002"]
        assert len((tmp_path / "ran").read_text().split()) == 1


def test_what_was_given_up_does_not_run_while_it_is_removed(tmp_path: Path, posts: Posts) -> None:
    """Not even when the link that forestalls it is the first to be removed, and the rest takes its time."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ln").write_text(
        '#!/bin/sh\ncase $3 in /*/proc) : > "${3%proc}tried"\n'
        'while [ ! -e "$HOME/go" ]; do sleep 0.01; done ;; esac\n'
        'exec /bin/ln "$@"\n'
    )
    (tools / "rm").write_text(
        '#!/bin/sh\n[ "$1" = -rf ] && [ -d "$2" ] && /bin/rm -f "$2/proc" && : > "$HOME/go" && sleep 0.2\n'
        'exec /bin/rm "$@"\n'
    )
    for each in tools.iterdir():
        each.chmod(0o755)
    post = posts(path=f"{tools}:{path_of('dash')}")
    post.until("hello")
    it = Order(ProcessTemplate("web", 'echo > "$HOME/ran"', shell=True), 1, 0)
    post.say(order("launch", 1, 1, "web", "web.0", "001", _KEEPER_WORDS, data=run_script(it)))
    while not list(tmp_path.glob(".local/state/asynctask/tests/n1/web.0/*/tried")):
        post.process.poll()
    post.say(order("drop", 1))
    post.say(order("beat", 1))
    post.until("b")
    (tmp_path / "go").touch()
    assert _launch(post, 2, "exec sleep 60")[0] == "started"
    assert not (tmp_path / "ran").exists()
    assert len(lives(tmp_path)) == 1


def test_a_node_that_cannot_do_it_says_why(tmp_path: Path, posts: Posts) -> None:
    """A program is missing, or the directory cannot be made."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    bare = posts(path=str(tmp_path), login="/bin/sh")
    assert bare.until("hello").text == "no unfit it has no program 'setsid'"
    (tmp_path / ".local").write_text("")
    assert posts().until("hello").text.startswith("no unfit mkdir: ")


def test_an_order_that_was_cut_off_is_none(tmp_path: Path, posts: Posts) -> None:
    """Half of an input is not written: the whole of it comes again."""
    post = posts()
    _launch(post, 1, "exec cat")
    post.say(order("in", 1, 1, data=b"one")[:-3])
    post.close()
    assert post.process.returncode == 0
    assert [each for each in lives(tmp_path)[0].iterdir() if each.name.startswith(("in.", "fed"))] == []


@pytest.mark.parametrize("login", ["dash", "bash"])
def test_each_login_shell_starts_it(tmp_path: Path, posts: Posts, login: str) -> None:
    """What it is to run first is the same for all."""
    assert posts(login=login).until("hello").text == "ok 4096 100"
