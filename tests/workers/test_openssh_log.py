"""Tests of asynctask.workers.openssh_log: what ssh says, in our words."""

from __future__ import annotations

import pytest

from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    HostKeyError,
)
from asynctask.workers.openssh_log import Place, SSHLog, failure

PLACE = Place("10.0.0.1", 22, "me", None, "/k/h")
CHANGED = """\
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Add correct host key in /k/h to get rid of this message.
Offending ED25519 key in /k/h:7
Host key verification failed."""
REVOKED = """\
@       WARNING: REVOKED HOST KEY DETECTED!               @
Host key verification failed."""
COMPARE = "connect once with ssh and compare the key"
DROPPED = "it may be throttling (MaxStartups): lower the fanout"


def read(text: str) -> SSHLog:
    """A log that was read in small pieces."""
    log = SSHLog()
    data = text.encode() + b"\n"
    for start in range(0, len(data), 7):
        log.feed(data[start : start + 7])
    return log


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "ssh: Could not resolve hostname web1: Name or service not known",
            ConnectionFailedError,
            "unknown host name web1 (Name or service not known); check its spelling, DNS or /etc/hosts",
        ),
        (
            "ssh: connect to host 10.0.0.1 port 22: Connection refused",
            ConnectionRefusedByNodeError,
            "port 22 of 10.0.0.1 refused the connection; is sshd running there, on this port?",
        ),
        (
            "ssh: connect to host 10.0.0.1 port 22: No route to host",
            ConnectionFailedError,
            "port 22 of 10.0.0.1: No route to host",
        ),
        (
            "ssh: connect to host 10.0.0.1 port 22: Connection timed out",
            ConnectionFailedError,
            "port 22 of 10.0.0.1: Connection timed out",
        ),
        (
            "Connection timed out during banner exchange\nConnection to 10.0.0.1 port 22 timed out",
            ConnectionFailedError,
            (
                "port 22 of 10.0.0.1 did not answer (Connection timed out during banner exchange);"
                " is sshd running there?"
            ),
        ),
        (
            "debug1: Offering public key: /k ED25519\nme@10.0.0.1: Permission denied (publickey).",
            AuthenticationError,
            (
                "login as me refused, 1 key offered; put one of your public keys into authorized_keys there:"
                " ssh-copy-id -p 22 me@10.0.0.1"
            ),
        ),
        (
            "me@10.0.0.1: Permission denied (publickey,password).",
            AuthenticationError,
            (
                "login as me refused, 0 keys offered; the server takes publickey,password;"
                " no private key was found: make one with ssh-keygen, or start ssh-agent"
            ),
        ),
        (
            (
                "debug1: Offering public key: a\ndebug1: Offering public key: b\n"
                "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n"
                "Disconnected from 10.0.0.1 port 22"
            ),
            AuthenticationError,
            (
                "login as me refused, the server takes fewer than the 2 keys offered;"
                " say which with IdentityFile and IdentitiesOnly"
            ),
        ),
        (
            "Host key verification failed.",
            HostKeyError,
            f"host key unknown: 10.0.0.1 is not in /k/h; {COMPARE}: ssh -p 22 me@10.0.0.1",
        ),
        (
            CHANGED,
            HostKeyError,
            (
                "host key changed; the known one is in /k/h line 7;"
                " if that is right, remove it with ssh-keygen -R '10.0.0.1' -f /k/h"
            ),
        ),
        (REVOKED, HostKeyError, "host key is revoked; do not connect; ask who runs this machine"),
        (
            "Unable to negotiate with 10.0.0.1 port 22: no matching cipher found. Their offer: x",
            ConnectionFailedError,
            "port 22 of 10.0.0.1: no common algorithm (no matching cipher found. Their offer: x)",
        ),
        (
            (
                "kex_exchange_identification: read: Connection reset by peer\n"
                "Connection reset by 10.0.0.1 port 22"
            ),
            ConnectionDroppedError,
            (
                "port 22 of 10.0.0.1 closed the connection before the login"
                f" (kex_exchange_identification: read: Connection reset by peer); {DROPPED}"
            ),
        ),
        (
            (
                "debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups\n"
                "kex_exchange_identification: Connection closed by remote host"
            ),
            ConnectionDroppedError,
            f"port 22 of 10.0.0.1 closed the connection before the login (Exceeded MaxStartups); {DROPPED}",
        ),
        (
            (
                "debug1: kex_exchange_identification: banner line 0: Not allowed at this time\n"
                "kex_exchange_identification: Connection closed by remote host"
            ),
            ConnectionFailedError,
            (
                "port 22 of 10.0.0.1 takes no connection from here for now (Not allowed at this time);"
                " it punishes failed logins (PerSourcePenalties): wait some minutes, and find out what failed"
            ),
        ),
        (
            (
                "kex_exchange_identification: banner line contains invalid characters\n"
                "banner exchange: Connection to 10.0.0.1 port 22: invalid format"
            ),
            ConnectionFailedError,
            (
                "port 22 of 10.0.0.1: the SSH handshake failed"
                " (banner exchange: Connection to 10.0.0.1 port 22: invalid format)"
            ),
        ),
        ("", ConnectionFailedError, "port 22 of 10.0.0.1: the SSH handshake failed (no reason given)"),
    ],
)
def test_failures(text: str, kind: type[Exception], message: str) -> None:
    """Each has its kind and says what to do."""
    error = failure("web1", PLACE, read(text), "")
    assert (type(error), str(error)) == (kind, f"web1: {message}")


