"""What can be wrong with a node of the test cluster."""

from __future__ import annotations

import enum

__all__ = ("Fault",)


class Fault(enum.Enum):
    """One fault of one node; a node has at most one at a time.

    A fault of the connection holds for connections made after it was set, a fault of the
    command for commands started after it was set. What is open or running goes on as it is.
    """

    #: Connection: nothing listens on the port.
    REFUSED = "refused"
    #: Connection: TCP is accepted, then not a byte is sent.
    SILENT = "silent"
    #: Connection: TCP is accepted and reset at once.
    RESET = "reset"
    #: Connection: the node refuses every key.
    AUTH = "auth"
    #: Connection: the node shows another host key than ``known_hosts`` has for it.
    HOST_KEY_CHANGED = "host-key-changed"
    #: Connection: ``known_hosts`` has no line for the node. Its reader must read it again.
    HOST_KEY_UNKNOWN = "host-key-unknown"
    #: Command: the request to run it is refused.
    NO_EXEC = "no-exec"
    #: Command: the line ``*** NODE ***`` comes before the output, as from a talkative start-up file.
    CHATTY = "chatty"
    #: Command: the connection is cut after the first piece of output, or at the end of the command
    #: when it prints nothing. No exit status is sent.
    DROP = "drop"
