"""The work of asynctask's library, for the rows that have several peers."""

from __future__ import annotations

from typing import Any

from benchmarks.runner import Pause, Prepared, load_ours, on_loop, require, second_time


def gather(
    loop: str,
    command: str,
    nodes: Any,
    fanout: int,
    count: int,
    lines: int,
    different: bool = False,
    ssh_config: str = "",
) -> Prepared:
    """Gather a command's output and walk it, `count` nodes of `lines` lines each; over ssh with a config."""
    asynctask = load_ours()
    how: dict[str, Any] = {"worker": "exec"}
    if ssh_config:
        how = {"worker": "ssh", "ssh": asynctask.SSHOptions(config=ssh_config)}

    async def main() -> tuple[int, int, int, int]:
        result = await asynctask.run(command, nodes=nodes, fanout=fanout, **how)
        keys = blocks = size = 0
        for output, names in result.iter_buffers():
            keys += len(names)
            blocks += 1
            size += len(names) * len(bytes(output))
        return keys, blocks, size, result.max_retcode()

    def check(found: tuple[int, int, int, int]) -> dict[str, float]:
        keys, blocks, size, retcode = found
        require(keys == count, f"{keys} nodes gathered instead of {count}")
        require(retcode == 0, f"largest exit code {retcode}")
        require(blocks == (count if different else 1), f"{blocks} different outputs")
        return {"nodes": keys, "lines": keys * lines, "bytes": size}

    return on_loop(loop, main), check


def again(loop: str, command: str, nodes: Any, fanout: int, ssh_config: str) -> Prepared:
    """Run a command over the connections that the same command before has left."""
    asynctask = load_ours()

    async def main(pause: Pause) -> None:
        async with asynctask.Task(fanout=fanout, ssh=asynctask.SSHOptions(config=ssh_config)) as task:
            for _ in range(2):
                task.shell(command, nodes=nodes)
                result = await task.run()
                await pause([result[node].stdout for node in nodes])

    return second_time(loop, main, len(nodes))


def handle(loop: str, style: str, command: str, nodes: str, fanout: int, count: int, lines: int) -> Prepared:
    """Give every line of a local command to a handler's `ev_read`, a plain or an async one."""
    asynctask = load_ours()
    counter = _async_counter(asynctask) if style == "async" else _plain_counter(asynctask)

    async def main() -> int:
        await asynctask.run(command, nodes=nodes, worker="exec", fanout=fanout, handler=counter)
        seen: int = counter.seen
        return seen

    def check(seen: int) -> dict[str, float]:
        require(seen == count * lines, f"{seen} lines seen instead of {count * lines}")
        return {"nodes": count, "lines": seen}

    return on_loop(loop, main), check


def _plain_counter(asynctask: Any) -> Any:
    base: Any = asynctask.EventHandler

    class Counter(base):  # type: ignore[misc]
        seen = 0

        def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
            self.seen += 1

    return Counter()


def _async_counter(asynctask: Any) -> Any:
    base: Any = asynctask.EventHandler

    class Counter(base):  # type: ignore[misc]
        seen = 0

        async def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
            self.seen += 1

    return Counter()
