"""Tests of asynctask.ssh.recording: which new keys are accepted, and what becomes of the file."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from asynctask.errors import HostKeyError
from asynctask.ssh import recording as module
from asynctask.ssh.hostkeys import KnownHosts
from asynctask.ssh.recording import Recorder
from asynctask.testing.clientfiles import generate_key
from tests.sshd import OpenSSHServer
from tests.testing.clients import needs_ssh, run_ssh

PATIENCE = 10.0
ONE, TWO = (generate_key("").convert_to_public() for _ in range(2))
LINE, OTHER = (key.export_public_key("openssh").decode().strip() for key in (ONE, TWO))
WEB1 = ("web1", 22, None)


@pytest.fixture
def file(home: Path) -> Path:
    """The place of the user's ``known_hosts``, in a directory that is there."""
    return home / ".ssh" / "known_hosts"


@pytest_asyncio.fixture
async def recorder(file: Path) -> AsyncIterator[Recorder]:
    """A recorder for the file."""
    recorder = Recorder(file)
    yield recorder
    await recorder.aclose()


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def _keygen(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "ssh-keygen", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, errors
    return output.decode()


# -- what is accepted -------------------------------------------------------------------------------


def test_the_first_key_counts() -> None:
    """It is accepted as often as it is shown; another one is not."""
    recorder, known = Recorder(None), KnownHosts([])
    assert [recorder.offer(known, *WEB1, key) for key in (ONE, ONE, TWO, ONE)] == [True, True, False, True]
    assert recorder.offer(known, "WEB1", 22, None, ONE)


def test_hosts_are_told_apart() -> None:
    """By name, port and alias, as in the file."""
    recorder, known = Recorder(None), KnownHosts([])
    assert recorder.offer(known, *WEB1, ONE)
    assert recorder.offer(known, "web1", 2222, None, TWO)
    assert recorder.offer(known, "web2", 22, None, TWO)
    assert recorder.offer(known, "web1", 22, "bastion", TWO)
    assert not recorder.offer(known, "elsewhere", 23, "Bastion", ONE)


@pytest.mark.parametrize(
    ("line", "is_new"),
    [
        (f"web1 {OTHER}", False),
        (f"web1 {LINE}", False),
        (f"web* {OTHER}", False),
        (f"@cert-authority * {OTHER}", False),
        (f"@revoked web1 {OTHER}", False),
        (f"@revoked * {OTHER}", True),
        (f"[web1]:2222 {OTHER}", True),
        ("web1 ssh-ed25519 AAAA", True),
    ],
)
def test_a_host_that_is_known_is_not_new(file: Path, line: str, is_new: bool) -> None:
    """Whatever is on record for it."""
    file.write_text(line + "\n")
    assert Recorder(file).offer(KnownHosts([file]), *WEB1, ONE) is is_new


# -- what is written --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "port", "alias", "written"),
    [
        ("Web1", 22, None, "web1"),
        ("web1", 2222, None, "[web1]:2222"),
        ("::1", 22, None, "::1"),
        ("::1", 2222, None, "[::1]:2222"),
        ("web1", 2222, "Bastion", "bastion"),
    ],
)
async def test_the_line(
    recorder: Recorder, file: Path, name: str, port: int, alias: str | None, written: str
) -> None:
    """A host is recorded as OpenSSH does it, and then known."""
    await recorder.record("n1", name, port, alias, ONE)
    assert file.read_text() == f"{written} {LINE}\n"
    assert KnownHosts([file]).trusted(name, port, alias)[0] == [ONE]


async def test_hashed(file: Path) -> None:
    """The name is hidden, and ssh-keygen finds it."""
    await Recorder(file, hashed=True).record("n1", "web1", 2222, None, ONE)
    assert file.read_text().startswith("|1|")
    assert "web1" not in file.read_text()
    found = await _keygen("-F", "[web1]:2222", "-f", str(file))
    assert found.splitlines()[1].endswith(LINE)


async def test_what_is_missing_is_made(home: Path) -> None:
    """The directory and the file are the user's alone."""
    file = home / "new" / "known_hosts"
    await Recorder(file).record("n1", *WEB1, ONE)
    assert [path.stat().st_mode & 0o777 for path in (file.parent, file)] == [0o700, 0o600]


@pytest.mark.parametrize(("before", "after"), [("a b", "a b\n"), ("a b\n", "a b\n"), ("", "")])
async def test_a_last_line_without_an_end(recorder: Recorder, file: Path, before: str, after: str) -> None:
    """It is ended first."""
    file.write_text(before)
    await recorder.record("n1", *WEB1, ONE)
    assert file.read_text() == f"{after}web1 {LINE}\n"


