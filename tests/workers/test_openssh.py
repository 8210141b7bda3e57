"""Tests of asynctask.workers.openssh: by the system's ssh, all is as with the worker ``ssh``."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import Outcome, SSHOptions
from asynctask.errors import SSHConfigError, UsageError
from asynctask.testing import WorkerKit, check_worker
from asynctask.testing.clientfiles import generate_key
from asynctask.workers.openssh import OpenSSHWorker
from tests.ssh.processes import alive
from tests.sshd import OpenSSHServer
from tests.support import FLOOD, Recorder, refused
from tests.workers.sites import Site, check

pytestmark = pytest.mark.one_loop("the system's ssh does the work")


def fake_ssh(directory: Path, script: str) -> Path:
    """A program in the place of ssh, which answers ``-G`` as for port 22 of host1."""
    path = directory / "fake ssh"
    path.write_text(
        "#!/bin/sh\n"
        "for a; do case $l in -E) log=$a;; -S) socket=$a;; esac; l=$a; done\n"
        'case " $* " in *" -G "*) printf "hostname host1\\nport 22\\nuser me\\n"; exit;; esac\n'
        f'say() {{ printf "%s\\n" "$@" >> "$log"; }}\n{script}\n'
    )
    path.chmod(0o755)
    return path


async def both(site: Site, command: str, **settings: Any) -> list[asynctask.NodeResult]:
    """A command by each of the two workers, and that the events are the same."""
    results, events = [], []
    for worker in ("ssh", "openssh"):
        heard = Recorder()
        results.append(await site.run(command, worker=worker, handler=heard, **settings))
        events.append(heard.events)
    assert events[0] == events[1]
    return results


def told(result: asynctask.NodeResult) -> tuple[object, ...]:
    """All that a result says but the times."""
    return (result.outcome, result.rc, result.signal, result.stdout, result.stderr, str(result.error))


# -- the same as the worker ssh ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "echo hello",
        "echo one; exit 3",
        "exit 255",
        "echo one; kill -SEGV $$",
        "kill -USR1 $$",
        "no-such-command-here",
        "cat; echo over",
        "echo out; echo err >&2",
        "printf 'no line end'",
        "printf '50%%\\r100%%\\r'",
        "echo $TERM; tty",
    ],
)
async def test_as_with_ssh(real: Site, command: str) -> None:
    """Events, outcome, exit status, signal and output do not tell which worker it was."""
    first, second = await both(real, command, stderr=True)
    assert told(first) == told(second)


async def test_output_is_byte_exact(real: Site) -> None:
    """What is not UTF-8 comes as it is."""
    result = await real.run(r"printf '\377\376\000\200'", worker="openssh")
    check(result, Outcome.OK, 0, out=b"\xff\xfe\x00\x80")


async def test_streams_apart(real: Site) -> None:
    """Standard error apart has the command's own words alone, none of ssh's."""
    result = await real.run("echo out; echo err >&2; exit 255", worker="openssh", stderr=True)
    check(result, Outcome.FAILED, 255, out=b"out\n", err=b"err\n")


async def test_input(real: Site) -> None:
    """A megabyte there and back."""
    data = os.urandom(1 << 20)
    result = await real.run("cat", worker="openssh", stdin=data)
    assert (result.outcome, result.stdout == data) == (Outcome.OK, True)


async def test_a_reader_that_goes_away(real: Site) -> None:
    """Input that nobody reads any more is no error."""
    result = await real.run("head -c 3; exit 4", worker="openssh", stdin=b"x" * (4 << 20))
    check(result, Outcome.FAILED, 4, out=b"xxx")


async def test_every_node(real: Site) -> None:
    """Nodes run at the same time and keep their order."""
    result = await real.run_all(
        "echo $SSH_CONNECTION | cut -d' ' -f3", worker="openssh", nodes=real.nodes[:4]
    )
    assert [(node, bytes(each.out)) for node, each in result.items()] == [
        ("n1", b"127.0.0.1"),
        ("n2", b"127.0.0.2"),
        ("n3", b"127.0.0.3"),
        ("n4", b"127.0.0.4"),
    ]


async def test_times(real: Site) -> None:
    """Each phase has its time, one after the other."""
    times = (await real.run("echo hello", worker="openssh")).times
    stamps = [times.queued, times.began, times.connected, times.started, times.first_output, times.ended]
    assert stamps == sorted(stamp for stamp in stamps if stamp is not None)


async def test_a_connection_that_breaks(real: Site) -> None:
    """The node is unreachable, its output so far is kept."""
    first, second = await both(real, "echo here; sleep 0.3; kill -KILL $PPID; sleep 1000")
    assert (first.outcome, first.rc, first.stdout) == (second.outcome, second.rc, second.stdout)
    check(second, Outcome.UNREACHABLE, out=b"here\n", error=str(second.error))
    assert str(second.error).startswith("n1: connection lost while the command ran (")


# -- nodes that cannot be reached -------------------------------------------------------------------


@pytest.mark.parametrize("change", ["port", "user", "unknown", "changed"])
async def test_refused_as_with_ssh(real: Site, sshd: OpenSSHServer, tmp_path: Path, change: str) -> None:
    """A closed port, a refused login, host keys unknown and changed: the same outcome in the same words."""
    other = tmp_path / "known_hosts"
    other.write_text(f"n1 {generate_key('another').export_public_key('openssh').decode()}")
    (tmp_path / "none").touch()
    options = {
        "port": {"port": 1},
        "user": {"user": "nobody-here"},
        "unknown": {"known_hosts": [tmp_path / "none"]},
        "changed": {"known_hosts": [other]},
    }[change]
    ssh = SSHOptions(config=sshd.files.ssh_config, **options)  # type: ignore[arg-type]
    first, second = await both(real, "true", ssh=ssh)
    assert first.outcome is not Outcome.OK
    assert told(first) == told(second)


async def test_host_keys_off(real: Site, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """Any key will do, and none is recorded."""
    (tmp_path / "none").touch()
    ssh = SSHOptions(config=sshd.files.ssh_config, known_hosts=[tmp_path / "none"], host_keys="off")
    check(await real.run("echo hello", worker="openssh", ssh=ssh), Outcome.OK, 0, out=b"hello\n")
    assert (tmp_path / "none").read_bytes() == b""


async def test_accept_new(real: Site, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """The first key is recorded."""
    known = tmp_path / "some where" / "known_hosts"
    known.parent.mkdir()
    ssh = SSHOptions(config=sshd.files.ssh_config, known_hosts=[known], host_keys="accept-new")
    check(await real.run("echo hello", worker="openssh", ssh=ssh), Outcome.OK, 0, out=b"hello\n")
    assert known.read_bytes().startswith(b"n1 ssh-ed25519 ")


async def test_unknown_host_name(real: Site) -> None:
    """A name that nobody knows."""
    result = await real.run_all("true", worker="openssh", nodes=["no-such-host.invalid"])
    node = result["no-such-host.invalid"]
    assert (node.outcome, str(node.error).split(" (")[0]) == (
        Outcome.UNREACHABLE,
        "no-such-host.invalid: unknown host name no-such-host.invalid",
    )


@pytest.mark.parametrize("node", ["-oProxyCommand=touch here", "a$(touch here)", "-x@n1", "a b"])
def test_a_name_is_never_an_option(node: str) -> None:
    """What no name can be is refused at the call."""
    with pytest.raises(SSHConfigError) as caught:
        OpenSSHWorker("true", [node], ssh=SSHOptions(config=False))
    assert str(caught.value).startswith(f"target {node!r}: ")


async def test_user_and_port_in_the_target(sshd: OpenSSHServer, home: Path) -> None:
    """A target may be ``user@host:port``."""
    node = f"{sshd.user}@127.0.0.3:{sshd.port}"
    key = sshd.files.ssh_config.parent / "id_ed25519"
    ssh = SSHOptions(config=False, host_keys="off", identity_files=[key], agent=False)
    site = Site(ssh, (node,))
    check(
        await site.run("echo $SSH_CONNECTION | cut -d' ' -f3-", worker="openssh"),
        Outcome.OK,
        0,
        out=f"127.0.0.3 {sshd.port}\n".encode(),
    )


async def test_a_jump_host(real: Site, sshd: OpenSSHServer) -> None:
    """The way there is ssh's own; what is said on it is not output."""
    ssh = SSHOptions(config=sshd.files.ssh_config, jump="n2")
    result = await real.run("echo $SSH_CONNECTION | cut -d' ' -f1,3", worker="openssh", ssh=ssh, stderr=True)
    assert (result.outcome, result.stdout.split()[1], result.stderr) == (Outcome.OK, b"127.0.0.1", b"")


