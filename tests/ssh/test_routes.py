"""Tests of asynctask.ssh.routes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.hostkeys import KnownHosts
from asynctask.ssh.keys import KeyRing
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.routes import Route, Router
from asynctask.testing.clientfiles import generate_key
from tests.ssh.agents import RealAgent

KEY = generate_key("").export_public_key("openssh").decode().strip()

MakeRouter = Callable[..., Router]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The place of a configuration file."""
    return tmp_path / "config"


@pytest.fixture
def router(config: Path) -> MakeRouter:
    """Makes a router for a configuration and options."""

    def make(text: str = "", ring: KeyRing | None = None, **options: Any) -> Router:
        config.write_text(text)
        return Router(SSHOptions(config=False, **options), SSHConfig([config]), ring or KeyRing())

    return make


def _key(path: Path) -> Path:
    path.touch(mode=0o600)
    key = generate_key(path.name)
    path.write_bytes(key.export_private_key("openssh"))
    path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key("openssh"))
    return path


async def test_nothing_configured(router: MakeRouter) -> None:
    """A node is a host, on port 22, for whoever runs this."""
    route = await router().route("Web1.Example")
    assert (route.node, route.host, route.port, route.alias) == ("Web1.Example", "web1.example", 22, None)
    assert route.user == SSHConfig().local_user == route.options.username
    assert (route.trusted, list(route.keys)) == (([],) * 7, [])


async def test_the_configuration(router: MakeRouter) -> None:
    """What the configuration says is done."""
    text = "Host web1\n HostName %h.example\n Port 2222\n User bob\n HostKeyAlias web\n"
    route = await router(text).route("web1")
    assert (route.host, route.port, route.user, route.alias) == ("web1.example", 2222, "bob", "web")


async def test_the_caller_comes_first(router: MakeRouter) -> None:
    """What the caller says counts more than the configuration."""
    route = await router("Port 2222\nUser bob\n", port=23, user="tom").route("web1")
    assert (route.port, route.user, route.options.username) == (23, "tom", "tom")


@pytest.mark.parametrize(
    ("configured", "said", "checked"),
    [
        (None, None, True),
        ("yes", None, True),
        ("ask", None, True),
        ("accept-new", None, True),
        ("No", None, False),
        ("off", None, False),
        ("no", "strict", True),
        ("yes", "off", False),
    ],
)
async def test_host_keys(router: MakeRouter, configured: str | None, said: str | None, checked: bool) -> None:
    """Host keys are checked unless somebody clearly said no."""
    text = "" if configured is None else f"StrictHostKeyChecking {configured}\n"
    route = await router(text, host_keys=said).route("web1")
    assert (route.trusted is not None) is checked


@pytest.fixture
def with_settings(config: Path) -> MakeRouter:
    """Makes a router for a configuration and lines that count before it."""

    def make(text: str, *settings: str, **options: Any) -> Router:
        config.write_text(text)
        given = SSHOptions(config=config, settings=settings, **options)
        return Router(given, SSHConfig(given.config_files(), given.settings), KeyRing())

    return make


async def test_settings_are_for_the_node(with_settings: MakeRouter) -> None:
    """They count before the file, after the caller's options, and not for hosts on the way."""
    settings = ("Port=7", "User=bob", "StrictHostKeyChecking=no")
    router = with_settings("Port 5\nHost web1\n ProxyJump gate\n", *settings, user="tom")

    route = await router.route("web1")

    assert (route.user, route.port, route.policy) == ("tom", 7, "off")
    assert route.via is not None
    assert (route.via.user, route.via.port, route.via.policy) == (ME, 5, "strict")


