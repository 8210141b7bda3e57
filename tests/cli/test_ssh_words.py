"""Options of ssh."""

from __future__ import annotations

import pytest

from asynctask.cli.ssh_words import SSHWords, parse, read_words
from asynctask.errors import UsageError
from asynctask.ssh.options import SSHOptions

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", ()),
        ("-p 2222", ("Port=2222",)),
        ("-p2222 -lbob", ("Port=2222", "User=bob")),
        ("-oPort=2222 -o 'ConnectTimeout 5'", ("Port=2222", "ConnectTimeout 5")),
        ("-i key -i 'my key'", ("IdentityFile=key", 'IdentityFile="my key"')),
        (r"""-i 'a"b\c'""", (r'IdentityFile="a\"b\\c"',)),
        ("-J me@bastion:2200,inner", ("ProxyJump=me@bastion:2200,inner",)),
        ("-o 'ProxyCommand=nc -q0 %h %p'", ("ProxyCommand=nc -q0 %h %p",)),
        ("-4AC", ("AddressFamily=inet", "ForwardAgent=yes", "Compression=yes")),
        ("-6a", ("AddressFamily=inet6", "ForwardAgent=no")),
        ("-c aes128-ctr -m hmac-sha2-256", ("Ciphers=aes128-ctr", "MACs=hmac-sha2-256")),
        ("-b 127.0.0.2", ("BindAddress=127.0.0.2",)),
        ("-oStrictHostKeyChecking=no", ("StrictHostKeyChecking=no",)),
        ("ConnectTimeout=5", ("ConnectTimeout=5",)),
        ("ProxyCommand=nc -q0 %h %p", ("ProxyCommand=nc -q0 %h %p",)),
        ("-x -T -n -q -vvv -k -y", ()),
        ("-o ControlMaster=no", ("ControlMaster=no",)),
    ],
)
def test_options_are_lines_of_configuration(text: str, settings: tuple[str, ...]) -> None:
    """Each as OpenSSH says it in its own configuration, and what means nothing here is none."""
    words = read_words(text)

    assert words == SSHWords(settings)
    assert SSHOptions(settings=words.settings).settings == settings


def test_another_configuration() -> None:
    """-F is no line of one."""
    assert read_words("-F my_config -p 22") == SSHWords(("Port=22",), "my_config")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-t", "ssh option -t: it is not for commands on many nodes"),
        ("-4N", "ssh option -N: it is not for commands on many nodes"),
        ("-L 80:a:80", "ssh option -L: it is not for commands on many nodes"),
        ("-K", "ssh option -K: only the system's ssh can do it: -R openssh"),
        ("-I /lib/p11.so", "ssh option -I: only the system's ssh can do it: -R openssh"),
        ("-Z", "ssh option -Z: ssh has no such option"),
        ("-p", "ssh option -p: it needs a value"),
        ("web1", "ssh option 'web1': options begin with -; nodes and commands have their own place"),
        ("-p 22 --", "ssh option '--': options begin with -; nodes and commands have their own place"),
        ("-p none", "ssh option -o Port=none: port 'none' is no number from 1 to 65535"),
        ("-l ''", "ssh option -o User=: User has no value"),
        ("-o Port", "ssh option -o Port: Port has no value"),
        (
            "-o Compression=maybe",
            "ssh option -o Compression=maybe: compression 'maybe' is neither yes nor no",
        ),
        ("-o ConnectTimeout=soon", "ssh option -o ConnectTimeout=soon: connecttimeout 'soon' is no time"),
        ("-o Host=web1", "ssh option -o Host=web1: Host belongs into a file"),
        ("-o Colour=red", "ssh option -o Colour=red: ssh has no such keyword"),
        (
            "-o GSSAPIAuthentication=yes",
            "ssh option -o GSSAPIAuthentication=yes: only the system's ssh can do it: -R openssh",
        ),
        ("-o RemoteCommand=ls", "ssh option -o RemoteCommand=ls: it changes what runs"),
        ("-o 'a", """-o "-o 'a": no closing quotation; ssh's options, as a shell reads them"""),
    ],
)
def test_what_cannot_be_followed(text: str, message: str) -> None:
    """The error names it and says why."""
    with pytest.raises(UsageError) as raised:
        read_words(text)
    assert str(raised.value) == message


def test_what_only_the_system_can_do() -> None:
    """With its ssh it can be had; what changes the command cannot."""
    assert read_words("-K -o GSSAPIAuthentication=yes", "openssh").settings == ("GSSAPIAuthentication=yes",)
    with pytest.raises(UsageError, match=r"^ssh option -W: it is not for"):
        read_words("-W a:1", "openssh")


def test_words() -> None:
    """They are split as a shell does it."""
    assert parse("BatchMode=yes") == ["-o", "BatchMode=yes"]
    assert parse("-i 'my key'  -p 22") == ["-i", "my key", "-p", "22"]


@pytest.mark.parametrize(
    ("text", "asks_nobody"),
    [("", False), ("-o BatchMode=yes", True), ("-o 'batchmode no' -o BatchMode=yes", False)],
)
def test_batch_mode(text: str, asks_nobody: bool) -> None:
    """The first value counts."""
    assert read_words(text).asks_nobody is asks_nobody
