"""Tests of asynctask.ssh.hostkeys: what the real ``ssh`` accepts is accepted, nothing else."""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncssh
import pytest

from asynctask import Outcome, SSHOptions, run
from asynctask.errors import SSHConfigError
from asynctask.ssh.hostkeys import KnownHosts, TrustedKeys, known_as
from asynctask.testing.clientfiles import generate_key
from tests.ssh.servers import NODE, ScriptedFactory
from tests.sshd import OpenSSHServer
from tests.testing.clients import needs_ssh, run_ssh

KEYS = [generate_key("") for _ in range(3)]
TEXTS = [key.export_public_key("openssh").decode().strip() for key in KEYS]
ONE, TWO, THREE = TEXTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a ``known_hosts`` file."""
    return tmp_path / "known_hosts"


def _known(file: Path, *lines: str) -> KnownHosts:
    file.write_text("".join(f"{line}\n" for line in lines))
    return KnownHosts([file])


def _numbers(keys: Sequence[asyncssh.SSHKey]) -> list[int]:
    """Which of our keys these are, each once."""
    data = [key.public_data for key in KEYS]
    return list(dict.fromkeys(data.index(key.public_data) for key in keys))


def _kinds(trusted: TrustedKeys) -> tuple[list[int], list[int], list[int]]:
    """Which keys are trusted as hosts' own and as authorities', and which are revoked."""
    assert trusted[3:] == ([], [], [], [])
    return _numbers(trusted[0]), _numbers(trusted[1]), _numbers(trusted[2])


def _hashed(line: str, directory: Path) -> str:
    """The line as ssh-keygen hashes it."""
    path = directory / "to_hash"
    path.write_text(line + "\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    return path.read_text().strip()


NOTHING: tuple[list[int], list[int], list[int]] = ([], [], [])


@pytest.mark.parametrize(
    ("line", "name", "port", "alias", "own"),
    [
        (f"web1 {ONE}", "web1", 22, None, [0]),
        (f"web1 {ONE}", "web10", 22, None, []),
        (f"web1,web2,10.0.0.1 {ONE}", "web2", 22, None, [0]),
        (f"WEB1,x {ONE}", "Web1", 22, None, [0]),
        (f"web? {ONE}", "web1", 22, None, [0]),
        (f"WEB? {ONE}", "web1", 22, None, [0]),
        (f"*.example {ONE}", "web1.example", 22, None, [0]),
        (f"*.example,!web1.example {ONE}", "web1.example", 22, None, []),
        (f"[web1]:2222 {ONE}", "web1", 2222, None, [0]),
        (f"[web1]:2222 {ONE}", "web1", 22, None, []),
        (f"[web1]:2222 {ONE}", "web1", 2223, None, []),
        (f"web1 {ONE}", "web1", 2222, None, [0]),
        (f"[web*]:2222 {ONE}", "web1", 2222, None, [0]),
        (f"[127.0.0.1]:2222 {ONE}", "127.0.0.1", 2222, None, [0]),
        (f"[::1]:2222 {ONE}", "::1", 2222, None, [0]),
        (f"::1 {ONE}", "::1", 22, None, [0]),
        (f"bastion {ONE}", "web1", 2222, "bastion", [0]),
        (f"BASTION {ONE}", "web1", 2222, "Bastion", [0]),
        (f"web1 {ONE}", "web1", 22, "bastion", []),
        (f"[bastion]:2222 {ONE}", "web1", 2222, "bastion", []),
        (f"web1, {ONE}", "web2", 22, None, []),
        (f"web1,,x {ONE}", "", 22, None, []),
        (f"  web1 \t {ONE} a comment", "web1", 22, None, [0]),
    ],
)
def test_names(file: Path, line: str, name: str, port: int, alias: str | None, own: list[int]) -> None:
    """A host is known by its name, with its port if that is not the usual one, or by its alias alone."""
    assert _kinds(_known(file, line).trusted(name, port, alias)) == (own, [], [])


def test_a_port_of_its_own_comes_before_the_bare_name(file: Path) -> None:
    """The bare name counts where there is nothing for the port."""
    known = _known(file, f"web1 {ONE}", f"[web1]:2222 {TWO}")
    assert [_kinds(known.trusted("web1", port, None))[0] for port in (22, 2222, 2223)] == [[0], [1], [0]]


def test_hashed(file: Path) -> None:
    """Names may be hashed, as Debian does."""
    known = _known(
        file,
        _hashed(f"web1 {ONE}", file.parent),
        _hashed(f"[web2]:2222 {TWO}", file.parent),
    )
    asked = [("web1", 22), ("Web1", 22), ("web2", 2222), ("web2", 22), ("web3", 22), ("", 22)]
    assert [_kinds(known.trusted(name, port, None))[0] for name, port in asked] == [[0], [0], [1], [], [], []]


def test_several_keys(file: Path) -> None:
    """All keys on record for a host are trusted."""
    known = _known(file, f"web1 {ONE}", f"* {TWO}", f"web2 {THREE}")
    assert _kinds(known.trusted("web1", 22, None)) == ([0, 1], [], [])


def test_markers(file: Path) -> None:
    """Authorities and revoked keys are kept apart from hosts' own."""
    known = _known(file, f"@cert-authority *.example {ONE}", f"@revoked * {TWO}", f"web1.example {THREE}")
    assert _kinds(known.trusted("web1.example", 22, None)) == ([2], [0], [1])
    assert _kinds(known.trusted("web1.example", 2222, None)) == ([2], [0], [1])


