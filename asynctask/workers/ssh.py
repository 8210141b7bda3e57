"""The ``ssh`` worker: commands on nodes, in this process, over connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import anyio

from asynctask.errors import ConnectionLostError, SpawnError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.ssh.answers import Answers, Question
from asynctask.ssh.environment import checked, for_any_shell
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.session import END_WAIT, Announce, RemoteCommand, signal_number, start
from asynctask.ssh.targets import check_targets
from asynctask.workers.base import Sink, Worker
from asynctask.workers.connections import Connections, Leased, pool_of
from asynctask.workers.feeding import wait_feeding
from asynctask.workers.resources import Resources
from asynctask.workers.sudo import READY_WAIT, STOP_WAIT, Elevation, Password, Sudo, send_signal, stop

__all__ = ("SSHWorker",)


class SSHWorker(Worker):
    """Runs the command in the login shell of each node.

    Args:
        ssh: how to connect; by default as ``~/.ssh/config`` says.
        sudo: run it as another user: ``True`` for root, or a :class:`~asynctask.Sudo`. It is then run by
            ``sh``, and a signal that ends it gives the exit code 128 and its number.
        pty: give it a terminal, without an echo. Standard error is then part of standard output, and a lost
            connection hangs it up.

    The others are those of :class:`~asynctask.Worker`. ``connect_timeout`` covers everything up to
    the moment at which the command runs: the name's address, the connection, the login, the start; sudo may
    be silent for so long once more.
    """

    name: ClassVar[str] = "ssh"
    remote: ClassVar[bool] = True
    logs_in: ClassVar[bool] = True
    announces: ClassVar[bool] = True

    def __init__(
        self,
        command: str,
        nodes: Sequence[str],
        *,
        ssh: SSHOptions | None = None,
        sudo: Sudo | bool | None = None,
        pty: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(command, nodes, **settings)
        if "\0" in command:
            raise UsageError("a command cannot hold a NUL character")
        if ssh is not None and not isinstance(ssh, SSHOptions):
            raise UsageError(f"ssh: how to connect is an asynctask.SSHOptions, not {type(ssh).__name__}")
        if sudo is not None and not isinstance(sudo, Sudo | bool):
            raise UsageError(f"sudo: True or an asynctask.Sudo, not {type(sudo).__name__}")
        if not isinstance(pty, bool):
            raise UsageError(f"pty={pty!r}: True or False")
        checked(self.env or {})
        self.ssh = ssh or SSHOptions()
        self.sudo = Sudo() if sudo is True else sudo or None
        self.pty = pty
        self.ssh.config_files()  # a file that was named and is not there is said now
        check_targets(self.nodes)

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        node = nodes[0]
        command, env, data = self.command_for(node, rank), self.env_for(node), self.stdin_for(node)
        lease = await self._connections(resources).lease(node, self.ssh, self.connect_timeout)
        try:
            sink.connected()
            announce = resources.announcer(node)
            if self.sudo is None:
                if self.is_filled(node):
                    command = for_any_shell(command)
                if announce is not None:
                    announce = _not_connecting(lease, announce)
                remote = await self._open(
                    lease, command, sink.data, env=env, no_input=data is None, announce=announce
                )
            else:
                remote = await self._elevate(self.sudo, lease, command, env, sink, resources, announce)
                if data is None:
                    remote.close()
            sink.started(remote)
            return await self._finish(node, remote, data, sink, lease)
        finally:
            await lease.release()

    def _connections(self, resources: Resources) -> Connections:
        """Where the connections come from."""
        return pool_of(resources)

    async def _open(
        self,
        lease: Leased,
        command: str,
        receive: Any,
        *,
        env: Mapping[str, str] | None = None,
        no_input: bool = False,
        separate_stderr: bool = False,
        announce: Announce | None = None,
    ) -> RemoteCommand:
        try:
            return await lease.open(
                lambda connection: start(
                    connection,
                    command,
                    receive,
                    separate_stderr=self.stderr or separate_stderr,
                    no_input=no_input,
                    env=env,
                    wished=lease.environment,
                    pty=self.pty,
                    mark=lease.mark,
                    announce=announce,
                )
            )
        except SpawnError:
            raise
        except BaseException:  # something may have been started
            lease.discard()
            raise

    async def _finish(self, node: str, remote: RemoteCommand, data: Any, sink: Sink, lease: Leased) -> Ended:
        try:
            if data is None:
                await remote.wait()
            else:
                await wait_feeding(node, remote.wait, remote, data, sink)
        except BaseException as exc:
            exited = remote.has_exited
            with anyio.move_on_after(self.grace.seconds + END_WAIT + 1, shield=True):
                await remote.end(self.grace)
            if not exited or not isinstance(exc, asyncio.CancelledError):
                raise  # else it ended in time: only its output was still held open
        finally:
            if not remote.gone:
                lease.discard()
        return _ended(node, remote)

    # -- by sudo --------------------------------------------------------------------------------

    async def _elevate(
        self,
        sudo: Sudo,
        lease: Leased,
        command: str,
        env: Mapping[str, str] | None,
        sink: Sink,
        resources: Resources,
        announce: Announce | None,
    ) -> RemoteCommand:
        """Start a command by sudo; it runs when this returns."""
        elevation = Elevation(sudo, command, sink.data, env=env, separate_stderr=self.stderr, pty=self.pty)
        remote = await self._open(lease, elevation.command, elevation.receive, separate_stderr=True)
        password = self._password(sudo, lease, resources)
        try:
            wait = self.connect_timeout or READY_WAIT
            await elevation.enter(lease.node, remote, password, wait, announce)
        except BaseException:
            with anyio.move_on_after(STOP_WAIT + END_WAIT + 1, shield=True):
                await stop(remote)
                await remote.end(self.grace)
            if not remote.gone:
                lease.discard()
            raise
        connection = lease.connection

        async def escalate(name: str, groups: Sequence[int]) -> None:
            await send_signal(connection, sudo, password, name, groups)

        remote.escalate = escalate
        return remote

    def _password(self, sudo: Sudo, lease: Leased, resources: Resources) -> Password:
        answers = lease.answers
        if sudo.prompt is not None or answers is None:
            options = replace(self.ssh, prompt=sudo.prompt)
            answers = resources.get(("sudo", options), lambda: Answers(options))
        user = lease.connection.get_extra_info("username") or ""

        async def password() -> str | None:
            if sudo.password is not None:
                return sudo.password
            text = f"sudo password for {user}: "
            return await answers.answer(Question("sudo", text, lease.node, user))

        return password


def _not_connecting(lease: Leased, announce: Announce) -> Announce:
    """The same, in time that does not count as connecting."""

    async def aside() -> None:
        with lease.paused():
            await announce()

    return aside


def _ended(node: str, remote: RemoteCommand) -> Ended:
    if remote.exit_status is not None:
        return Ended.from_returncode(remote.exit_status)
    if remote.exit_signal is not None:
        number = signal_number(remote.exit_signal)
        return Ended(Outcome.SIGNALLED, rc=128 + number, signal=number)
    reason = str(remote.lost) if remote.lost else "the server closed the channel"
    raise ConnectionLostError(node, f"connection lost while the command ran ({reason})")