# -- ssh itself -------------------------------------------------------------------------------------


async def test_no_ssh(real: Site, tmp_path: Path) -> None:
    """A program that is not there."""
    result = await real.run("true", worker="openssh", options={"ssh_path": tmp_path / "nope"})
    check(
        result,
        Outcome.SPAWN_FAILED,
        error=f"n1: could not start {tmp_path}/nope: No such file or directory;"
        " is OpenSSH's client installed? ssh_path= says where",
    )


async def test_more_options(real: Site) -> None:
    """They are handed to ssh, and count first."""
    result = await real.run("true", worker="openssh", options={"ssh_options": ["-o", "Ciphers=aes128-cbc"]})
    assert result.outcome is Outcome.UNREACHABLE
    assert "no common algorithm (no matching cipher found" in str(result.error)


async def test_an_option_that_ssh_does_not_know(real: Site) -> None:
    """Its own words are passed on."""
    check(
        await real.run("true", worker="openssh", options={"ssh_options": ["-o", "Foo=bar"]}),
        Outcome.UNREACHABLE,
        error="n1: ssh does not take its configuration (command-line: line 0: Bad configuration option: foo)",
    )


async def test_the_environment_of_the_configuration(sshd: OpenSSHServer, real: Site, tmp_path: Path) -> None:
    """``SetEnv`` reaches the server, which may take it or not; nothing breaks."""
    config = tmp_path / "config"
    config.write_text(f"SetEnv LC_X=1\nSendEnv LANG\nInclude {sshd.files.ssh_config}\n")
    result = await real.run("echo hello", worker="openssh", ssh=SSHOptions(config=config))
    check(result, Outcome.OK, 0, out=b"hello\n")