@pytest.mark.parametrize("line", [f"@revoked [web1]:2222 {ONE}", f"@revoked web1 {ONE}", f"@revoked * {ONE}"])
def test_what_is_revoked_is_not_forgotten(file: Path, line: str) -> None:
    """A key that is on record for the bare name and revoked is revoked for each port."""
    known = _known(file, f"web1 {ONE}", line)
    assert _kinds(known.trusted("web1", 2222, None)) == ([0], [], [0])


BROKEN = [
    "broken",
    "web1 ssh-ed25519",
    f"@unknown web1 {TWO}",
    "@revoked",
    f"|1|bad|hash|x {TWO}",
    f"|2|aaaa|aaaa {TWO}",
    "web1 ssh-ed25519 AAAA",
    "web1 ssh-unknown AAAAC3NzaC1lZDI1NTE5AAAA",
    "\x00\x01",
]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_costs_only_itself(file: Path, line: str) -> None:
    """What cannot be parsed is left out, the lines round it count."""
    known = _known(file, f"web1 {ONE}", line, f"web2 {THREE}")
    assert [_kinds(known.trusted(name, 22, None))[0] for name in ("web1", "web2")] == [[0], [2]]


def test_bytes_that_are_no_text(file: Path) -> None:
    """A comment may be in any encoding."""
    file.write_bytes(f"web1 {ONE} ".encode() + b"\xe4\xff\n# \xfe\n" + f"web2 {TWO} ä\r\n".encode())
    known = KnownHosts([file])
    assert [_kinds(known.trusted(name, 22, None))[0] for name in ("web1", "web2")] == [[0], [1]]


def test_a_name_that_is_no_text(file: Path) -> None:
    """What is left of it is no other host."""
    file.write_bytes(b"w\xc3\xa4eb1 " + ONE.encode() + b"\n")
    assert _kinds(KnownHosts([file]).trusted("web1", 22, None)) == NOTHING


def test_several_files(file: Path) -> None:
    """The entries of all files count; one that is not there has none."""
    other = file.parent / "other"
    file.write_text(f"web1 {ONE}")  # no line end
    other.write_text(f"web2 {TWO}\n")
    known = KnownHosts([file, file.parent / "nope", other])
    assert [_kinds(known.trusted(name, 22, None))[0] for name in ("web1", "web2")] == [[0], [1]]


def test_no_files() -> None:
    """Without files nobody is trusted, and nothing is on record."""
    known = KnownHosts([])
    assert _kinds(known.trusted("web1", 22, None)) == NOTHING
    assert known.places("web1", 22, None) == []


def test_a_file_that_cannot_be_read(file: Path) -> None:
    """The error names it."""
    file.mkdir()
    with pytest.raises(SSHConfigError) as raised:
        KnownHosts([file])
    assert str(raised.value) == f"known hosts {file}: Is a directory"


