"""Tools to test programs that run commands on nodes.

:class:`Cluster` starts SSH nodes in this process, :class:`Fault` is what can be wrong with one of
them. ``asynctask.testing.plugin`` offers them to pytest as fixtures.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynctask.testing.census import ClusterStatistics as ClusterStatistics
    from asynctask.testing.cluster import Cluster as Cluster
    from asynctask.testing.faults import Fault as Fault

__all__ = ("Cluster", "ClusterStatistics", "Fault")

# The pytest plugin lives in this package and is imported by every run of pytest: so nothing
# heavy is imported before it is used.
_HOMES = {
    "Cluster": "asynctask.testing.cluster",
    "ClusterStatistics": "asynctask.testing.census",
    "Fault": "asynctask.testing.faults",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