@pytest.mark.parametrize("name", ["password", "passphrase"])
def test_secrets_are_refused(name: str) -> None:
    """ssh takes none from a program; which, is told at the call, and not its value."""
    options = SSHOptions(**{name: "hush"})  # type: ignore[arg-type]
    refused(
        UsageError,
        f"{name}=: the system's ssh takes none from a program; use keys, an agent or SSH_ASKPASS",
        lambda: OpenSSHWorker("true", ["a"], ssh=options),
    )


async def test_killed_at_login(real: Site, tmp_path: Path) -> None:
    """An ssh that says nothing is ended when the time is over, with all that it has started."""
    fake = fake_ssh(tmp_path, f"sleep 1000 & echo $$ $! > '{tmp_path}/pids'; wait")
    result = await real.run("true", worker="openssh", connect_timeout=0.6, options={"ssh_path": fake})
    check(result, Outcome.UNREACHABLE, error="n1: no login within 0.6 s; is it up and reachable?")
    assert [alive(int(pid)) for pid in (tmp_path / "pids").read_text().split()] == [False, False]


async def test_an_ssh_that_does_not_share(real: Site, tmp_path: Path) -> None:
    """Without a control socket there is no way in."""
    fake = fake_ssh(tmp_path, "say 'debug1: Entering interactive session.'; exec sleep 1000")
    check(
        await real.run("true", worker="openssh", options={"ssh_path": fake}),
        Outcome.UNREACHABLE,
        error=f"n1: {fake} does not share its connection (No such file or directory)",
    )


async def test_dropped_and_tried_again(real: Site, sshd: OpenSSHServer, tmp_path: Path) -> None:
    """A connection that is dropped before the login is tried again."""
    fake = fake_ssh(
        tmp_path,
        f"echo x >> '{tmp_path}/count'\n"
        f"[ $(wc -l < '{tmp_path}/count') -gt 2 ] && exec ssh \"$@\"\n"
        "say 'kex_exchange_identification: read: Connection reset by peer'; exit 255",
    )
    result = await real.run("echo hello", worker="openssh", options={"ssh_path": fake})
    check(result, Outcome.OK, 0, out=b"hello\n")
    assert (tmp_path / "count").read_text() == "x\n" * 3


async def test_dropped_for_ever(real: Site, tmp_path: Path) -> None:
    """It is not tried for ever."""
    fake = fake_ssh(
        tmp_path, f"echo x >> '{tmp_path}/count'; say 'Connection closed by 10.0.0.1 port 22'; exit 255"
    )
    ssh = SSHOptions(config=real.options.config, retries=1)
    check(
        await real.run("true", worker="openssh", ssh=ssh, options={"ssh_path": fake}),
        Outcome.UNREACHABLE,
        error="n1: port 22 of host1 closed the connection before the login"
        " (Connection closed by 10.0.0.1 port 22), 2 times;"
        " it may be throttling (MaxStartups): lower the fanout",
    )
    assert (tmp_path / "count").read_text() == "x\n" * 2


async def test_a_login_that_is_refused_is_not_tried_again(real: Site, tmp_path: Path) -> None:
    """A server may lock out who comes again."""
    fake = fake_ssh(
        tmp_path, f"echo x >> '{tmp_path}/count'; say 'me@host1: Permission denied (publickey).'; exit 255"
    )
    result = await real.run("true", worker="openssh", options={"ssh_path": fake})
    assert result.outcome is Outcome.AUTH_FAILED
    assert (tmp_path / "count").read_text() == "x\n"


async def test_nobody_else_can_reach_the_connection(real: Site, short: Path) -> None:
    """The control socket is in a directory of ours alone, which goes with the run."""
    found: list[int] = []

    class Look:
        def ev_pickup(self, worker: object, node: str) -> None:
            found.extend(stat.S_IMODE(path.stat().st_mode) for path in short.glob("asynctask-mux-*"))

    await real.run("true", worker="openssh", handler=Look())
    assert found == [0o700]
    assert list(short.glob("asynctask-mux-*")) == []


# -- the suite for every worker ---------------------------------------------------------------------


async def test_conformance(real: Site) -> None:
    """It does what every worker does."""

    def kit(command: str) -> Any:
        return lambda nodes, **settings: OpenSSHWorker(command, nodes, ssh=real.options, **settings)

    async with asyncio.timeout(120):
        await check_worker(
            WorkerKit(
                prints=kit("echo hello"),
                fails=kit("exit 3"),
                hangs=kit("exec sleep 3600"),
                floods=kit(FLOOD),
                nodes=real.nodes[:3],
            )
        )
