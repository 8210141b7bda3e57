"""Names in transfers: which of them are safe, how they are shown, what a copy is called. No I/O."""

from __future__ import annotations

import os
import posixpath
import re
import secrets
import unicodedata

from asynctask.errors import UsageError
from asynctask.transfer.problems import Problem

__all__ = (
    "TEMPORARY",
    "check_entry",
    "check_link",
    "node_part",
    "remote_path",
    "shown",
    "source_name",
    "temporary_name",
)

#: What the name of a file begins with while it is written.
TEMPORARY = b".asynctask-"

#: Characters of a message that a name may take.
_MOST_SHOWN = 200
#: The longest target of a link that Linux takes.
_PATH_MAX = 4096
_PLAIN = re.compile(r"[^\w.@:+,=~\[\]-]")


def shown(path: bytes | str) -> str:
    """A path for a message: what is not printable is escaped, what is very long is cut."""
    text = path if isinstance(path, str) else path.decode(errors="backslashreplace")
    if len(text) > _MOST_SHOWN:
        text = text[: _MOST_SHOWN // 2] + "..." + text[-_MOST_SHOWN // 2 :]
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def check_entry(parent: bytes, name: bytes) -> None:
    """Refuse a name in a node's listing that could lead out of its directory or drive a terminal.

    Raises:
        Problem: it is empty, ``.`` or ``..``, or has a slash, a NUL or a control character in it.
    """
    if name in (b"", b".", b".."):
        reason = "is no name of a file"
    elif b"/" in name:
        reason = "has a slash in it"
    elif any(unicodedata.category(each) == "Cc" for each in name.decode(errors="replace")):
        reason = "has a control character in it"
    else:
        return
    raise Problem(parent, f"refused: the node lists a name that {reason}: '{shown(name)}'")


def check_link(path: bytes, target: bytes) -> None:
    """Refuse a link that cannot be made here. Where it leads does not matter: nobody follows it."""
    if not target or b"\0" in target or len(target) >= _PATH_MAX:
        raise Problem(path, f"refused: a link to '{shown(target)}'")


def node_part(node: str) -> str:
    """A node's name as a part of a file's name: different for different nodes, without a slash.

    Letters, digits and ``. _ @ : + , = ~ [ ] -`` stay, anything else is percent-encoded.
    """
    return _PLAIN.sub(lambda found: "".join(f"%{byte:02X}" for byte in os.fsencode(found[0])), node)


def temporary_name() -> bytes:
    """A name for a file while it is written: hidden, new, and short whatever the file's own is."""
    return TEMPORARY + secrets.token_hex(8).encode()


def remote_path(path: str) -> bytes:
    """A path on a node as SFTP wants it: relative ones, and ``~/``, begin at the home directory."""
    if path == "~":
        path = "."
    elif path.startswith("~/"):
        path = path.lstrip("~").lstrip("/") or "."
    elif path.startswith("~"):
        raise UsageError(f"{shown(path)}: only ~/, the home of the user who logs in, is understood on a node")
    return os.fsencode(path)


def source_name(path: str) -> str:
    """What a copy of a path is called.

    Raises:
        UsageError: the path ends in no name (``/``, ``..``).
    """
    name = posixpath.basename(path.rstrip("/"))
    if name in ("", ".", "..", "~"):
        raise UsageError(f"{shown(path)}: has no name that its copies could have")
    return name
