"""Keeps processes alive, on this machine and on others.

:class:`Manager` is what users touch. Behind it: a ``job`` a template, a ``place`` a process that is to run, a
``life`` a process that runs; ``states`` has the table, ``deciding`` what comes after an end, ``messages`` the
events, ``output`` the lines. ``launching`` is the interface to what starts processes: ``local``, ``remote``.
``control`` and ``web`` let others ask a manager; ``files`` reads templates.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynctask.manager.information import ManagerInfo as ManagerInfo
    from asynctask.manager.information import OutputLine as OutputLine
    from asynctask.manager.information import ProcessInfo as ProcessInfo
    from asynctask.manager.information import ProcessStats as ProcessStats
    from asynctask.manager.information import TemplateInfo as TemplateInfo
    from asynctask.manager.information import TemplateStats as TemplateStats
    from asynctask.manager.launching import Exit as Exit
    from asynctask.manager.launching import Usage as Usage
    from asynctask.manager.manager import Manager as Manager
    from asynctask.manager.output import OutputStream as OutputStream
    from asynctask.manager.states import ProcessState as ProcessState
    from asynctask.manager.template import Backoff as Backoff
    from asynctask.manager.template import Flapping as Flapping
    from asynctask.manager.template import Liveness as Liveness
    from asynctask.manager.template import LogFile as LogFile
    from asynctask.manager.template import ProcessTemplate as ProcessTemplate
    from asynctask.manager.template import Readiness as Readiness

_HOMES = {
    "information": (
        "ManagerInfo",
        "OutputLine",
        "ProcessInfo",
        "ProcessStats",
        "TemplateInfo",
        "TemplateStats",
    ),
    "launching": ("Exit", "Usage"),
    "manager": ("Manager",),
    "output": ("OutputStream",),
    "states": ("ProcessState",),
    "template": ("Backoff", "Flapping", "Liveness", "LogFile", "ProcessTemplate", "Readiness"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = (*sorted(_HOME_OF),)  # noqa: PLE0604 - names, all of them strings


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"asynctask.manager.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
