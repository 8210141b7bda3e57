"""asyncssh's options, as the user's configuration has them: built once for all nodes alike."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any

import asyncssh

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import HostSettings
from asynctask.ssh.options import SSHOptions

__all__ = ("OptionSets",)

_log = logging.getLogger(__name__)

#: AES-GCM first: it saves a short connection 0.5 ms against chacha20-poly1305.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
#: OpenSSH's keyword for each list of algorithms of asyncssh.
_ALGORITHMS = {
    "ciphers": "encryption_algs",
    "kexalgorithms": "kex_algs",
    "macs": "mac_algs",
    "hostkeyalgorithms": "server_host_key_algs",
    "pubkeyacceptedalgorithms": "signature_algs",
}
#: With ``Compression yes``: after the login, and without where the server does not.
_COMPRESSED = ("zlib@openssh.com", "none")
#: Receive window of a channel: what a node may have sent and nobody taken, in bytes.
_WINDOW = 256 * 1024
#: Seconds of silence before the server is asked whether it is there, and how often it is asked.
_KEEPALIVE = 15.0
_KEEPALIVE_COUNT = 3
#: Options for no host in particular.
_NO_HOST: dict[str, Any] = {
    "config": None,
    "host": "",
    "username": "",
    "client_keys": None,
    "known_hosts": None,
}
#: Keywords that leave a way to log in out, and asyncssh's name for it.
_WAYS = {
    "pubkeyauthentication": "public_key_auth",
    "passwordauthentication": "password_auth",
    "kbdinteractiveauthentication": "kbdint_auth",
}


class OptionSets:
    """Sets of options: nodes with the same settings share one, which nobody may change."""

    def __init__(self, options: SSHOptions) -> None:
        self._options = options
        self._sets: dict[Hashable, asyncssh.SSHClientConnectionOptions] = {}

    def for_host(self, settings: HostSettings, user: str) -> asyncssh.SSHClientConnectionOptions:
        """The options for a host.

        Raises:
            SSHConfigError: a value that cannot be.
        """
        algorithms = {name: settings.get(keyword) for keyword, name in _ALGORITHMS.items()}
        interval = self._options.keepalive
        if interval is None:
            configured = settings.seconds("serveraliveinterval")
            interval = _KEEPALIVE if configured is None else configured
        count = settings.number("serveralivecountmax") or _KEEPALIVE_COUNT
        asks = self._options.prompt is not None or self._options.password is not None
        ways = {name: settings.flag(keyword, default=True) for keyword, name in _WAYS.items()}
        ways["password_auth"] &= asks
        ways["kbdint_auth"] &= asks
        others = {
            "preferred_auth": settings.get("preferredauthentications"),
            "compression_algs": _COMPRESSED if settings.flag("compression", default=False) else None,
        }
        key = (user, interval, count, *algorithms.values(), *ways.values(), *others.values())
        found = self._sets.get(key)
        if found is None:
            given = {**ways, **{name: value for name, value in others.items() if value is not None}}
            found = self._sets[key] = _build_options(user, interval, count, algorithms, given)
        return found


def _build_options(
    user: str, keepalive: float, count: int, algorithms: dict[str, str | None], others: dict[str, Any]
) -> asyncssh.SSHClientConnectionOptions:
    settings: dict[str, Any] = {
        "config": None,
        "host": "",
        "username": user,
        "client_keys": None,  # set for each connection; None also keeps asyncssh from asking the agent
        "known_hosts": None,  # likewise
        "encryption_algs": _CIPHERS,
        "gss_host": None,
        "keepalive_interval": keepalive,
        "keepalive_count_max": count,
        "login_timeout": 0,  # ours covers all of connecting
        "encoding": None,
        "utf8_decode_errors": "replace",
        "window": _WINDOW,
        **others,
    }
    for name, value in algorithms.items():
        if value is not None and (known := _known(name, value)) is not None:
            settings[name] = known
    try:
        return asyncssh.SSHClientConnectionOptions(**settings)
    except ValueError as exc:  # a user with characters that no name may have
        raise SSHConfigError(f"login as {user!r}: {exc}") from exc


def _known(name: str, value: str) -> str | None:
    """A list of algorithms without those that asyncssh does not have; ``None`` if it has none of them.

    Distributions list some for the whole system.
    """
    sign = value[0] if value[0] in "+-^" else ""
    given = value.removeprefix(sign).split(",")
    known = [each for each in given if _is_known(name, each)]
    if not known:
        _log.warning("SSH configuration: none of %s is known; using the default algorithms instead", value)
        return None
    return sign + ",".join(known)


def _is_known(name: str, algorithm: str) -> bool:
    try:
        asyncssh.SSHClientConnectionOptions(**{**_NO_HOST, name: algorithm})
    except ValueError:
        return False
    return True