async def test_a_weak_setting_is_said_aloud(
    with_settings: MakeRouter, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, as the option itself; the option counts before the setting."""
    router = with_settings("", "StrictHostKeyChecking=no")
    await router.route("web1")
    await router.route("web2")
    strict = with_settings("", "StrictHostKeyChecking=no", host_keys="strict")
    route = await strict.route("web1")

    assert route.policy == "strict"
    assert [record.getMessage() for record in caplog.records] == [
        "host keys are not checked: who is between here and the nodes can read and change everything"
    ]


async def test_a_setting_of_no_effect_is_said(
    with_settings: MakeRouter, caplog: pytest.LogCaptureFixture
) -> None:
    """With its line, as one of a file."""
    await with_settings("", "Port=1", "GSSAPIAuthentication=yes").route("web1")
    assert [record.getMessage() for record in caplog.records] == [
        "SSH configuration settings line 2: GSSAPIAuthentication has no effect here"
    ]


async def test_known_hosts_are_read_once(
    router: MakeRouter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes with the same files share them."""
    (home / ".ssh" / "known_hosts").write_text(f"web1 {KEY}\nweb2 {KEY}\n")
    made: list[tuple[Path, ...]] = []

    class Counting(KnownHosts):
        def __init__(self, paths: tuple[Path, ...]) -> None:
            made.append(paths)
            super().__init__(paths)

    monkeypatch.setattr("asynctask.ssh.routes.KnownHosts", Counting)
    one = router("Host other\n UserKnownHostsFile /nope\n")
    routes = [await one.route(name) for name in ("web1", "web2", "web3", "other", "web1")]
    assert [len(route.trusted[0]) for route in routes if route.trusted is not None] == [1, 1, 0, 0, 1]
    system = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
    assert made == [
        (home / ".ssh" / "known_hosts", home / ".ssh" / "known_hosts2", *system),
        (Path("/nope"), *system),
    ]


async def test_known_hosts_of_the_caller(router: MakeRouter, tmp_path: Path) -> None:
    """They are the only ones."""
    (tmp_path / "mine").write_text(f"web1 {KEY}\n")
    route = await router("UserKnownHostsFile /other\n", known_hosts=[tmp_path / "mine"]).route("web1")
    assert route.known_hosts.paths == (tmp_path / "mine",)
    assert route.trusted is not None
    assert len(route.trusted[0]) == 1


async def test_keys(router: MakeRouter, home: Path) -> None:
    """The configured files, or the default ones; nodes with the same files share the keys."""
    default = _key(home / ".ssh" / "id_ed25519")
    one, two = _key(home / "one"), _key(home / "two")
    made = router(
        f"Host a?\n IdentityFile {one}\nHost a* b\n IdentityFile ~/two\nHost c\n IdentityFile none\n"
    )
    routes = {name: await made.route(name) for name in ("a1", "a2", "b", "c", "d")}
    public = {path.name: asyncssh.read_public_key(f"{path}.pub").public_data for path in (one, two, default)}
    offered = {name: [pair.public_data for pair in route.keys] for name, route in routes.items()}
    assert offered == {
        "a1": [public["one"], public["two"]],
        "a2": [public["one"], public["two"]],
        "b": [public["two"]],
        "c": [],
        "d": [public["id_ed25519"]],
    }
    assert routes["a1"].keys is routes["a2"].keys


async def test_keys_of_the_caller(router: MakeRouter, home: Path) -> None:
    """They replace all others, and must be there and be keys."""
    _key(home / ".ssh" / "id_ed25519")
    one = _key(home / "one")
    assert len((await router("", identity_files=[one]).route("a")).keys) == 1
    assert len((await router("", identity_files=[]).route("a")).keys) == 0
    with pytest.raises(SSHConfigError, match=f"^private key {home}/nope: no such file$"):
        await router("", identity_files=[home / "nope"]).route("a")
    (home / "nope").write_text("no key")
    with pytest.raises(SSHConfigError, match=f"^private key {home}/nope: "):
        await router("", identity_files=[home / "nope"]).route("a")


async def test_a_configured_certificate(router: MakeRouter, home: Path) -> None:
    """CertificateFile adds a certificate to its key."""
    key = _key(home / "one")
    certificate = generate_key("ca").generate_user_certificate(
        asyncssh.read_private_key(key), "me", principals=["me"]
    )
    (home / "elsewhere").write_bytes(certificate.export_certificate())
    route = await router(f"IdentityFile {key}\nCertificateFile ~/elsewhere\n").route("a")
    assert [pair.has_cert for pair in route.keys] == [True, False]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", {}, 1),
        ("IdentityAgent SSH_AUTH_SOCK\n", {}, 1),
        ("IdentityAgent $SSH_AUTH_SOCK\n", {}, 1),
        ("IdentityAgent ${SSH_AUTH_SOCK}\n", {}, 1),
        ("IdentityAgent {socket}\n", {}, 1),
        ("IdentityAgent none\n", {}, 0),
        ("IdentityAgent /nope\n", {}, 0),
        ("IdentityAgent $NOWHERE\n", {}, 0),
        ("IdentitiesOnly yes\n", {}, 0),
        ("", {"agent": False}, 0),
    ],
)
async def test_the_agent(
    router: MakeRouter,
    home: Path,
    agent: RealAgent,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: dict[str, Any],
    expected: int,
) -> None:
    """The agent of the environment is asked, or the one that is configured, or none."""
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.socket)
    await agent.add(_key(home / "one"))
    ring = KeyRing()
    route = await router(text.replace("{socket}", agent.socket), ring, **options).route("a")
    await ring.aclose()
    assert len(route.keys) == expected


