"""The file of processes, as the options of ``asynctask up`` have it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from asynctask.cli.supervising.request import Request
from asynctask.errors import TemplateNotFoundError, UsageError
from asynctask.manager import checks
from asynctask.manager.control.given import matching
from asynctask.manager.control.place import socket_path
from asynctask.manager.files import ManagerSettings, ProcessFile, find_file, load_file
from asynctask.manager.template import ProcessTemplate

__all__ = ("Source", "address_of", "chosen", "name_of")

#: Characters of a directory's name in that of its manager.
_READABLE = 24


class Source:
    """Reads the file, and what the options make of it.

    Args:
        request: what the user wants.

    Raises:
        TemplateError: there is no file.
        UsageError: ``--name`` is no name.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        place = Path(request.directory) if request.directory is not None else None
        file = Path(request.file) if request.file is not None else place or Path()
        self.path = find_file(file) if file.is_dir() or request.file is None else file
        """The file."""
        self.directory = place if place is not None else self.path.parent
        """Where processes run."""
        if request.name is not None:
            checks.name(("--name",), request.name)
        self._settings = ManagerSettings()
        self.names: tuple[str, ...] = ()
        """All templates of the file when it was read, wanted or not."""

    def read(self) -> dict[str, ProcessTemplate]:
        """The templates, by name, in the order of the file. It blocks.

        Raises:
            UsageError: something in the file can never work, and where; or a name of the options is in none.
        """
        file = self._read()
        self._settings = file.manager
        templates = chosen(file.templates, self._request)
        for option, names in (("--scale", self._request.scale), ("--exit-with", self._request.exit_with)):
            for name in names:
                if name not in templates:
                    raise UsageError(f"{option} {name}: there is no such template; {_there(templates)}")
        return templates

    def read_again(self) -> dict[str, ProcessTemplate]:
        """The same later: a name of the options may have gone from the file. It blocks.

        Raises:
            UsageError: something in the file can never work, and where.
        """
        return chosen(self._read().templates, self._request)

    def _read(self) -> ProcessFile:
        request = self._request
        env_files = None if request.env_files is None else [Path(name) for name in request.env_files]
        file = load_file(self.path, directory=self.directory, env_files=env_files, port=request.port)
        self.names = tuple(file.templates)
        return file

    @property
    def manager_name(self) -> str:
        """The name of the manager: of the options, of the file, or one that belongs to the directory."""
        return self._request.name or self._settings.name or name_of(self.directory)

    @property
    def socket(self) -> Path:
        """The control socket."""
        return socket_path(self.directory, self._request.socket, configured=self._settings.socket)

    @property
    def http(self) -> tuple[str, int] | None:
        """Where HTTP is to be served."""
        if self._request.http is None and self._settings.http is not None:
            return address_of(self._settings.http)
        return self._request.http

    def exit_with(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the templates with which all ends."""
        return frozenset(names if self._request.abort_on_exit else self._request.exit_with)


def chosen(templates: Mapping[str, ProcessTemplate], request: Request) -> dict[str, ProcessTemplate]:
    """The templates that are wanted, as they are wanted.

    Raises:
        UsageError: a name or pattern means none, or there can never be so many processes.
    """
    try:
        names = matching(request.names, list(templates)) if request.names else list(templates)
    except TemplateNotFoundError as exc:
        raise UsageError(f"{exc}") from exc
    found = {}
    for name in names:
        template = templates[name]
        if name in request.scale:
            template = replace(template, numprocesses=request.scale[name])
        if request.abort_on_exit or name in request.exit_with:
            template = replace(template, restart="never")
        found[name] = template
    return found


def address_of(text: str) -> tuple[str, int]:
    """``PORT`` or ``HOST:PORT``; the host is this machine unless it is given.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if (colon and not host) or not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"{text!r}: PORT or HOST:PORT is expected")
    return host or "127.0.0.1", int(port)


def name_of(directory: Path) -> str:
    """A name that can be recognised, and is another for each directory and machine.

    Nodes know processes by it: two machines may have the same directory, and the same nodes.
    """
    real = os.path.realpath(directory)
    digest = hashlib.sha256(os.fsencode(f"{socket.gethostname()}\0{real}")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", os.path.basename(real))[:_READABLE].lstrip("-")  # noqa: PTH119
    return f"{readable or 'root'}-{digest}"


def _there(templates: Mapping[str, ProcessTemplate]) -> str:
    return f"there are: {', '.join(templates)}"
