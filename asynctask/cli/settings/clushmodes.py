"""What modes that were written for clush mean here.

clush knows of no password but one that is written to the input of whatever is run. Where the shipped modes do
that for ``sudo`` and ``sshpass``, the library has something of its own that asks for the same password and is
right also where it is not needed: the command then never finds it in its input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from asynctask.errors import UsageError

__all__ = ("meant", "without_secret")

_SUDO = {"sudo", "/usr/bin/sudo", "/bin/sudo"}
_SECRET = re.compile(r"""(\bsshpass\s(?:.*?\s)?-p\s*)("[^"]*"|'[^']*'|\S+)""")


def meant(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a request with what the configuration of a clush means by them.

    Raises:
        UsageError: there is nothing here that does the same; it says what does.
    """
    found = dict(fields)
    if found["ssh_path"].strip() and found["worker"] != "exec":
        found.update(_login(found))
    if found["password_prompt"] and found["worker"] == "ssh" and found["sudo"] is None:
        user = _sudo_user(found["prefix"])
        if user is not None:
            found.update(sudo=user, prefix="", password_prompt=False)
    if found["sudo"] is not None and found["worker"] in {"openssh", "exec"}:
        raise UsageError(f"sudo: only the worker ssh has it, not {found['worker']}; -O sudo= goes without it")
    return found


def without_secret(text: str) -> str:
    """A value for people to see: a password among the arguments of ``sshpass`` is not for them."""
    return _SECRET.sub(r"\1***", text)


def _login(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``ssh_path`` with ``sshpass`` in front of ``ssh``: the password to log in with."""
    words = fields["ssh_path"].split()
    if words[0].rpartition("/")[2] != "sshpass":
        if fields["worker"] == "openssh" and len(words) > 1:
            raise UsageError("ssh_path: the path of a program alone; ssh_options is for its options")
        return {}
    if fields["worker"] == "openssh":
        raise UsageError("ssh_path: sshpass and -R openssh do not go together; leave -R out")
    if not fields["password_prompt"]:
        raise UsageError("ssh_path: sshpass is not needed here; --ask-login asks for the password")
    return {"ask_login": True, "password_prompt": False, "ssh_path": ""}


def _sudo_user(prefix: str) -> str | None:
    """Who a prefix makes of the login user, if all that it does is to call sudo for that."""
    import shlex
    from getopt import GetoptError, getopt

    try:
        program, *words = shlex.split(prefix) or [""]
        options, rest = getopt(words, "Sp:u:")
    except (ValueError, GetoptError):
        return None
    said = dict(options)
    user = said.get("-u", "root")
    if program not in _SUDO or rest or "-S" not in said or not re.fullmatch(r"[\w.][\w.-]*", user):
        return None
    return user
