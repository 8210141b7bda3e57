"""What the demo shows."""

from __future__ import annotations

import asyncio
import shlex
import signal
from dataclasses import dataclass

from asynctask.cli.output.by_node import ByNodeView
from asynctask.cli.output.gathered import GatheredView
from asynctask.cli.output.style import Style
from asynctask.cli.output.summary import failure_lines
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.terminal import STDOUT
from asynctask.nodes import fold
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.testing.cluster import Cluster

__all__ = ("demonstrate",)


@dataclass(frozen=True, slots=True)
class _Scene:
    text: str
    options: str
    command: str
    gather: bool = True
    timeout: float | None = None


def _scenes(nodes: tuple[str, ...]) -> list[_Scene]:
    odd, broken, slow = nodes[2], nodes[1], nodes[-1]
    return [
        _Scene("Each line as it comes, with its node in front:", "", "hostname", gather=False),
        _Scene(
            "-b shows the same output once, with all who printed it. One node is odd:",
            "-b",
            f'test "$(hostname)" = {odd} && echo version 1.9 || echo version 2.0',
        ),
        _Scene(
            "A node where the command fails is named, with its exit code; the others are not held up:",
            "-b",
            f'test "$(hostname)" != {broken} || {{ echo disk is full; exit 3; }}; echo done',
        ),
        _Scene(
            "-u limits the time. What a slow node printed until then is kept, and its command is gone:",
            "-b -u 1",
            f'echo started; test "$(hostname)" != {slow} || sleep 60',
            timeout=1.0,
        ),
    ]


async def demonstrate(count: int, keep: bool) -> int:
    """Start a cluster, run the scenes, and say how to go on; the exit status."""
    return await _Demonstration().run(count, keep)


class _Demonstration:
    def __init__(self) -> None:
        self._stopped = asyncio.Event()
        self._screen = Screen(None, self._stop)
        self._task: Task | None = None
        self._caught: signal.Signals | None = None
        self._kept = False

    async def run(self, count: int, keep: bool) -> int:
        with signals_handled(self._interrupted):
            try:
                await self._show(count, keep)
            finally:
                await self._screen.close()
        if self._caught is not None and not self._kept:
            return EXIT_SIGNAL + self._caught
        if self._screen.error is not None:
            raise self._screen.error
        return 0

    async def _show(self, count: int, keep: bool) -> None:
        await self._say(f"Starting {count} SSH nodes in this process …")
        async with Cluster(count) as cluster:
            for scene in _scenes(cluster.nodes):
                if not self._stopped.is_set():
                    await self._play(scene, cluster)
            if keep and not self._stopped.is_set():
                self._kept = True
                await self._say(_how_to_use(cluster))
                await self._stopped.wait()
        if not self._stopped.is_set():
            await self._say(_HOW_TO_GO_ON)

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal ends the demo in order, another one does not wait for its output either."""
        if self._caught is not None:
            self._screen.give_up()
        self._caught = self._caught or number
        self._stop()

    def _stop(self) -> None:
        self._stopped.set()
        if self._task is not None:
            self._task.abort()

    async def _play(self, scene: _Scene, cluster: Cluster) -> None:
        """Run one scene's command, as ``asynctask run`` would."""
        words = f"asynctask run -w {shlex.quote(fold(cluster.nodes))} {scene.options}".rstrip()
        await self._say(f"\n{scene.text}\n\n$ {words} {shlex.quote(scene.command)}")
        async with Task(ssh=SSHOptions(config=cluster.ssh_config)) as self._task:
            self._task.shell(scene.command, nodes=cluster.nodes, timeout=scene.timeout)
            results = (await self._task.run()).all()
        self._task = None
        if scene.gather:
            await GatheredView(self._screen, Style()).over(results)
        else:
            await ByNodeView(self._screen, Style()).over(results)
        for line in failure_lines(results, every=True):
            await self._say(f"asynctask: {line}")

    async def _say(self, text: str) -> None:
        """On standard output, in order with what the nodes print."""
        await self._screen.write(STDOUT, text.encode() + b"\n")


_HOW_TO_GO_ON = """
The nodes are gone again. To go on:

  asynctask demo --keep            the same, and the nodes stay for commands of your own
  asynctask run -w NODES COMMAND   on your own nodes, wherever ssh gets you in
  asynctask run --help             everything that run can do

and in Python:

  result = await asynctask.run("uname -r", nodes="web[1-100]")
  for output, nodes in result.iter_buffers():
      print(asynctask.NodeSet.fromlist(nodes), output)"""


def _how_to_use(cluster: Cluster) -> str:
    nodes = shlex.quote(fold(cluster.nodes))
    return f"""
The nodes stay until Ctrl-C. In another terminal:

  asynctask run -F {cluster.ssh_config} -w {nodes} -b uptime
  ssh -F {cluster.ssh_config} {cluster.nodes[0]} uptime"""
