"""The work of ClusterShell's library, for the rows where it is the peer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.runner import Prepared, require


def gather(
    nodes: str, command: str, fanout: int, count: int, lines: int, different: bool = False
) -> Prepared:
    """Gather a local command's output and walk it, `count` nodes of `lines` lines each."""
    task = _task(fanout)

    def work() -> tuple[int, int, int]:
        task.shell(command, nodes=nodes, remote=False)
        task.run()
        keys = blocks = size = 0
        for output, names in task.iter_buffers():
            keys += len(names)
            blocks += 1
            size += len(names) * (len(output.message()) + 1)
        return keys, blocks, size

    def check(found: tuple[int, int, int]) -> dict[str, float]:
        keys, blocks, size = found
        require(keys == count, f"{keys} nodes gathered instead of {count}")
        require(blocks == (count if different else 1), f"{blocks} different outputs")
        return {"nodes": keys, "lines": keys * lines, "bytes": size}

    return work, check


def handle(nodes: str, command: str, fanout: int, count: int, lines: int) -> Prepared:
    """Give every line of a local command to a handler's `ev_read`."""
    task = _task(fanout)
    base: Any = import_module("ClusterShell.Event").EventHandler

    class Counter(base):  # type: ignore[misc]
        seen = 0

        def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
            self.seen += 1

    counter = Counter()

    def work() -> int:
        task.shell(command, nodes=nodes, remote=False, handler=counter)
        task.run()
        return counter.seen

    def check(seen: int) -> dict[str, float]:
        require(seen == count * lines, f"{seen} lines seen instead of {count * lines}")
        return {"nodes": count, "lines": seen}

    return work, check


def _task(fanout: int) -> Any:
    import_module("ClusterShell.Worker.Exec")
    task = import_module("ClusterShell.Task").task_self()
    task.set_info("fanout", fanout)
    return task
