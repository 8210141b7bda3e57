"""Files that say what is to be run: Procfiles with ``.env``, and ``asynctask.toml``."""

from __future__ import annotations

from asynctask.manager.files.difference import Difference as Difference
from asynctask.manager.files.difference import concerns_process as concerns_process
from asynctask.manager.files.difference import difference as difference
from asynctask.manager.files.dotenv import read_dotenv as read_dotenv
from asynctask.manager.files.loading import find_file as find_file
from asynctask.manager.files.loading import load_file as load_file
from asynctask.manager.files.model import ManagerSettings as ManagerSettings
from asynctask.manager.files.model import ProcessFile as ProcessFile

__all__ = (
    "Difference",
    "ManagerSettings",
    "ProcessFile",
    "concerns_process",
    "difference",
    "find_file",
    "load_file",
    "read_dotenv",
)
