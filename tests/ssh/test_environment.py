"""Tests of asynctask.ssh.environment: on OpenSSH that accepts variables or not, and in every login shell."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask import SSHOptions
from asynctask.errors import UsageError
from asynctask.ssh.environment import MARK, accepted_names, checked, for_any_shell, with_variables
from asynctask.ssh.session import start
from tests.ssh.commands import PATIENCE, Heard
from tests.ssh.connecting import connected
from tests.ssh.servers import NODE, ScriptedFactory, Session
from tests.sshd import OpenSSHServer

NASTY = "a'b\"c!d$HOME`id`\\g\\n\nsecond line\ttab %s %% é !! !x {a,b} * ~ # ;& \n\n"
SHELLS = [
    shell
    for shell in ("sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh")
    if shutil.which(shell)
]


@pytest.fixture(scope="module", params=["accepts", "refuses"])
def server(request: pytest.FixtureRequest, sshd: OpenSSHServer) -> Iterator[OpenSSHServer]:
    """An OpenSSH server that accepts variables, and one that accepts none."""
    accept = "AcceptEnv LC_* ANY*" if request.param == "accepts" else "AcceptEnv none-such"
    with OpenSSHServer(settings=f"{accept}\n") as started:
        yield started


def _options(server: OpenSSHServer) -> SSHOptions:
    return SSHOptions(config=server.files.ssh_config)


async def _run(connection: asyncssh.SSHClientConnection, command: str, **settings: Any) -> bytes:
    heard = Heard()
    async with asyncio.timeout(PATIENCE):
        remote = await start(connection, command, heard.receive, separate_stderr=False, **settings)
        await remote.wait()
    assert remote.exit_status == 0, heard.stdout
    return heard.stdout


# -- names and values -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "-A", MARK])
def test_names(name: str) -> None:
    """A name that no shell would take is refused."""
    with pytest.raises(UsageError, match=r"^env: "):
        checked({name: "x"})


@pytest.mark.parametrize("value", ["a\0b", 3, None, b"x"])
def test_values(value: Any) -> None:
    """So is a value that cannot be one; the message does not repeat it."""
    with pytest.raises(UsageError, match=r"^env: the value of NAME must be text without NUL characters$"):
        checked({"NAME": value})


def test_a_copy() -> None:
    """What is given may change afterwards."""
    given = {"A": NASTY}
    taken = checked(given)
    given["A"] = ""
    assert taken == {"A": NASTY}


# -- any login shell --------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("times", [1, 300])
def test_the_prefix_in_any_shell(shell: str, times: int) -> None:
    """Every byte of each value arrives, and the command runs in the login shell."""
    path = str(shutil.which(shell))
    value = NASTY * times
    command = with_variables('printf %s "$VALUE"; env | grep "^OTHER="', {"VALUE": value, "OTHER": "x y"})
    done = subprocess.run(
        [path, "-c", command],
        capture_output=True,
        check=False,
        env={"PATH": "/bin:/usr/bin", "SHELL": "/bin/sh"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{value}OTHER=x y\n".encode(), b"")


def test_the_command_runs_in_the_login_shell(tmp_path: Path) -> None:
    """Not in the one that sets the variables; and it gets the command as it was."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nprintf "%s|" "$A" "$@"\n')
    shell.chmod(0o755)
    command = with_variables(NASTY, {"A": "'", "SHELL": "/other"})
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        check=True,
        env={"PATH": "/bin:/usr/bin", "SHELL": str(shell)},
    )
    assert done.stdout == f"'|-c|{NASTY}|".encode()


@pytest.mark.parametrize("shell", SHELLS)
def test_no_process_is_added(shell: str) -> None:
    """The command has the process id that the login shell had."""
    path = str(shutil.which(shell))
    process = subprocess.Popen(
        [path, "-c", with_variables("exec sh -c 'echo $$'", {"A": "b"})],
        stdout=subprocess.PIPE,
        env={"PATH": "/bin:/usr/bin", "SHELL": path},
    )
    out, _ = process.communicate()
    assert int(out) == process.pid


def test_any_bytes() -> None:
    """What is not UTF-8 is handed on."""
    done = subprocess.run(
        ["sh", "-c", with_variables("printf %s-\udcff $A", {"A": "\udce4\udcff"})],
        capture_output=True,
        check=True,
        env={"PATH": "/bin:/usr/bin"},
    )
    assert done.stdout == b"\xe4\xff-\xff"


def test_nothing_that_shells_understand_differently() -> None:
    """The pieces have neither line breaks nor quotes."""
    first, *pieces = for_any_shell(NASTY * 9).split(" sh '")
    assert first.count("'") == 2
    assert len(pieces) == 1
    words = pieces[0].removesuffix("'").split("' '")
    assert max(map(len, words)) <= 800
    assert not set("".join(words)) & set("'\"\n\t!`*~#;&{}%$")