async def test_names_that_lead_nowhere(router: MakeRouter) -> None:
    """Files that cannot be there are not there."""
    text = "".join(
        f"{keyword} {name}\n"
        for keyword in ("IdentityFile", "CertificateFile", "UserKnownHostsFile", "IdentityAgent")
        for name in ("~no-such-user/x", "/nope/" + "x" * 300, "." * 300)
    )
    assert list((await router(text).route("a")).keys) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ProxyJump a b\n",
            "ProxyJump: target 'a b': a blank or control character in it; remove it",
        ),
        ("Host a\n ProxyJump b\nHost b\n ProxyJump a\n", "ProxyJump goes in a circle: a behind b behind a"),
        ("ProxyJump %h.gate\n", "ProxyJump leads from a through more than 8 hosts"),
        ("Port x\n", "SSH configuration {} line 1: port 'x' is no number from 1 to 65535"),
        ("Port 70000\n", "SSH configuration {} line 1: port '70000' is no number from 1 to 65535"),
        ("ServerAliveInterval x\n", "SSH configuration {} line 1: serveraliveinterval 'x' is no time"),
        (
            "ServerAliveCountMax x\n",
            "SSH configuration {} line 1: serveralivecountmax 'x' is no number from 0 to 2147483647",
        ),
    ],
)
async def test_what_cannot_be_followed(router: MakeRouter, config: Path, text: str, message: str) -> None:
    """The configuration of a node is followed or the node is not talked to."""
    with pytest.raises(SSHConfigError) as raised:
        await router(text).route("a")
    assert str(raised.value) == message.format(config)


# -- the way ------------------------------------------------------------------------------------------


def _way(route: Route | None) -> list[tuple[str, str, int]]:
    """User, host and port of each stage, from here to the node."""
    way: list[tuple[str, str, int]] = []
    while route is not None:
        way.insert(0, (route.user, route.host, route.port))
        route = route.via
    return way


ME = SSHConfig().local_user


