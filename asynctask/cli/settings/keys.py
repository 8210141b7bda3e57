"""All keys of the configuration: what each means, what it may be, which part of a request it fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from asynctask.cli.settings.kinds import COUNT, SECONDS, SHARE, STOP, SWITCH, TEXT, WAIT, Kind, choice, whole

__all__ = ("KEYS", "SECTIONS", "Key", "find", "nearest")


class Key(NamedTuple):
    """A key of the configuration.

    Args:
        name: as clush.conf has it, where that has it.
        kind: what values it may have.
        default: what holds where nobody says anything, as a request has it.
        meaning: a sentence.
        field: of :class:`~asynctask.cli.request.Request`; ``None``: it fills none.
        example: a value for people to see, where the default shows nothing.
        unused: why it changes nothing here; empty if it does.
        clush_only: it stands in clush.conf and nowhere else.
    """

    name: str
    kind: Kind
    default: Any
    meaning: str
    field: str | None = None
    example: Any = None
    unused: str = ""
    clush_only: bool = False


def _unused(name: str, why: str, meaning: str) -> Key:
    return Key(name, TEXT, None, meaning, unused=why)


_HOW = (
    Key("fanout", whole(1), 64, "How many nodes run at once.", "fanout"),
    Key(
        "connect_timeout",
        SECONDS,
        None,
        "Seconds to connect and log in. Default: as the SSH configuration says, else 10.",
        "connect_timeout",
        10,
    ),
    Key("command_timeout", SECONDS, math.inf, "Seconds for the command on each node.", "command_timeout"),
    Key("worker", TEXT, "ssh", "What runs the command: ssh, openssh or exec.", "worker"),
    Key("ssh_user", TEXT, None, "Log in as this user.", "user", "admin"),
    Key("ssh_config", TEXT, None, "Read this file instead of ~/.ssh/config.", "ssh_config", "~/.ssh/cluster"),
    Key(
        "host_keys",
        choice("strict", "accept-new", "off"),
        None,
        "What becomes of host keys that are not known. Default: as the SSH configuration says.",
        "host_keys",
        "strict",
    ),
    Key("jump", TEXT, None, "Go by these hosts.", "jump", "admin@bastion"),
    Key("ssh_options", TEXT, "", "Options as the program ssh has them.", "ssh_options", "-o Compression=yes"),
    Key("ssh_path", TEXT, "", "The program for the worker openssh.", "ssh_path", "/usr/bin/ssh"),
    Key("sudo", TEXT, None, "Run the command as this user, by sudo.", "sudo", "root"),
    Key("command_prefix", TEXT, "", "Words in front of the command.", "prefix", "nice -n 19"),
    Key(
        "password_prompt",
        SWITCH,
        False,
        "Ask for a password; each command gets it as the first line of its input.",
        "password_prompt",
    ),
    Key("ask_login", SWITCH, False, "Ask for the password to log in with.", "ask_login"),
    Key("nostdin", SWITCH, False, "Do not pass standard input on.", "nostdin"),
)

_SHOWN = (
    Key("color", choice("auto", "always", "never"), "auto", "Colours.", "color"),
    Key("verbosity", whole(0, 3), 1, "0 is quiet, 1 normal, 2 verbose, 3 for finding faults.", "verbosity"),
    Key("node_count", SWITCH, True, "Say how many nodes a node set has.", "node_count"),
    Key("maxrc", SWITCH, False, "Exit with the largest exit code of all.", "maxrc"),
    Key("gather", SWITCH, False, "Show the same output once, at the end.", "gather"),
    Key("gather_both", SWITCH, False, "The same, with standard error mixed in.", "gather_both"),
    Key("by_node", SWITCH, False, "Show the output at the end, by node.", "by_node"),
    Key("diff", SWITCH, False, "Show how outputs differ from the most common one.", "diff"),
    Key(
        "similar", SWITCH, False, "Names, numbers and times make no difference in gathered output.", "similar"
    ),
    Key(
        "outliers",
        choice("first", "last"),
        "",
        "Where the outputs of the fewest nodes stand.",
        "outliers",
        "last",
    ),
    Key("no_label", SWITCH, False, "No label in front of lines.", "no_label"),
    Key("regroup", SWITCH, False, "Show groups in place of their nodes.", "regroup"),
    Key("groupsource", TEXT, None, "Where groups are looked up.", "groupsource", "slurm"),
    Key("groupbase", SWITCH, False, "Show group names without their source.", "groupbase"),
    Key("progress", SWITCH, False, "Show progress whatever else is shown.", "progress"),
)

_FAR = (
    Key("retries", COUNT, 0, "How often to try again where it failed.", "retries"),
    Key("halt", STOP, None, "When to stop early.", "halt", "soon,fail=10%"),
    Key("canary", COUNT, 0, "First on so many nodes alone; 0 is none.", "canary"),
    Key("batch", SHARE, None, "How many nodes a batch has.", "batch", "10%"),
    Key("check", TEXT, None, "Run this here after a batch; go on if it returns 0.", "check", "./healthy"),
    Key("deadline", SECONDS, None, "Seconds for the whole run. Default: no limit.", "deadline", 3600),
    Key("quorum", SHARE, None, "Enough when so many nodes ended well.", "quorum", "95%"),
    Key("delay", WAIT, 0.0, "Seconds from one node's start to the next.", "delay"),
    Key("confirm", COUNT, None, "Ask before a run on more nodes than this. Default: never.", example=100),
)

_HISTORY = (
    Key("history", SWITCH, True, "Keep runs in the history.", "history"),
    Key(
        "history_limit",
        whole(2),
        1 << 16,
        "How many bytes are kept of each stream of a node.",
        "history_limit",
    ),
    Key("history_keep", whole(1), 1000, "How many runs are kept.", "history_keep"),
    Key("history_size", COUNT, 100, "How many lines the interactive mode remembers."),
)

_CLUSH = (
    Key("confdir", TEXT, None, "Directories with more files, *.conf.", clush_only=True),
    _unused("fd_max", "open files are allowed as they are needed", "How many files may be open."),
    _unused("scp_path", "files go over the connections that commands go over", "The program scp."),
    _unused("scp_options", "files go over the connections that commands go over", "Options of scp."),
    _unused("rsh_path", "there is no rsh here", "The program rsh."),
    _unused("rcp_path", "there is no rsh here", "The program rcp."),
    _unused("rsh_options", "there is no rsh here", "Options of rsh."),
)

#: The keys by what they are about, as people read them.
SECTIONS: Mapping[str, tuple[Key, ...]] = {
    "how it runs": _HOW,
    "what is shown": _SHOWN,
    "how far it goes": _FAR,
    "history": _HISTORY,
    "what only clush.conf has": _CLUSH,
}
KEYS: Mapping[str, Key] = {key.name: key for keys in SECTIONS.values() for key in keys}

#: What options and parts of requests are called, and keys are not.
_OTHER_NAMES = {
    "user": "ssh_user",
    "prefix": "command_prefix",
    "timeout": "command_timeout",
    "quiet": "verbosity",
    "verbose": "verbosity",
    "debug": "verbosity",
    "dshbak": "gather",
    "label": "no_label",
    "count": "node_count",
}


def find(name: str) -> Key | None:
    """The key of a name, which may have ``-`` for ``_``."""
    return KEYS.get(name.replace("-", "_"))


def nearest(name: str) -> str:
    """The key that was meant, as the end of a message; empty if none is near."""
    from difflib import get_close_matches

    plain = name.replace("-", "_").lower()
    near = [_OTHER_NAMES[plain]] if plain in _OTHER_NAMES else get_close_matches(plain, KEYS, 1)
    return f"; did you mean {near[0]!r}?" if near else "; asynctask config lists the keys"