def test_places(file: Path) -> None:
    """All lines that a host is on record in, whatever they look like, and no others."""
    known = _known(
        file,
        f"web1 {ONE}",
        f"web2,web1 {TWO}",
        "",
        f"# web1 {ONE}",
        _hashed(f"web1 {THREE}", file.parent),
        f"web? {ONE}",
        f"web11 {ONE}",
        f"@revoked WEB1 {ONE}",
        f"[web1]:2222 {ONE}",
        f"[web1]:2223 {ONE}",
        "web1 ssh-ed25519 AAAA",
        *BROKEN,
    )
    lines = {22: [1, 2, 5, 6, 8], 2222: [1, 2, 5, 6, 8, 9]}
    for port, expected in lines.items():
        assert known.places("Web1", port, None) == [f"{file} line {number}" for number in expected]
    assert known.places("other", 22, "web11") == [f"{file} line {number}" for number in (7,)]


async def test_a_large_file_does_not_block(file: Path) -> None:
    """To look up hosts, and to say where they are, takes no long time for a large cluster."""
    lines = [f"node{number},10.0.0.{number} {TEXTS[number % 3]}" for number in range(2000)]
    known = await asyncio.to_thread(_known, file, *lines)
    for number in range(0, 2000, 200):
        assert _kinds(known.trusted(f"node{number}", 22, None))[0] == [number % 3]
        assert known.places(f"node{number}", 22, None) == [f"{file} line {number + 1}"]
        await asyncio.sleep(0)


# -- many hashed names ------------------------------------------------------------------------------


def _hashed_name(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _many(file: Path, *lines: str) -> KnownHosts:
    """So many hashed names that they are not looked through, and some lines."""
    known = _known(file, *(f"{_hashed_name(f'node{number}')} {THREE}" for number in range(201)), *lines)
    assert known.is_long
    return known


def test_few_hashed_names(file: Path) -> None:
    """They can be looked through for each host."""
    assert not _known(file, *(f"{_hashed_name(f'node{number}')} {THREE}" for number in range(200))).is_long


def test_hashed_names_are_looked_through_on_request(file: Path) -> None:
    """Without that hosts' own keys on hashed lines are left out; those with a marker never are."""
    known = _many(
        file,
        f"{_hashed_name('web1')} {ONE}",
        f"@revoked {_hashed_name('web1')} {TWO}",
        f"@cert-authority {_hashed_name('web1')} {THREE}",
    )
    assert _kinds(known.trusted("web1", 22, None)) == ([0], [2], [1])
    assert _kinds(known.trusted("web1", 22, None, scan=False)) == ([], [2], [1])


@pytest.mark.parametrize(
    ("names", "port", "vouched"),
    [
        (["web1"], 22, True),
        (["web2"], 22, False),
        (["[web1]:2222"], 2222, True),
        (["[web1]:2222"], 22, False),
        (["web1"], 2222, True),
        (["web1", "[web1]:2222"], 22, True),
    ],
)
def test_a_key_that_was_shown(file: Path, names: list[str], port: int, vouched: bool) -> None:
    """It is looked for on the lines with this key."""
    known = _many(file, *(f"{_hashed_name(name)} {ONE}" for name in names))
    assert known.vouches("Web1", port, None, KEYS[0]) is vouched
    assert known.vouches("other", port, names[0], KEYS[0])
    assert not known.vouches("web1", port, None, KEYS[1])


def test_a_key_on_record_without_the_port_does_not_count_beside_one_with_it(file: Path) -> None:
    """As in a file that is looked through."""
    known = _many(file, f"{_hashed_name('web1')} {ONE}", f"{_hashed_name('[web1]:2222')} {TWO}")
    assert [known.vouches("web1", 2222, None, key) for key in KEYS] == [False, True, False]


def test_the_kinds_of_hashed_keys(file: Path) -> None:
    """The most frequent first."""
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    known = _many(file, f"{_hashed_name('web1')} {key}")
    assert known.hashed_kinds == (b"ssh-ed25519", b"ecdsa-sha2-nistp256")


@pytest.mark.parametrize(
    "line",
    [
        f"|1|AAAA|AAAA {ONE}",
        f"{_hashed_name('web1').replace('|1|', '|2|')} {ONE}",
        f"{_hashed_name('web1')},web1 {ONE}",
        f"x{_hashed_name('web1')} {ONE}",
    ],
)
def test_hashes_that_are_none(file: Path, line: str) -> None:
    """The line is left out."""
    assert _kinds(_known(file, line).trusted("web1", 22, None)) == NOTHING


async def test_five_thousand_hashed_names_do_not_block(file: Path) -> None:
    """Neither to read nor to check a key that was shown, for all of them."""
    lines = [f"{_hashed_name(f'node{number}')} {TEXTS[number % 3]}" for number in range(5000)]
    known = await asyncio.to_thread(_known, file, *lines)
    by_hand = asyncssh.import_public_key(TEXTS[0])
    assert known.vouches("node0", 22, None, by_hand)
    assert not known.vouches("elsewhere", 22, None, generate_key(""))


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (f"web1 {ONE}", True),
        (f"[web1]:2222 {ONE}", False),
        (f"web* {ONE}", True),
        (f"web*,!web1 {ONE}", False),
        (f"{_hashed_name('web1')} {ONE}", True),
        (f"@cert-authority * {ONE}", True),
        (f"@revoked web1 {ONE}", True),
        (f"@revoked {_hashed_name('web1')} {ONE}", False),
        (f"@revoked * {ONE}", False),
        ("web1 ssh-ed25519 AAAA", False),
    ],
)
def test_known(file: Path, line: str, known: bool) -> None:
    """Whether anything is on record for a host."""
    assert _known(file, line).knows("Web1", 22, None) is known
    assert not _known(file, f"web1 {ONE}").knows("web1", 2222, None)


