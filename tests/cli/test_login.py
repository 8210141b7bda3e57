"""From a request to the options of SSH."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.login import login_settings, ssh_options
from asynctask.cli.request import Request
from asynctask.errors import UsageError
from asynctask.ssh.options import SSHOptions
from asynctask.workers.sudo import Sudo

pytestmark = pytest.mark.one_loop("no loop at all")


def _prompt(question: object) -> str:
    return "secret"


def _request(**fields: Any) -> Request:
    return Request(targets=("n",), command="true", **fields)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, SSHOptions(prompt=_prompt)),
        (
            {"user": "root", "host_keys": "off", "jump": "gate", "ssh_config": "f"},
            SSHOptions(user="root", host_keys="off", jump="gate", config="f", prompt=_prompt),
        ),
        ({"ssh_options": "-p 22"}, SSHOptions(settings=["Port=22"], prompt=_prompt)),
        ({"ssh_options": "-F f", "ssh_config": "g"}, SSHOptions(config="f", prompt=_prompt)),
        ({"ssh_options": "-F none"}, SSHOptions(config=False, prompt=_prompt)),
        ({"ssh_options": "-oBatchMode=yes"}, SSHOptions(settings=["BatchMode=yes"])),
    ],
)
def test_options(fields: dict[str, Any], options: SSHOptions) -> None:
    """What ssh's own options say counts before the others; with ``BatchMode`` nobody is asked."""
    assert ssh_options(_request(**fields), _prompt) == options


def test_a_login_password() -> None:
    """It is in the options, and in no ``repr``."""
    options = ssh_options(_request(), _prompt, "secret")

    assert options.password == "secret"
    assert "secret" not in repr(options)


def test_the_system_s_ssh_gets_its_options_as_they_were_written() -> None:
    """And the program that was chosen."""
    request = _request(worker="openssh", ssh_options="-p 22 -K", ssh_path="/opt/ssh")

    assert login_settings(request) == {
        "ssh": SSHOptions(),
        "options": {"ssh_path": "/opt/ssh", "ssh_options": ["-p", "22", "-K"]},
    }


def test_another_user_s_rights() -> None:
    """The password is asked for when it is needed."""
    settings = login_settings(_request(sudo="admin"), _prompt)

    assert settings["sudo"] == Sudo(user="admin", prompt=_prompt)


def test_options_that_cannot_be_followed() -> None:
    """They are named."""
    with pytest.raises(UsageError, match=r"^ssh option -K: only the system's ssh can do it: -R openssh$"):
        ssh_options(_request(ssh_options="-K"))
