"""Commands that run as another user on a node, by sudo.

Nothing of it is guessed: sudo asks with a text that was made up for this one command, and what runs as the
other user says with another that it is there. A password is written when it is asked for and never else.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import asyncssh

from asynctask.errors import AuthenticationError, NodeError, SpawnError, UsageError
from asynctask.ssh.environment import MARK, for_any_shell
from asynctask.ssh.options import Prompt
from asynctask.ssh.session import Announce, RemoteCommand, start

__all__ = ("READY_WAIT", "STOP_WAIT", "Elevation", "Gate", "Password", "Sudo", "Words", "send_signal", "stop")

#: How long sudo may be silent before it asks or runs the command, in seconds.
READY_WAIT = 60.0
#: How long sudo may take to end when it gets no password, in seconds.
STOP_WAIT = 2.0
#: Bytes of what sudo says that are kept.
_MOST_KEPT = 2048
#: Characters of it in a message.
_MOST_SHOWN = 300

#: Tells the password, or ``None`` if there is none.
Password = Callable[[], Awaitable[str | None]]
Receive = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sudo:
    """How a command becomes another user's.

    Raises:
        UsageError: a value that can never work.
    """

    user: str = "root"
    """Who runs the command on the node."""
    password: str | None = field(default=None, repr=False)
    """What sudo gets when it asks. It goes to its input, never into an argument, a log or a message."""
    prompt: Prompt | None = field(default=None, repr=False)
    """Asked for the password, once for all nodes, when the first of them needs it and :attr:`password` is
    ``None``. ``None``: :attr:`SSHOptions.prompt <asynctask.SSHOptions.prompt>` is asked."""
    command: str = "sudo"
    """The program on the node: a name or a path."""

    def __post_init__(self) -> None:
        for name in ("user", "command"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.isprintable() or not value or value.startswith("-"):
                raise UsageError(f"sudo: {name}={value!r}: a name is needed")
        password = self.password
        if password is not None and (not isinstance(password, str) or _line(password) is None):
            raise UsageError("sudo: the password must be text without NUL characters and line breaks")
        if self.prompt is not None and not callable(self.prompt):
            raise UsageError("sudo: prompt must be a function that returns the password")


class Words:
    """The texts by which one command of sudo is followed."""

    def __init__(self) -> None:
        token = secrets.token_hex(16)
        self.prompt = f"asynctask-sudo-password-{token}:"
        self._ready = ("asynctask-sudo-ready-", f"{token}.")

    @property
    def ready(self) -> str:
        """What says that the command is about to run."""
        return "".join(self._ready)

    def announcement(self) -> str:
        """A shell command that says so, and ends if it is not told to go on: nobody may want it any more.

        The text is not in it: sudo's complaints repeat the command.
        """
        say = f"printf %s%s {self._ready[0]} {self._ready[1]} >&2"
        return f"{say}; read -r asynctask_go || exit 1; unset asynctask_go"

    def command(
        self,
        sudo: Sudo,
        command: str,
        env: Mapping[str, str] | None = None,
        *,
        pty: bool = False,
        mark: str | None = None,
    ) -> str:
        """What the login shell is to run.

        A shell of the login user stays above sudo, since only what is the login user's own is found when the
        command is to be ended; asked to end it waits for sudo.
        """
        settings = "".join(f"{name}={shlex.quote(value)} " for name, value in (env or {}).items())
        run = f"exec {'env ' + settings if settings else ''}/bin/sh -c {shlex.quote(command)}"
        inner = f"{self.announcement()}; {run}"
        program = shlex.quote(sudo.command)
        options = f"{'' if pty else '-S '}-p {shlex.quote(self.prompt)} -u {shlex.quote(sudo.user)}"
        return for_any_shell(
            (f": {MARK}={mark}\n" if mark else "")
            + f"command -v {program} > /dev/null || {{ echo {program}: command not found >&2; exit 127; }}\n"
            "trap : TERM\n"
            "exec 3>&2 2> /dev/null\n"  # what this shell says of how sudo ended is not the command's
            f"{program} {options} -- /bin/sh -c {shlex.quote(inner)} 2>&3 3>&-\n"
            "exit $?\n"
        )


class Gate:
    """Follows what sudo says until the command runs. Pure: bytes in, bytes out."""

    def __init__(self, words: Words) -> None:
        self._prompt = words.prompt.encode()
        self._ready = words.ready.encode()
        self._held = b""
        self._said = b""
        self.prompts = 0
        """How often sudo has asked."""
        self.open = False
        """Whether the command runs."""

    def feed(self, data: bytes) -> bytes:
        """Take what was printed, cut anywhere, and give what of it is the command's."""
        if self.open:
            return data
        held = self._held + data
        while not self.open:
            found = [(at, text) for text in (self._prompt, self._ready) if (at := held.find(text)) >= 0]
            if not found:
                break
            at, text = min(found)
            self._keep(held[:at])
            held = held[at + len(text) :]
            if text is self._ready:
                self.open = True
            else:
                self.prompts += 1
        if self.open:
            self._held = b""
            return held
        keep = max(len(self._prompt), len(self._ready)) - 1
        self._keep(held[:-keep])
        self._held = held[-keep:]
        return b""

    def _keep(self, said: bytes) -> None:
        self._said = (self._said + said)[-_MOST_KEPT:]

    def said(self) -> str:
        """What sudo has said, in one line: its last words."""
        text = (self._said + self._held).decode(errors="replace")
        lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
        said = [line for line in lines if line]
        own = [line.removeprefix("sudo:").strip() for line in said if line.startswith("sudo:")]
        return (own or said or [""])[-1][:_MOST_SHOWN]