@pytest.mark.parametrize(
    ("text", "options", "way"),
    [
        ("ProxyJump b\n", {}, [(ME, "b", 22), (ME, "web1", 22)]),
        ("Host web1\n ProxyJump u@b:2222,c\n", {}, [("u", "b", 2222), (ME, "c", 22), (ME, "web1", 22)]),
        ("ProxyJump none\n", {}, [(ME, "web1", 22)]),
        ("Host web1\n ProxyJump %h.gate\n", {}, [(ME, "web1.gate", 22), (ME, "web1", 22)]),
        (
            "Host web1\n ProxyJump b\nHost b\n ProxyJump c\n Port 2\n User u\n",
            {},
            [(ME, "c", 22), ("u", "b", 2), (ME, "web1", 22)],
        ),
        # Explicit hosts stand for all of the way up to them; the first has its own.
        (
            "Host web1\n ProxyJump b,c\nHost b\n ProxyJump d\nHost c\n ProxyJump e\n",
            {},
            [(ME, "d", 22), (ME, "b", 22), (ME, "c", 22), (ME, "web1", 22)],
        ),
        # A user and a port are for the node.
        ("ProxyJump b\n", {"user": "u", "port": 5}, [(ME, "b", 22), ("u", "web1", 5)]),
        ("Host web1\n ProxyJump b\n", {"jump": "x"}, [(ME, "x", 22), (ME, "web1", 22)]),
        ("ProxyJump b\n", {"jump": "none"}, [(ME, "web1", 22)]),
        ("ProxyJump web1\n", {}, [(ME, "web1", 22)]),
        ("ProxyJump [::1]:22\n", {}, [(ME, "::1", 22), (ME, "web1", 22)]),
    ],
)
async def test_hosts_on_the_way(
    router: MakeRouter, text: str, options: dict[str, Any], way: list[tuple[str, str, int]]
) -> None:
    """As the options say, else as the configuration of each host says."""
    assert _way(await router(text, **options).route("web1")) == way


async def test_bastions_are_checked_like_nodes(router: MakeRouter) -> None:
    """Each stage has host keys, keys and options of its own."""
    route = await router(
        "Host b\n HostKeyAlias gate\n StrictHostKeyChecking no\nHost a\n ProxyJump b\n"
    ).route("a")
    assert route.via is not None
    assert (route.policy, route.via.policy, route.via.alias, route.via.trusted) == (
        "strict",
        "off",
        "gate",
        None,
    )


@pytest.mark.parametrize(
    ("text", "options", "proxy"),
    [
        ("ProxyCommand nc %h %p\n", {}, "nc web1 22"),
        ("ProxyCommand none\n", {}, None),
        ("ProxyCommand nc %%h\n", {}, "nc %h"),
        ("ProxyJump b\nProxyCommand nc x\n", {}, None),
        ("ProxyCommand nc x\n", {"jump": "none"}, None),
    ],
)
async def test_a_command_on_the_way(
    router: MakeRouter, text: str, options: dict[str, Any], proxy: str | None
) -> None:
    """With its tokens; hosts on the way that come first rule it out."""
    assert (await router(text, **options).route("web1")).proxy == proxy


@pytest.mark.parametrize(
    ("node", "way", "place"),
    [
        ("web1", (ME, "web1", 22), "web1"),
        ("u@web1", ("u", "web1", 22), "u@web1"),
        ("u@web1:7", ("u", "web1", 7), "u@web1:7"),
        ("web1:7", (ME, "web1", 7), "web1:7"),
    ],
)
async def test_targets(router: MakeRouter, node: str, way: tuple[str, str, int], place: str) -> None:
    """What a target says comes before the options; the node keeps the name that it was given."""
    route = await router().route(node)
    assert ((route.user, route.host, route.port), route.node) == (way, place)
    other = await router(user="x", port=9).route(node)
    assert (other.user, other.port) == ("u" if "@" in node else "x", 7 if ":" in node else 9)


async def test_who_can_share_a_connection(router: MakeRouter) -> None:
    """The same user at the same place by the same way, whatever it is called."""
    made = router("Host x y\n HostName web1\nHost z\n HostName web1\n ProxyJump b\n")
    places = [(await made.route(name)).place for name in ("x", "y", "u@x", "x:7", "z")]
    assert places[0] == places[1]
    assert len(set(places)) == 4


@pytest.mark.parametrize(
    "setting",
    [
        "StrictHostKeyChecking no",
        "StrictHostKeyChecking accept-new",
        "UserKnownHostsFile /dev/null",
        "BindAddress 127.0.0.1",
        "AddressFamily inet6",
    ],
)
async def test_who_cannot_share_a_connection(router: MakeRouter, setting: str) -> None:
    """Who trusts others, or comes by another way."""
    made = router(f"Host x y\n HostName web1\nHost y\n {setting}\n")
    x, y = [await made.route(name) for name in ("x", "y")]
    assert x.place != y.place


