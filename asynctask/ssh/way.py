"""The way to a node as one lease goes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from asynctask.ssh.connect import Connector
from asynctask.ssh.dialling import Call
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.routes import Route
from asynctask.waiting import Patience

__all__ = ("Way",)


@dataclass(frozen=True, slots=True)
class Way:
    """A route, who connects, and how long it may take."""

    route: Route
    connector: Connector
    options: SSHOptions
    patience: Patience
    begun: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    """Set when its turn to connect has come, to the node or to a host on the way."""

    def call(self) -> Call:
        """What there is to connect to at its end."""
        route = self.route
        bastion = None if route.via is None else route.via.place
        address = (route.host, route.port, bastion)
        return Call(route.node, address, bastion, self.patience, self.options.retries)

    def before(self) -> Way | None:
        """The way to the last host on the way."""
        return None if self.route.via is None else replace(self, route=self.route.via)