class Elevation:
    """One command under sudo, from the moment at which it is asked for.

    Args:
        sudo: how.
        command: what to run.
        receive: gets the command's output.
        env: the command's environment variables; they are among sudo's arguments.
        separate_stderr: else standard error is part of standard output.
        pty: sudo has a terminal.
        mark: tells it from what else runs on its connection, if nothing else does.

    Attributes:
        command: what the login shell is to run; it needs an open input, and its standard error apart.
    """

    def __init__(
        self,
        sudo: Sudo,
        command: str,
        receive: Receive,
        *,
        env: Mapping[str, str] | None = None,
        separate_stderr: bool = False,
        pty: bool = False,
        mark: str | None = None,
    ) -> None:
        words = Words()
        self.command = words.command(sudo, command, env, pty=pty, mark=mark)
        self._receive = receive
        self._stderr = "stderr" if separate_stderr else "stdout"
        self._asks = "stdout" if pty else "stderr"  # where sudo says what it says
        self._gate = Gate(words)
        self._news = asyncio.Event()
        self._over = False

    def receive(self, stream: str, data: bytes) -> None:
        """Take a piece of the output."""
        if stream == self._asks and not self._gate.open:
            data = self._gate.feed(data)
            self._news.set()
        if data:
            self._receive(self._stderr if stream == "stderr" else stream, data)

    async def enter(
        self,
        node: str,
        remote: RemoteCommand,
        password: Password,
        wait: float = READY_WAIT,
        announce: Announce | None = None,
    ) -> None:
        """Answer sudo until the command runs; ``announce`` is awaited right before.

        Raises:
            NodeError: it does not come to that; the caller ends what there is.
        """
        failure: NodeError | None = None

        async def watch() -> None:
            await remote.wait()
            self._over = True
            self._news.set()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                await self._answer(node, remote, password, wait)
                if announce is not None:
                    await announce()
                with suppress(BrokenPipeError):
                    await remote.write(b"go\n")
            except NodeError as exc:  # raised below, out of the group that would wrap it
                failure = exc
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _answer(self, node: str, remote: RemoteCommand, password: Password, wait: float) -> None:
        answered = 0
        while not self._gate.open:
            if self._gate.prompts > 1:
                raise _refused(node)
            if self._over:
                raise self._complaint(node, remote)
            if self._gate.prompts > answered:
                answered += 1
                secret = await password()
                if secret is None:
                    raise AuthenticationError(
                        node,
                        "sudo asks for a password and there is none",
                        "give Sudo(password=...) or a prompt",
                    )
                line = _line(secret)
                if line is None:
                    raise AuthenticationError(node, "sudo: the answer is no line of text")
                with suppress(BrokenPipeError):  # then it is over
                    await remote.write(line)
                continue
            self._news.clear()
            with anyio.move_on_after(wait) as scope:
                await self._news.wait()
            if scope.cancelled_caught:
                raise SpawnError(node, f"sudo did not run the command within {wait:g} s: {self._gate.said()}")

    def _complaint(self, node: str, remote: RemoteCommand) -> NodeError:
        said = self._gate.said()
        if remote.lost is not None:
            return SpawnError(node, f"sudo: connection lost before the command ran ({remote.lost})")
        if "incorrect password" in said:
            return _refused(node)
        return SpawnError(node, f"sudo: {said or f'ended with exit code {remote.exit_status}'}")


def _line(password: str) -> bytes | None:
    """A password as sudo reads it; ``None`` if it cannot be a line. No error has it in its text."""
    try:
        line = password.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return None
    return None if set(line) & set(b"\0\r\n") else line + b"\n"


def _refused(node: str) -> AuthenticationError:
    return AuthenticationError(node, "sudo: password refused", "it was tried once")


async def stop(remote: RemoteCommand) -> None:
    """Have sudo end that waits for an answer: there is none. Bounded."""
    remote.close()
    with anyio.move_on_after(STOP_WAIT):
        await remote.wait()


# Under sudo the command may have a session of its own, with a sudo at its head: its groups are found by the
# parents. What runs in sessions that the command has made itself was set free on purpose.
_SIGNAL = """\
find='s/^\\([0-9]*\\) (\\(.*\\)) . \\([0-9]*\\) [0-9]* \\([0-9]*\\) .*/\\1 \\3 \\4 \\2/p'
l=$(sed -n "$find" /proc/[0-9]*/stat 2> /dev/null)
t=' {groups} '; m=$t; n=
while [ "$t" != "$n" ]; do
n=$t
while read -r p q s c; do
case $t in
*" $p "*) ;;
*" $q "*) case $p:$c in "$s":sudo*) m="$m$s ";; esac; t="$t$p ";;
esac
done << END
$l
END
done
v=
while read -r p q s c; do
case $t in *" $p "*) case $m in *" $s "*) v="$v $p";; esac;; esac
done << END
$l
END
for g in {groups}; do kill -s {name} -- -$g; done
kill -s {name} $v
"""


async def send_signal(
    connection: asyncssh.SSHClientConnection, sudo: Sudo, password: Password, name: str, groups: Sequence[int]
) -> None:
    """Signal a command's processes as who runs them, through sudo. Has no bound of its own."""
    script = _SIGNAL.format(name=name, groups=" ".join(map(str, groups)))
    elevation = Elevation(sudo, script, lambda stream, data: None, mark="signal")
    with suppress(NodeError, asyncssh.Error):
        remote = await start(connection, elevation.command, elevation.receive, separate_stderr=True)
        try:
            await elevation.enter("", remote, password)
            await remote.wait()
        finally:
            remote.close()
