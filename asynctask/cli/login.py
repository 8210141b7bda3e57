"""How a request gets in: the options of SSH, and who is asked for passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynctask.cli.ssh_words import parse, read_words
from asynctask.errors import UsageError
from asynctask.ssh.options import SSHOptions

if TYPE_CHECKING:
    from asynctask.cli.request import Request
    from asynctask.ssh.options import Prompt

__all__ = ("login_settings", "ssh_options")


def login_settings(
    request: Request, prompt: Prompt | None = None, password: str | None = None
) -> dict[str, Any]:
    """The keywords of a worker that are about logging in.

    Args:
        request: what the user wants; its worker is one that connects.
        prompt: asked for what is needed.
        password: to log in with.

    Raises:
        UsageError: options of ``ssh`` that cannot be followed.
    """
    settings: dict[str, Any] = {"ssh": ssh_options(request, prompt, password)}
    if request.worker == "openssh":
        settings["options"] = {
            "ssh_path": request.ssh_path or "ssh",
            "ssh_options": parse(request.ssh_options),
        }
    if request.sudo is not None:
        if request.copying is not None:
            raise UsageError(f"sudo = {request.sudo}: files are not copied by sudo; leave the mode out")
        from asynctask.workers.sudo import Sudo

        settings["sudo"] = Sudo(user=request.sudo, prompt=prompt)
    return settings


def ssh_options(request: Request, prompt: Prompt | None = None, password: str | None = None) -> SSHOptions:
    """How to connect.

    Raises:
        UsageError: options of ``ssh`` that cannot be followed.
    """
    words = read_words(request.ssh_options, request.worker)
    config = words.config or request.ssh_config
    by_program = request.worker == "openssh"  # which asks by itself
    return SSHOptions(
        config=False if config == "none" else config,
        user=request.user,
        host_keys=request.host_keys,  # type: ignore[arg-type]
        jump=request.jump,
        settings=() if by_program else words.settings,
        prompt=None if words.asks_nobody or by_program else prompt,
        password=password,
    )