async def test_a_link_stays_a_link(recorder: Recorder, file: Path, tmp_path: Path) -> None:
    """Also if it leads to nothing yet."""
    file.symlink_to(tmp_path / "dotfiles")
    await recorder.record("n1", *WEB1, ONE)
    assert file.is_symlink()
    assert (tmp_path / "dotfiles").read_text() == f"web1 {LINE}\n"


async def test_many_connections_to_many_hosts(recorder: Recorder, file: Path) -> None:
    """Each host has one line."""
    names = [f"web{number % 20}" for number in range(100)]
    await asyncio.gather(*(recorder.record("n", name, 22, None, ONE) for name in names))
    assert sorted(file.read_text().splitlines()) == sorted(f"{name} {LINE}" for name in set(names))


async def test_what_others_wrote(recorder: Recorder, file: Path) -> None:
    """The same key is not written again; another one is an error that says where."""
    await recorder.record("n0", "web0", 22, None, ONE)
    with file.open("a") as others:
        others.write(f"web1 {LINE}\nweb2 {OTHER}\n")
    before = file.read_text()
    await recorder.record("n1", *WEB1, ONE)
    for _ in range(2):
        with pytest.raises(HostKeyError) as raised:
            await recorder.record("n2", "web2", 22, None, ONE)
    assert str(raised.value) == (
        f"n2: host key changed: another one for web2 was recorded while we connected, in {file} line 3; "
        "find out which is right, and who else answers as this host"
    )
    assert file.read_text() == before


async def test_a_file_that_is_replaced(recorder: Recorder, file: Path) -> None:
    """As by ssh-keygen -R: the line is in the new one."""
    await recorder.record("n1", *WEB1, ONE)
    await _keygen("-R", "web1", "-f", str(file))
    assert file.read_text() == ""
    await recorder.record("n2", "web2", 22, None, ONE)
    assert file.read_text() == f"web2 {LINE}\n"


