"""A template that is loaded, with the places in which its processes are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from asynctask.errors import ManagerError
from asynctask.manager.files.difference import concerns_process
from asynctask.manager.information import TemplateInfo
from asynctask.manager.once import Once
from asynctask.manager.place import Place
from asynctask.manager.services import Services
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate

__all__ = ("Job",)

_S = ProcessState
_SETTLED = frozenset(_S) - {_S.STARTING, _S.STOPPING}


class Job:
    """Keeps as many processes of a template as there are to be.

    Like a place, it changes at once what is wished, and who wants to wait for the outcome does so apart.

    Args:
        services: of the manager.
        template: what to run.
        nodes: where; ``None`` is this machine.
    """

    def __init__(self, services: Services, template: ProcessTemplate, nodes: Sequence[str | None]) -> None:
        self._services = services
        self.template = template
        self.nodes = tuple(nodes)
        self.numprocesses = template.numprocesses
        self.wanted = False
        self.places: list[Place] = []
        self._going: set[Place] = set()  # those of them that are forgotten when they have stopped
        self._stopped = 0  # how many of them are
        self._stopping = False
        self._restarting: set[Place] = set()
        self._onces: dict[int, Once] = {}
        self._rolling = asyncio.Lock()
        self.wishes = 0  # so often it was started, stopped or left: what began before gives up then
        self._fit()

    @property
    def name(self) -> str:
        """The template's."""
        return self.template.name

    @property
    def kept(self) -> list[Place]:
        """The places that stay."""
        return [place for place in self.places if place not in self._going]

    @property
    def onces(self) -> list[Once]:
        """The processes that are run once, and have not ended."""
        return [once for once in self._onces.values() if not once.over.is_set()]

    @property
    def idle(self) -> bool:
        """Whether nothing of it runs, or is about to."""
        return self._stopped == len(self.places) and not self.onces

    # -- wishes ------------------------------------------------------------

    def start(self) -> None:
        """Have its processes run."""
        self.wishes += 1
        self._stopping = False
        if not self.wanted or any(place.state not in (_S.STARTING, _S.RUNNING) for place in self.kept):
            self._services.publisher.template("start", self.name)
        self.wanted = True
        for place in self.kept:
            place.start()

    def stop(self) -> None:
        """Have none of its processes run."""
        self.wishes += 1
        self._restarting.clear()
        self._stopping = self.wanted or self._stopped < len(self.places)
        self.wanted = False
        for place in list(self.places):
            place.stop()
        for once in self.onces:
            once.stop()
        self._look()

    def restart(self) -> None:
        """Have its processes replaced, each when it has stopped."""
        self.wishes += 1
        self._stopping = False
        self.wanted = True
        for place in self.kept:
            place.restart()
        self._restarting = set(self.kept)

    def leave(self) -> None:
        """Let its processes go on without us."""
        self.wishes += 1
        self._restarting.clear()
        for place in list(self.places):
            if place in self._going:
                place.stop()
            else:
                place.leave()
        for once in self.onces:
            once.stop()

    def hurry(self) -> None:
        """KILL is next for all that are stopping."""
        for place in self.places:
            place.hurry()
        for once in self.onces:
            once.life.hurry()

    def scale(self, numprocesses: int) -> None:
        """Have so many processes, on each node."""
        self.numprocesses = numprocesses
        self._fit()

    def _fit(self) -> None:
        """Have the places that there are to be."""
        for place in [each for each in self.kept if each.node not in self.nodes]:
            self._take_away(place)
        for node in self.nodes:
            here = sorted((each for each in self.kept if each.node == node), key=lambda each: each.index)
            for place in here[self.numprocesses :]:
                self._take_away(place)
            for place in self._add(node, self.numprocesses - len(here)):
                if self.wanted:
                    place.start()

    def _add(self, node: str | None, number: int) -> Sequence[Place]:
        """More places on a node, with the lowest numbers that are free."""
        taken = {place.index for place in self.places if place.node == node}
        free = [index for index in range(len(taken) + max(0, number)) if index not in taken]
        added = [Place(self._services, self, index, node) for index in free[: max(0, number)]]
        self.places += added
        self._stopped += len(added)
        return added

    def _take_away(self, place: Place) -> None:
        if place in self.places:
            self._going.add(place)
            place.stop()
            self._forget_if_stopped(place)

    # -- what happens to its places ------------------------------------------------------------

    def place_changed(self, place: Place, before: ProcessState) -> None:
        """A place is in another state."""
        self._stopped += (place.state is _S.STOPPED) - (before is _S.STOPPED)
        self._forget_if_stopped(place)
        if place.state in _SETTLED and place in self._restarting:
            self._restarting.discard(place)
            if not self._restarting:
                self._services.publisher.template("restart", self.name)
        self._look()

    def _forget_if_stopped(self, place: Place) -> None:
        if place in self._going and place.state is _S.STOPPED:
            self._going.discard(place)
            self.places.remove(place)
            self._stopped -= 1

    def _look(self) -> None:
        """Tell that all are stopped, when they are."""
        if self._stopping and self._stopped == len(self.places):
            self._stopping = False
            self._services.publisher.template("stop", self.name)

    # -- waiting ------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until none of its processes is starting or stopping."""
        for place in list(self.places):
            await place.settled()

    async def stopped(self) -> None:
        """Wait until none of its processes is stopping."""
        for place in list(self.places):
            await place.stopped()
        for once in self.onces:
            if once.stopping:
                await once.over.wait()

    # -- one after the other ------------------------------------------------------------

    async def reload(self, *, all_of_them: bool = True) -> None:
        """Replace the processes one after the other: each new one is ready before an old one is stopped.

        Args:
            all_of_them: else only those that would be started otherwise by now.

        Raises:
            ManagerError: a new one did not become ready, and was stopped; or somebody wants something else
                meanwhile. What is not replaced yet goes on.

        Cancelling leaves each process as it is, but for a new one that was not ready.
        """
        if not self.wanted:
            self.start()
            await self.settled()
            return
        wishes = self.wishes
        async with self._rolling:
            self._check_wish(wishes)
            old = [place for place in self.kept if all_of_them or self._is_outdated(place)]
            for done, place in enumerate(old):
                if place not in self.places or place in self._going:
                    continue  # scaled away meanwhile
                if place.state not in (_S.RUNNING, _S.STARTING):
                    place.start()
                    await place.settled()
                else:
                    await self._replace(place, f"{done} of {len(old)} were replaced")
                self._check_wish(wishes)
        if old:
            self._services.publisher.template("restart", self.name)

    async def _replace(self, old: Place, so_far: str) -> None:
        (new,) = self._add(old.node, 1)
        self._going.add(new)  # it counts when it is ready
        try:
            wishes = self.wishes
            new.start()
            await new.settled()
            self._check_wish(wishes)
            if new.state is not _S.RUNNING:
                why = new.reason or (f"it is {new.state.value}")
                raise ManagerError(f"{self.name}: a new process did not become ready: {why}; {so_far}")
        except BaseException:
            self._take_away(new)
            raise
        if old in self.kept:
            self._going.discard(new)
            self._take_away(old)
            await old.stopped()
        else:  # it was scaled away meanwhile
            self._take_away(new)
            await new.stopped()

    def _is_outdated(self, place: Place) -> bool:
        used = place.template_in_use
        if used is None:
            return False
        # where it stays, another set of nodes is no reason to replace it
        return concerns_process(replace(used, nodes=self.template.nodes), self.template)

    def _check_wish(self, wishes: int) -> None:
        if self.wishes != wishes:
            raise ManagerError(f"{self.name}: replacing its processes ended early: it was started or stopped")

    def update(self, template: ProcessTemplate, nodes: Sequence[str | None]) -> None:
        """Have another template; processes that run go on as they were started."""
        self.template = template
        self.nodes = tuple(nodes)
        self.scale(template.numprocesses)

    async def run_once(self, once: Once) -> int:
        """Start a process that is run once, and give its number."""
        self._onces = {each.life.pid: each for each in (*self.onces, once)}
        await once.start()
        return once.life.pid

    def info(self) -> TemplateInfo:
        """How it is now."""
        places = sorted(self.places, key=lambda each: (self._rank(each.node), each.index))
        return TemplateInfo(
            template=self.template,
            numprocesses=self.numprocesses,
            wanted=self.wanted,
            processes=(*(place.info() for place in places), *(once.info() for once in self.onces)),
        )

    def _rank(self, node: str | None) -> int:
        return self.nodes.index(node) if node in self.nodes else len(self.nodes)
