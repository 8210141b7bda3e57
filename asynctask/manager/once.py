"""A process that is run once, beside those that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.information import ProcessInfo
from asynctask.manager.life import Life
from asynctask.manager.services import Services
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate

__all__ = ("Once",)


class Once:
    """Runs a process of a template to its end, and no other after it."""

    def __init__(
        self, services: Services, template: ProcessTemplate, node: str | None, env: Mapping[str, str] | None
    ) -> None:
        self._services = services
        self._template = replace(template, detach=False)
        self.life = Life(services, self._template, None, node, env)
        self.over = asyncio.Event()
        self.stopping = False
        self._scope: anyio.CancelScope | None = None  # what a stop breaks off

    async def start(self) -> None:
        """Start it; then it goes on by itself.

        Raises:
            LaunchError: it could not be started.
            ManagerError: it was stopped before.
        """
        try:
            with anyio.CancelScope() as self._scope:
                await self.life.launch()
            if self.life.started is None:
                raise ManagerError(f"{self._template.name}: it was stopped while it was being started")
        except BaseException:
            self.over.set()
            raise
        self._services.spawn(self._keep(), f"process {self._template.name}, once")

    def stop(self) -> None:
        """End it, or do not even start it."""
        self.stopping = True
        if self._scope is not None:
            self._scope.cancel()

    @property
    def _state(self) -> ProcessState:
        if self.stopping:
            return ProcessState.STOPPING
        return ProcessState.STARTING if self.life.started is None else ProcessState.RUNNING

    def info(self) -> ProcessInfo:
        """How it is now."""
        life = self.life
        running = life if life.started is not None else None
        return ProcessInfo(
            name=self._template.name,
            index=None,
            node=life.node,
            state=self._state,
            pid=None if running is None else running.pid,
            os_pid=life.os_pid,
            started=life.started,
            uptime=None if running is None else running.uptime,
            restarts=0,
            connected=life.connected,
            last_exit=None,
            reason=None,
            retry_in=None,
        )

    async def _keep(self) -> None:
        life = self.life
        try:
            if not self.stopping:
                with anyio.CancelScope() as self._scope:
                    await life.exited()
            if life.exit is None:
                await life.end(self._template)
            await life.bury(self._template)
        except BaseException:
            await life.cut_off()
            raise
        finally:
            self.over.set()