async def test_a_file_that_is_replaced_while_it_is_written(
    recorder: Recorder, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that went into the old one is written again."""
    append = module._append

    def replacing(descriptor: int, data: bytes) -> None:
        append(descriptor, data)
        monkeypatch.setattr(module, "_append", append)
        new = file.with_name("new")
        new.write_text("# new\n")
        new.rename(file)

    monkeypatch.setattr(module, "_append", replacing)
    await recorder.record("n1", *WEB1, ONE)
    assert file.read_text() == f"# new\nweb1 {LINE}\n"


@pytest.mark.parametrize("name", ["a b", "a,b", "*", "#a", "a\n"])
async def test_a_name_that_no_line_can_have(recorder: Recorder, file: Path, name: str) -> None:
    """It is not written: it would be a pattern, or another line."""
    await recorder.record("n1", "web1", 22, name, ONE)
    assert not file.exists()


@pytest.mark.parametrize("file_name", [None, Path(os.devnull)])
async def test_nowhere_to_write(file_name: Path | None, caplog: pytest.LogCaptureFixture) -> None:
    """Then keys are remembered for the run only, as the user wants it."""
    await Recorder(file_name).record("n1", *WEB1, ONE)
    assert _warnings(caplog) == []


# -- what goes wrong --------------------------------------------------------------------------------


async def test_a_file_that_cannot_be_written(
    recorder: Recorder, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the run goes on."""
    file.mkdir()
    for name in ("web1", "web2"):
        await recorder.record("n", name, 22, None, ONE)
    assert _warnings(caplog) == [f"new host keys cannot be recorded in {file}: Is a directory"]


async def test_a_full_disk(
    recorder: Recorder, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No half line is left."""
    file.write_text("a b\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    await recorder.record("n1", *WEB1, ONE)
    monkeypatch.undo()
    assert _warnings(caplog) == [f"new host keys cannot be recorded in {file}: {os.strerror(errno.ENOSPC)}"]
    assert file.read_text() == "a b\n"


async def test_a_lock_that_others_hold(recorder: Recorder, file: Path) -> None:
    """It is waited for."""
    with file.open("w") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        recording = asyncio.create_task(recorder.record("n1", *WEB1, ONE))
        done, _ = await asyncio.wait([recording], timeout=0.1)
        assert not done
        assert file.read_text() == ""
    await asyncio.wait_for(recording, PATIENCE)
    assert file.read_text() == f"web1 {LINE}\n"


async def test_a_lock_that_others_keep(
    recorder: Recorder, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up after a while."""
    monkeypatch.setattr(module, "_LOCK_TIMEOUT", 0.05)
    with file.open("w") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        await asyncio.wait_for(recorder.record("n1", *WEB1, ONE), PATIENCE)
    reason = "it is locked by another program for 0.05 s"
    assert _warnings(caplog) == [f"new host keys cannot be recorded in {file}: {reason}"]


async def test_cancelled(recorder: Recorder, file: Path) -> None:
    """The key is recorded nevertheless."""
    recording = asyncio.create_task(recorder.record("n1", *WEB1, ONE))
    await asyncio.sleep(0)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording
    await recorder.aclose()
    assert file.read_text() == f"web1 {LINE}\n"


# -- others at the same time ------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from pathlib import Path
import asyncssh
from asynctask.ssh.recording import Recorder
file, line, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
async def main():
    recorder = Recorder(file, hashed=False)
    key = asyncssh.import_public_key(line)
    sys.stdin.readline()
    for host in range(50):
        await recorder.record("n", f"w{number}h{host}", 22, None, key)
        await recorder.record("n", f"shared{host}", 22, None, key)
asyncio.run(main())
"""


@pytest.mark.one_loop("the processes that write have no loop")
async def test_eight_processes_lose_nothing(file: Path) -> None:
    """Each line is there once and whole, whoever else wrote, and so are those of all together."""
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, file, LINE, str(number), stdin=asyncio.subprocess.PIPE
        )
        for number in range(8)
    ]
    await asyncio.wait_for(asyncio.gather(*(each.communicate(b"go\n") for each in writers)), 50)
    names = [f"w{number}h{host}" for number in range(8) for host in range(50)]
    names += [f"shared{host}" for host in range(50)]
    assert [each.returncode for each in writers] == [0] * 8
    assert sorted(file.read_text().splitlines()) == sorted(f"{name} {LINE}" for name in names)


@needs_ssh
async def test_beside_ssh(sshd: OpenSSHServer, file: Path, recorder: Recorder) -> None:
    """What ssh records at the same time is there, too, and looks like ours."""
    address, port = sshd.address("n1")
    config = file.with_name("config")
    config.write_text(
        f"Host *\nHostName {address}\nPort {port}\nUser {sshd.user}\nIdentityFile {sshd.files.key_file}\n"
        f"IdentitiesOnly yes\nBatchMode yes\nUserKnownHostsFile {file}\nGlobalKnownHostsFile /dev/null\n"
        "StrictHostKeyChecking accept-new\n"
    )
    theirs = [run_ssh(config, "-o", f"HostKeyAlias=ssh{number}", f"s{number}", "true") for number in range(4)]
    ours = [recorder.record("n", f"our{number}", 22, None, ONE) for number in range(20)]
    finished = await asyncio.gather(*theirs)
    await asyncio.gather(*ours)
    assert [each.code for each in finished] == [0] * 4
    host_key = sshd.files.known_hosts.read_text().splitlines()[0].split()
    expected = [f"our{number} {LINE}" for number in range(20)]
    expected += [f"ssh{number} {host_key[1]} {host_key[2]}" for number in range(4)]
    assert sorted(file.read_text().splitlines()) == sorted(expected)


@needs_ssh
@pytest.mark.parametrize(
    ("line", "is_new"),
    [
        ("", True),
        ("[{node}]:{port} {other}", False),
        ("{node} {other}", True),
        ("[{node}]:* {other}", False),
        ("elsewhere {other}", True),
        ("@revoked * {other}", True),
        ("@revoked * {key}", False),
        ("broken", True),
    ],
)
async def test_new_as_for_ssh(
    sshd: OpenSSHServer, recorder: Recorder, file: Path, line: str, is_new: bool
) -> None:
    """The same hosts are new to us, and to ssh with accept-new."""
    node, port = sshd.address("n1")
    kind, blob = sshd.files.known_hosts.read_text().split()[1:3]
    file.write_text(line.format(node=node, port=port, other=LINE, key=f"{kind} {blob}") + "\n")
    known, shown = KnownHosts([file]), asyncssh.import_public_key(f"{kind} {blob}")
    revoked = shown in known.trusted(node, port, None)[2]  # which asyncssh sees first
    assert (not revoked and recorder.offer(known, node, port, None, shown)) is is_new
    config = file.with_name("config")
    config.write_text(
        f"Host *\nPort {port}\nUser {sshd.user}\nIdentityFile {sshd.files.key_file}\n"
        f"IdentitiesOnly yes\nBatchMode yes\nUserKnownHostsFile {file}\nGlobalKnownHostsFile /dev/null\n"
        "StrictHostKeyChecking accept-new\n"
    )
    finished = await run_ssh(config, node, "true")
    assert (finished.code == 0) is is_new
