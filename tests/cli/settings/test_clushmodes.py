"""What modes of clush mean here."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.settings.clushmodes import meant, without_secret
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

PLAIN: dict[str, Any] = {
    "worker": "ssh",
    "ssh_path": "",
    "prefix": "",
    "password_prompt": False,
    "ask_login": False,
    "sudo": None,
}


def _changed(**said: Any) -> dict[str, Any]:
    fields = PLAIN | said
    return {name: value for name, value in meant(fields).items() if value != fields[name]}


@pytest.mark.parametrize(
    ("prefix", "user"),
    [
        ("""/usr/bin/sudo -S -p "''" """, "root"),
        ("sudo -S", "root"),
        ("sudo -Sp '' -u oracle", "oracle"),
        ("sudo -uapp.1 -S", "app.1"),
    ],
)
def test_sudo(prefix: str, user: str) -> None:
    """The library's own is asked for the same: it gives the password if it is asked for and not else."""
    assert _changed(prefix=prefix, password_prompt=True) == {
        "sudo": user,
        "prefix": "",
        "password_prompt": False,
    }


@pytest.mark.parametrize(
    "said",
    [
        {"prefix": "sudo -S"},
        {"prefix": "sudo", "password_prompt": True},
        {"prefix": "sudo -S -E", "password_prompt": True},
        {"prefix": "sudo -S nice", "password_prompt": True},
        {"prefix": "sudo -S -u $USER", "password_prompt": True},
        {"prefix": "sudo -S '", "password_prompt": True},
        {"prefix": "/opt/sudo -S", "password_prompt": True},
        {"prefix": "", "password_prompt": True},
        {"prefix": "sudo -S", "password_prompt": True, "worker": "openssh"},
        {"prefix": "sudo -S", "password_prompt": True, "sudo": "db"},
        {"ssh_path": "/opt/bin/ssh", "worker": "openssh"},
        {"ssh_path": "/opt/bin/ssh -v"},
        {"ssh_path": " "},
        {"ssh_path": "sshpass ssh", "worker": "exec"},
        {"sudo": "root"},
    ],
)
def test_what_means_what_it_says(said: dict[str, Any]) -> None:
    """Another prefix stays in front of the command, and gets what it asks for."""
    assert _changed(**said) == {}


def test_sshpass() -> None:
    """It logs in with a password that is asked for."""
    said = {"ssh_path": "/usr/bin/sshpass /usr/bin/ssh", "password_prompt": True}

    assert _changed(**said) == {"ssh_path": "", "password_prompt": False, "ask_login": True}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"ssh_path": "sshpass -f /root/secret ssh"},
            "ssh_path: sshpass is not needed here; --ask-login asks for the password",
        ),
        (
            {"ssh_path": "sshpass ssh", "worker": "openssh", "password_prompt": True},
            "ssh_path: sshpass and -R openssh do not go together; leave -R out",
        ),
        (
            {"ssh_path": "ssh -v", "worker": "openssh"},
            "ssh_path: the path of a program alone; ssh_options is for its options",
        ),
        (
            {"sudo": "root", "worker": "exec"},
            "sudo: only the worker ssh has it, not exec; -O sudo= goes without it",
        ),
    ],
)
def test_what_has_no_meaning_here(said: dict[str, Any], message: str) -> None:
    """Is an error that says what to do."""
    with pytest.raises(UsageError) as error:
        _changed(**said)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("/usr/bin/sshpass -p secret ssh", "/usr/bin/sshpass -p *** ssh"),
        ("sshpass -v -psecret ssh -p 22", "sshpass -v -p*** ssh -p 22"),
        ("sshpass -p 'two words' ssh", "sshpass -p *** ssh"),
        ("sshpass -f file ssh", "sshpass -f file ssh"),
        ("ssh -p 22", "ssh -p 22"),
    ],
)
def test_a_password_is_not_shown(text: str, seen: str) -> None:
    """Somebody may have written it where it does not belong."""
    assert without_secret(text) == seen
