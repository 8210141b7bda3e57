"""What can be wrong with a node of the test cluster."""

from __future__ import annotations

import enum

__all__ = ("Fault",)


class Fault(enum.Enum):
    """One fault of one node; a node has at most one at a time.

    A fault of the connection holds for connections made after it was set, a fault of the session for
    commands and SFTP sessions begun after it was set, a fault of the command for commands. What is open
    or running goes on as it is.
    """

    # -- of the connection, below SSH ---------------------------------------------------------

    #: Connection: nothing listens on the port.
    REFUSED = "refused"
    #: Connection: TCP is accepted, then not a byte is sent.
    SILENT = "silent"
    #: Connection: TCP is accepted and reset at once.
    RESET = "reset"
    #: Connection: 16 KiB that are no text and hold no line end come in place of the SSH banner. The node
    #: does not hang up.
    GARBAGE_BANNER = "garbage-banner"
    #: Connection: closed when the client has sent its banner and its first packet of the key exchange.
    DROP_KEX = "drop-kex"
    #: Connection: every other one is closed at once, without a banner: the first, the third, and so on,
    #: counted from when the fault was set.
    DROP_HALF = "drop-half"
    #: Connection: closed after the line ``Exceeded MaxStartups`` in place of the banner, as by an OpenSSH
    #: that has too many clients before their login.
    MAX_STARTUPS = "max-startups"
    #: Connection: closed after the line ``Not allowed at this time`` in place of the banner, as by an
    #: OpenSSH that punishes the client's address (``PerSourcePenalties``).
    PENALTY = "penalty"
    #: Connection: the node never closes it, even when the client has: the TCP connection stays until
    #: the node is disconnected or the cluster closes, and is counted as open.
    NEVER_CLOSES = "never-closes"

    # -- of the connection, at the login ------------------------------------------------------

    #: Connection: the node refuses every key and password.
    AUTH = "auth"
    #: Connection: the node shows another host key than ``known_hosts`` has for it.
    HOST_KEY_CHANGED = "host-key-changed"
    #: Connection: ``known_hosts`` has no line for the node. Its reader must read it again.
    HOST_KEY_UNKNOWN = "host-key-unknown"

    # -- of the session -----------------------------------------------------------------------

    #: Session: the request to open a channel is refused.
    NO_CHANNEL = "no-channel"
    #: Session: the request to open a channel is never answered.
    CHANNEL_HANGS = "channel-hangs"
    #: Session: the channel is opened, the request to run something in it is refused.
    NO_EXEC = "no-exec"
    #: Session: the channel is opened, the request to run something in it is never answered and nothing runs.
    EXEC_HANGS = "exec-hangs"

    # -- of the command -----------------------------------------------------------------------

    #: Command: the line ``*** NODE ***`` comes before the output, as from a talkative start-up file.
    CHATTY = "chatty"
    #: Command: the line ``b"\xff\xfe \xc3( \xed\xa0\x80"``, which is not UTF-8, comes before the output.
    INVALID_UTF8 = "invalid-utf8"
    #: Command: the connection is cut after the first piece of output, or at the end of the command
    #: when it prints nothing. No exit status is sent.
    DROP = "drop"
    #: Command: it is killed (SIGKILL) after the first piece of output, or at its end when it prints nothing.
    KILLED = "killed"
    #: Command: no exit status is sent; the channel is closed as ever.
    NO_STATUS = "no-status"
    #: Command: the channel stays open after the exit status.
    LINGERS = "lingers"
    #: Command: instead of it ``yes`` runs: standard output without end, as fast as the client takes it.
    FLOOD_STDOUT = "flood-stdout"
    #: Command: instead of it ``yes`` runs on standard error, and standard input is not read.
    FLOOD_STDERR = "flood-stderr"
    #: Command: its output is sent one byte a second, the first at once; the exit status comes after it.
    DRIPS = "drips"
    #: Command: its output is sent at 1 KiB a second, the first 128 bytes at once; the exit status comes
    #: after it.
    THROTTLED = "throttled"