@pytest.mark.parametrize(
    ("name", "port", "alias", "expected"),
    [
        ("Web1", 22, None, "web1"),
        ("Web1", 23, None, "[web1]:23"),
        ("web1", 23, "B", "b"),
        ("::1", 23, None, "[::1]:23"),
    ],
)
def test_known_as(name: str, port: int, alias: str | None, expected: str) -> None:
    """How a host is written in the file."""
    assert known_as(name, port, alias) == expected


# -- the real ssh as the judge --------------------------------------------------------------------


async def _accepted(config: Path, node: str) -> tuple[bool, bool]:
    """Whether asynctask, and whether ssh, talks to a node."""
    result = await run("true", nodes=[node], ssh=SSHOptions(config=config))
    assert result[node].outcome in {Outcome.OK, Outcome.HOST_KEY}
    finished = await run_ssh(config, node, "true")
    assert finished.code in {0, 255}
    return result[node].ok, finished.code == 0


def _host(known_hosts: Path, port: int, user: str, key: Path, more: str = "") -> str:
    return (
        f"Host *\nPort {port}\nUser {user}\nIdentityFile {key}\nIdentitiesOnly yes\nBatchMode yes\n"
        f"UserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n{more}"
    )


@needs_ssh
@pytest.mark.one_loop("a comparison of two readers of a file")
@pytest.mark.parametrize(
    ("lines", "more", "expected"),
    [
        ("[{node}]:{port} {key}", "", True),
        ("{node} {key}", "", True),
        ("[{node}]:{port} {other}", "", False),
        ("", "", False),
        ("[{node}]:{port} {other}\n[{node}]:{port} {key}", "", True),
        ("[{node}]:{port} {other}\n{node} {key}", "", False),
        ("{node} {key}\n@revoked [{node}]:{port} {key}", "", False),
        ("{node} {key}\n@revoked * {key}", "", False),
        ("[{node}]:{port} {key}\n@revoked * {key}", "", False),
        ("[{node}]:{port} {key}\n@revoked elsewhere {key}", "", True),
        ("[{node}]:{port} {key}\n@revoked * {other}", "", True),
        ("@cert-authority * {key}", "", False),
        ("broken\n[{node}]:{port} {key}", "", True),
        ("[127.0.0.?]:* {key}", "", True),
        ("[127.0.0.?]:*,![{node}]:{port} {key}", "", False),
        ("{node}, {key}", "", True),
        ("elsewhere, {key}", "", False),
        ("FOO {key}", "HostKeyAlias Foo\n", True),
        ("[foo]:{port} {key}", "HostKeyAlias foo\n", False),
        ("[{node}]:{port} {key}", "HostKeyAlias foo\n", False),
        ("{hashed} {key}", "", True),
        ("{hashed} {other}", "", False),
        ("@revoked {hashed} {key}\n{node} {key}", "", False),
        ("@revoked {hashed} {other}\n{node} {key}", "", True),
        ("!{node},* {key}", "", True),
        ("![{node}]:{port},* {key}", "", True),
        ("![{node}]:{port},[{node}]:* {key}", "", False),
        ("[127.0.0.[0-9]]:* {key}", "", False),
        ("{node}\\, {key}", "", False),
        ("\t[{node}]:{port}\t{key}\r", "", True),
        ("# [{node}]:{port} {key}", "", False),
        ("@Revoked * {key}\n[{node}]:{port} {key}", "", True),
        ("@revoked [{node}]:{port}, {key}\n{node} {key}", "", False),
    ],
)
async def test_as_ssh(sshd: OpenSSHServer, file: Path, lines: str, more: str, expected: bool) -> None:
    """The same lines let us, and ssh, talk to a real server or not."""
    node, port = sshd.address("n1")
    key = sshd.files.known_hosts.read_text().split("\n")[0].split(" ", 1)[1]
    hashed = _hashed_name(f"[{node}]:{port}")
    file.write_text(lines.format(node=node, port=port, key=key, other=TWO, hashed=hashed) + "\n")
    config = file.parent / "config"
    config.write_text(_host(file, port, sshd.user, sshd.files.key_file, more))
    assert await _accepted(config, node) == (expected, expected)