async def test_who_logs_in_by_other_keys_cannot_share(router: MakeRouter) -> None:
    """A key may stand for another person, or for another command."""
    route = await router().route("a")
    key = asyncssh.load_keypairs([asyncssh.generate_private_key("ssh-ed25519")])
    assert replace(route, keys=key).place != route.place


async def test_a_route_is_found_once(router: MakeRouter) -> None:
    """It does not change while the router lives."""
    made = router()
    assert await made.route("a") is await made.route("a")


@pytest.mark.parametrize(
    ("text", "options", "forwarded"),
    [
        ("", {}, None),
        ("ForwardAgent yes\n", {}, "/agent"),
        ("ForwardAgent yes\n", {"agent_forwarding": False}, None),
        ("", {"agent_forwarding": True}, "/agent"),
        ("ForwardAgent /other\n", {}, "/other"),
        ("ForwardAgent $OTHER\n", {}, "/elsewhere"),
        ("", {"agent_forwarding": True, "agent": False}, None),
    ],
)
async def test_agent_forwarding(
    router: MakeRouter,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: dict[str, Any],
    forwarded: str | None,
) -> None:
    """Only where it is asked for."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    monkeypatch.setenv("OTHER", "/elsewhere")
    assert (await router(text, **options).route("a")).agent == forwarded


async def test_what_is_sent_along(router: MakeRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration names variables and sets some; no ``repr`` shows them."""
    monkeypatch.setenv("LC_X", "secret")
    route = await router("SendEnv LC_X\nSetEnv A=1\n").route("a")
    assert route.environment == {"LC_X": "secret", "A": "1"}
    assert "secret" not in repr(route)


async def test_how_to_get_there(router: MakeRouter) -> None:
    """Addresses, time, and under what a new key is recorded."""
    route = await router(
        "AddressFamily inet6\nBindAddress 127.0.0.9\nConnectTimeout 7\nHashKnownHosts yes\n"
    ).route("a")
    assert (route.family, route.bind, route.connect_timeout, route.hashed) == (
        socket.AF_INET6,
        ("127.0.0.9", 0),
        7,
        True,
    )
    plain = await router().route("a")
    assert (plain.family, plain.bind, plain.connect_timeout, plain.hashed) == (0, None, None, False)


async def test_what_has_no_effect_is_said_once(
    router: MakeRouter, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By name, with its place, for however many nodes."""
    made = router("RemoteCommand x\n")
    for name in ("a", "b"):
        await made.route(name)
    assert [record.getMessage() for record in caplog.records] == [
        f"SSH configuration {config} line 1: RemoteCommand has no effect here"
    ]


async def test_unchecked_host_keys_are_said_loudly(
    router: MakeRouter, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, as a warning."""
    made = router(host_keys="off")
    for name in ("a", "b"):
        await made.route(name)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.WARNING,
            "host keys are not checked: who is between here and the nodes can read and change everything",
        )
    ]


async def test_nothing_of_the_users_environment_is_asked(
    router: MakeRouter, home: Path, monkeypatch: pytest.MonkeyPatch, agent: RealAgent
) -> None:
    """asyncssh itself reads no configuration, no key and asks no agent."""
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.socket)
    (home / ".ssh" / "config").write_text("User liar\nCompression yes\n")
    _key(home / ".ssh" / "id_ed25519")
    options = (await router("", agent=False, identity_files=()).route("a")).options
    assert (options.client_keys, options.agent_path, options.agent_forward_path) == (None, None, None)
    assert (options.config.get("Compression"), options.gss_host, options.tunnel) == (None, None, None)
    assert options.username != "liar"


async def test_no_private_key_is_shown(router: MakeRouter, home: Path) -> None:
    """A route can be printed."""
    key = _key(home / "one")
    route = await router(f"IdentityFile {key}\n").route("a")
    assert not [line for line in key.read_text().splitlines()[1:-1] if line in repr(route)]