@pytest.mark.parametrize(
    ("noise", "kind", "message"),
    [
        (
            "ssh: connect to host bastion port 22: Connection refused",
            ConnectionRefusedByNodeError,
            "port 22 of bastion refused the connection; is sshd running there, on this port?",
        ),
        (
            "me@bastion: Permission denied (publickey).",
            AuthenticationError,
            "login on the way there refused (me@bastion: Permission denied (publickey))",
        ),
        (
            "Host key verification failed.",
            HostKeyError,
            f"host key on the way there not trusted (Host key verification failed.); {COMPARE}",
        ),
        ("sorry, no\x1b[2J", ConnectionFailedError, "the way there failed (sorry, no\\x1b[2J)"),
        (
            "Connection closed by 10.9.9.9 port 22",
            ConnectionDroppedError,
            "the way there failed (Connection closed by 10.9.9.9 port 22)",
        ),
    ],
)
def test_failures_on_the_way(noise: str, kind: type[Exception], message: str) -> None:
    """What a jump host or proxy command said counts, where ssh only sees that it hung up."""
    log = read(
        "debug1: Executing proxy command: exec x\n"
        "kex_exchange_identification: Connection closed by remote host\n"
        "Connection closed by UNKNOWN port 65535"
    )
    error = failure("web1", PLACE, log, f"{noise}\n")
    assert (type(error), str(error)) == (kind, f"web1: {message}")


def test_a_banner_is_no_failure() -> None:
    """What a server shows at login counts only where something stands between."""
    log = read("me@10.0.0.1: Permission denied (publickey).")
    error = failure("web1", PLACE, log, "Host key verification failed.\n")
    assert type(error) is AuthenticationError


def test_an_alias_is_what_known_hosts_calls_it() -> None:
    """So it is what the user has to look for."""
    error = failure("web1", PLACE._replace(alias="one"), read("Host key verification failed."), "")
    assert str(error) == (f"web1: host key unknown: one is not in /k/h; {COMPARE}: ssh web1")


def test_throttling_is_told() -> None:
    """A server that says so is asked again more often."""
    text = "debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups\nConnection closed by x"
    error = failure("web1", PLACE, read(text), "")
    assert isinstance(error, ConnectionDroppedError)
    assert error.throttling


def test_how_far_it_is() -> None:
    """The login is done before sessions can be opened."""
    log = read("debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.\ndebug1: Authentication succeeded (none).")
    assert (log.logged_in, log.ready) == (False, False)
    log.feed(b'Authenticated to 10.0.0.1 ([10.0.0.1]:22) using "publickey".\n')
    assert (log.logged_in, log.ready) == (True, False)
    log.feed(b"debug1: Entering interactive session.\n")
    assert (log.logged_in, log.ready) == (True, True)


def test_what_is_kept_is_bounded() -> None:
    """Neither a long line nor many fill the memory."""
    log = SSHLog()
    for _ in range(100):
        log.feed(b"x" * 100_000)
    log.feed(b"\n" + b"y\n" * 100_000)
    assert (len(log.lines), max(map(len, log.lines)) <= 1000) == (60, True)


def test_why_a_connection_broke() -> None:
    """The last that it said, but for figures."""
    log = read(
        "Timeout, server 10.0.0.1 not responding.\n"
        "Transferred: sent 1, received 2 bytes, in 0.1 seconds\nBytes per second: sent 1.0, received 2.0"
    )
    assert log.why_lost() == "Timeout, server 10.0.0.1 not responding"
    assert read("debug1: channel 0: free").why_lost() == "ssh has ended"


def test_the_server_version() -> None:
    """It is as the server said it."""
    log = read("debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2")
    assert log.version == "SSH-2.0-OpenSSH_9.2p1 Debian-2"