@needs_ssh
@pytest.mark.parametrize(
    ("lines", "principals", "more", "expected"),
    [
        ("@cert-authority * {ca}", ["127.0.0.1"], "", True),
        ("@cert-authority 127.0.0.* {ca}", ["127.0.0.1"], "", True),
        ("@cert-authority * {ca}", ["web1"], "", False),
        ("@cert-authority * {ca}", [], "", True),
        ("@cert-authority * {ca}", ["web1"], "HostKeyAlias web1\n", True),
        ("@cert-authority * {other}", ["127.0.0.1"], "", False),
        ("@cert-authority elsewhere {ca}", ["127.0.0.1"], "", False),
        ("@cert-authority * {ca}\n@revoked * {ca}", ["127.0.0.1"], "", False),
        ("[127.0.0.1]:{port} {ca}", ["127.0.0.1"], "", False),
        ("[127.0.0.1]:{port} {key}", ["127.0.0.1"], "", True),
        ("[127.0.0.1]:{port} {key}\n@cert-authority * {ca}", ["127.0.0.1"], "", True),
    ],
)
async def test_certificates_as_ssh(
    scripted: ScriptedFactory, file: Path, lines: str, principals: list[str], more: str, expected: bool
) -> None:
    """A host certificate is good for the names in it, if its authority is trusted for this host."""
    authority, own, _ = KEYS
    certificate = authority.generate_host_certificate(own, "test", principals=principals)
    server = await scripted(
        server_host_keys=[(own, certificate)], on_start=lambda session: session.channel.exit(0)
    )
    file.write_text(lines.format(ca=ONE, key=TWO, other=THREE, port=server.port) + "\n")
    (key,) = server.options.identity_files or ()
    Path(key).chmod(0o600)
    config = file.parent / "config"
    config.write_text(f"Host web\n  HostName {NODE}\n" + _host(file, server.port, "tester", Path(key), more))
    assert await _accepted(config, "web") == (expected, expected)


@needs_ssh
@pytest.mark.parametrize(
    ("valid_before", "of_a_user", "expected"), [("+1h", False, True), (2, False, False), ("+1h", True, False)]
)
async def test_certificates_that_are_not_valid_as_ssh(
    scripted: ScriptedFactory, file: Path, valid_before: int | str, of_a_user: bool, expected: bool
) -> None:
    """One that has expired, or that is not for hosts, is not taken."""
    authority, own, _ = KEYS
    generate = authority.generate_user_certificate if of_a_user else authority.generate_host_certificate
    certificate = generate(own, "test", principals=[NODE], valid_after=1, valid_before=valid_before)
    server = await scripted(
        server_host_keys=[(own, certificate)], on_start=lambda session: session.channel.exit(0)
    )
    file.write_text(f"@cert-authority * {ONE}\n")
    (key,) = server.options.identity_files or ()
    Path(key).chmod(0o600)
    config = file.parent / "config"
    config.write_text(f"Host web\n  HostName {NODE}\n" + _host(file, server.port, "tester", Path(key)))
    assert await _accepted(config, "web") == (expected, expected)
