"""The ``ssh`` worker: one connection a node, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import anyio
import asyncssh

from asynctask.errors import ConnectionFailedError, ConnectionLostError, NodeError, SpawnError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.ssh.connect import Connector, close_connection
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.session import END_WAIT, RemoteCommand, signal_number, start
from asynctask.workers.base import Sink, Worker
from asynctask.workers.feeding import wait_feeding
from asynctask.workers.resources import Resources

__all__ = ("SSHWorker",)


class SSHWorker(Worker):
    """Runs the command in the login shell of each node.

    Args:
        ssh: how to connect; by default as ``~/.ssh/config`` says.

    The others are those of :class:`~asynctask.Worker`. ``connect_timeout`` covers everything up to
    the moment at which the command runs: the name's address, the connection, the login, the start.
    """

    name: ClassVar[str] = "ssh"
    remote: ClassVar[bool] = True

    def __init__(
        self, command: str, nodes: Sequence[str], *, ssh: SSHOptions | None = None, **settings: Any
    ) -> None:
        super().__init__(command, nodes, **settings)
        if "\0" in command:
            raise UsageError("a command cannot hold a NUL character")
        if ssh is not None and not isinstance(ssh, SSHOptions):
            raise UsageError(f"ssh={ssh!r}: how to connect is an asynctask.SSHOptions")
        self.ssh = ssh or SSHOptions()
        self.ssh.config_files()  # a file that was named and is not there is said now

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        node = nodes[0]
        connector = resources.get(self.ssh, lambda: Connector(self.ssh))
        data = self.stdin_for(node)
        connection: asyncssh.SSHClientConnection | None = None
        try:
            try:
                with anyio.fail_after(self.connect_timeout):
                    connection = await connector.connect(node)
                    sink.connected()
                    command = await start(
                        connection,
                        self.command,
                        sink.data,
                        separate_stderr=self.stderr,
                        no_input=data is None,
                    )
            except TimeoutError as exc:
                raise self._too_slow(node, connection) from exc
            except asyncssh.Error as exc:
                if connection is not None and connection.is_closed():
                    raise ConnectionLostError(
                        node, f"connection lost before the command ran ({exc})"
                    ) from exc
                raise SpawnError(node, f"the server did not run the command: {exc}") from exc
            sink.started(command)
            return await self._finish(node, command, data, sink)
        finally:
            if connection is not None:
                await close_connection(connection)

    async def _finish(self, node: str, command: RemoteCommand, data: Any, sink: Sink) -> Ended:
        try:
            if data is None:
                await command.wait()
            else:
                await wait_feeding(node, command.wait, command, data, sink)
        except BaseException:
            with anyio.move_on_after(self.grace.seconds + END_WAIT + 1, shield=True):
                await command.end(self.grace)
            raise
        return _ended(node, command)

    def _too_slow(self, node: str, connection: asyncssh.SSHClientConnection | None) -> NodeError:
        if connection is None:
            return ConnectionFailedError(
                node, f"no login within {self.connect_timeout:g} s", "is it up and reachable?"
            )
        return ConnectionFailedError(
            node, f"logged in, but the command did not start within {self.connect_timeout:g} s"
        )


def _ended(node: str, command: RemoteCommand) -> Ended:
    if command.exit_status is not None:
        return Ended.from_returncode(command.exit_status)
    if command.exit_signal is not None:
        number = signal_number(command.exit_signal)
        return Ended(Outcome.SIGNALLED, rc=128 + number, signal=number)
    reason = str(command.lost) if command.lost else "the server closed the channel"
    raise ConnectionLostError(node, f"connection lost while the command ran ({reason})")
