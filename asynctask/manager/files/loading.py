"""Finds and reads a file of processes, with its ``.env`` files. All of this blocks: call it in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from asynctask.errors import TemplateError
from asynctask.manager.files.dotenv import read_dotenv
from asynctask.manager.files.model import ManagerSettings, ProcessFile
from asynctask.manager.files.procfile import DEFAULT_PORT, parse_procfile
from asynctask.manager.files.text import text_of
from asynctask.manager.files.toml import TomlFile

__all__ = ("NAMES", "find_file", "load_file")

#: What is looked for, the first that is there.
NAMES = ("asynctask.toml", "Procfile")


def find_file(directory: Path) -> Path:
    """The file of processes in a directory.

    Raises:
        TemplateError: there is none.
    """
    for name in NAMES:
        if (path := directory / name).exists():
            return path
    raise TemplateError(f"{directory}: there is neither {' nor '.join(NAMES)}: name a file with -f")


def load_file(
    path: Path,
    *,
    directory: Path | None = None,
    env_files: Iterable[Path] | None = None,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> ProcessFile:
    """Read a file of processes: TOML if its name ends in ``.toml``, and else a Procfile.

    Args:
        path: the file.
        directory: what paths in it are relative to, and where the processes run; by default where it is.
        env_files: ``.env`` files, the later ones go before the earlier; by default those that the file
            names, and else ``.env`` in ``directory`` if it is there. ``()``: none.
        port: ``PORT`` of the first process. By default that of the ``.env`` files or of ``environ``, and
            else 5000; for TOML it is set where the file says so.
        environ: the environment of this process unless given.

    Raises:
        TemplateError: a file cannot be read, or something in it can never work; the message has the line.
    """
    directory = path.parent if directory is None else directory
    text = text_of(path)
    if path.suffix == ".toml":
        toml = TomlFile(text, source=str(path), directory=directory)
        settings = toml.settings()
        env = _variables(settings.env_files if env_files is None else env_files, directory)
        return ProcessFile(path, toml.templates(env, port=port), settings)
    env = _variables(env_files, directory)
    if port is None:
        port = _port(env, os.environ if environ is None else environ)
    templates = parse_procfile(text, source=str(path), directory=directory.absolute(), env=env, port=port)
    return ProcessFile(path, templates, ManagerSettings())


def _variables(env_files: Iterable[Path] | None, directory: Path) -> dict[str, str]:
    if env_files is None:
        usual = directory / ".env"
        env_files = [usual] if usual.exists() else []
    return read_dotenv(env_files)


def _port(env: Mapping[str, str], environ: Mapping[str, str]) -> int:
    for source, variables in ((".env", env), ("the environment", environ)):
        if (text := variables.get("PORT")) is not None:
            if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536):
                raise TemplateError(
                    f"PORT in {source} is no port from 1 to 65535: it is that of the first process"
                )
            return int(text)
    return DEFAULT_PORT