def test_nothing_to_set() -> None:
    """Then a command stays as it is."""
    assert with_variables("echo 'x'", {}) == "echo 'x'"


# -- over a connection ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [{"ANY": NASTY}, {"ANY_A": "1", "OTHER": NASTY, "PATH": "/bin:/usr/bin:/x"}]
)
async def test_variables(server: OpenSSHServer, values: Mapping[str, str]) -> None:
    """They reach the command, whether the server accepts all, some or none."""
    async with connected(_options(server), "n1") as made:
        for _ in range(2):
            for name, value in values.items():
                assert await _run(made, f'printf %s "${name}"', env=values) == value.encode()


async def test_input_and_exit_with_variables(server: OpenSSHServer) -> None:
    """All else is as without them."""
    async with connected(_options(server), "n1") as made:
        heard = Heard()
        remote = await start(
            made, 'cat; exit "$CODE"', heard.receive, separate_stderr=False, env={"CODE": "7"}, no_input=True
        )
        await asyncio.wait_for(remote.wait(), PATIENCE)
    assert (heard.stdout, remote.exit_status) == (b"", 7)


async def test_asked_once(server: OpenSSHServer) -> None:
    """The second command asks no more: what is accepted goes along, what is not is in the prefix."""
    async with connected(_options(server), "n1") as made:
        await _run(made, "true", env={"ANY": "1", "OTHER": "2"})
        known = dict(accepted_names(made))
        assert known == {"ANY": known["ANY"], "OTHER": False}
        assert await _run(made, 'echo "$ANY$OTHER"', env={"ANY": "3", "OTHER": "4"}) == b"34\n"
        assert accepted_names(made) == known


async def test_wished(server: OpenSSHServer) -> None:
    """What is only wished is dropped where the server does not accept it; a mark never goes along so."""
    async with connected(_options(server), "n1") as made:
        wished = {"ANY": "yes", "OTHER": "yes", MARK: "mine"}
        out = await _run(made, f'echo "$ANY-$OTHER-${MARK}"', wished=wished)
        accepts = (await _run(made, 'echo "$ANY"', env={"ANY": ""}), accepted_names(made)["ANY"])[1]
    assert out == (b"yes--\n" if accepts else b"--\n")


async def test_needed_before_wished(server: OpenSSHServer) -> None:
    """A caller's own value counts."""
    async with connected(_options(server), "n1") as made:
        assert await _run(made, 'echo "$ANY"', wished={"ANY": "no"}, env={"ANY": "yes"}) == b"yes\n"


async def test_the_environment_of_this_process_is_not_sent(
    server: OpenSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a mark of ours, if we were started by another asynctask."""
    monkeypatch.setenv(MARK, "theirs")
    monkeypatch.setenv("ANY", "ours")
    async with connected(_options(server), "n1") as made:
        assert await _run(made, f'echo "$ANY-${MARK}"') == b"-\n"


async def test_very_many(server: OpenSSHServer) -> None:
    """A server takes only so many by requests."""
    env = {f"ANY_{number}": str(number) for number in range(300)}
    async with connected(_options(server), "n1") as made:
        for _ in range(2):
            assert await _run(made, 'env | grep -c "^ANY_"', env=env) == b"300\n"


async def test_one_round_trip(scripted: ScriptedFactory) -> None:
    """All requests before the command's are sent together; the command's follows the answers."""
    order: list[str] = []

    def exec_(session: Session) -> bool:
        order.append("exec")
        return True

    server = await scripted(on_exec=exec_, on_start=lambda session: session.channel.exit(0))
    async with connected(server.options, NODE) as made:
        send = made.send_packet

        def sending(kind: int, *fields: bytes, **settings: Any) -> None:
            if kind == 98:
                order.append("request")
            send(kind, *fields, **settings)

        made.send_packet = sending  # type: ignore[method-assign, assignment]
        await _run(made, "x", env={"A": "1", "B": "2", "C": "3"}, pty=True)
    assert order[:6] == ["request"] * 5 + ["exec"]


async def test_refused_while_it_breaks(scripted: ScriptedFactory) -> None:
    """A connection that breaks while variables are asked for is no answer."""

    def breaks(connection: asyncssh.SSHServerConnection) -> bool:
        asyncio.get_running_loop().call_soon(connection.abort)
        return True

    server = await scripted(on_session=breaks)
    async with connected(server.options, NODE) as made:
        with pytest.raises(asyncssh.Error):
            await _run(made, "x", env={"A": "1"})
        assert accepted_names(made) == {}
