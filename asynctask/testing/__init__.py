"""Tools to test programs that run commands on nodes.

:class:`Cluster` starts SSH nodes in this process, :class:`Fault` is what can be wrong with one of
them; :class:`SimulatedWorker` runs nodes that are only a :class:`Script`; :func:`check_worker` checks a
worker class of your own. ``asynctask.testing.plugin`` offers a cluster and a task to pytest as fixtures.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynctask.testing.census import ClusterStatistics as ClusterStatistics
    from asynctask.testing.cluster import Cluster as Cluster
    from asynctask.testing.conformance import ConformanceError as ConformanceError
    from asynctask.testing.conformance import WorkerKit as WorkerKit
    from asynctask.testing.conformance import check_worker as check_worker
    from asynctask.testing.faults import Fault as Fault
    from asynctask.testing.simulated import Script as Script
    from asynctask.testing.simulated import SimulatedWorker as SimulatedWorker

__all__ = (
    "Cluster",
    "ClusterStatistics",
    "ConformanceError",
    "Fault",
    "Script",
    "SimulatedWorker",
    "WorkerKit",
    "check_worker",
)

# The pytest plugin lives in this package and is imported by every run of pytest: so nothing
# heavy is imported before it is used.
_HOMES = {
    "Cluster": "asynctask.testing.cluster",
    "ClusterStatistics": "asynctask.testing.census",
    "ConformanceError": "asynctask.testing.conformance",
    "Fault": "asynctask.testing.faults",
    "Script": "asynctask.testing.simulated",
    "SimulatedWorker": "asynctask.testing.simulated",
    "WorkerKit": "asynctask.testing.conformance",
    "check_worker": "asynctask.testing.conformance",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
