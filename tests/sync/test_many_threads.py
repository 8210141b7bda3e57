"""Several threads each with a task, a thousand runs, and others who meddle: neither deadlock nor leak."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random
from typing import Any

from asynctask.errors import TaskStateError
from asynctask.sync import EngineTimer, Task, TaskError, task_cleanup, task_self, task_wait
from tests.sync.helpers import PATIENCE, Aside, Says, all_of

OWN_THREAD = 4
OTHER_THREADS = 4
RUNS = 125
MEDDLERS = 3


class Watched:
    """A handler of one worker: what starts ends, once."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def ev_start(self, worker: Any) -> None:
        self.events.append("start")

    def ev_close(self, worker: Any) -> None:
        self.events.append("close")


class Player:
    """A task with what is done to it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.workers: list[Watched] = []
        self.timers: list[EngineTimer] = []
        self.sent: list[int] = []
        self.received: list[int] = []
        self.port = self.open_port()

    def open_port(self) -> Any:
        self.port = self.task.port(
            Says("ev_msg", lambda port, msg: self.received.append(msg)), autoclose=True
        )
        return self.port

    def shell(self) -> None:
        watched = Watched()
        self.workers.append(watched)
        self.task.shell("exec true", handler=watched)

    def timer(self, seconds: float) -> None:
        self.timers.append(self.task.timer(seconds, Says("ev_timer", lambda timer: None)))

    def send(self, message: int) -> None:
        if self.port.msg_send(message):
            self.sent.append(message)

    def prepare(self, number: int) -> None:
        """Something to do for one run; it may be taken by a run that somebody else began."""
        with suppress(TaskStateError):  # that run is being stopped
            self.open_port()
            self.timer(0.0)
        if number % 8 == 0:
            self.shell()

    def check(self) -> None:
        """All that began has ended, and no message is lost."""
        assert {tuple(worker.events) for worker in self.workers} <= {(), ("start", "close"), ("close",)}
        assert ("start", "close") in {tuple(worker.events) for worker in self.workers}
        assert [timer for timer in self.timers if timer.is_valid()] == []
        assert sorted(self.received) == sorted(self.sent)


def _own(players: list[Player], ready: threading.Barrier) -> int:
    """A thread that runs its own task."""
    player = Player(task_self())
    players.append(player)
    ready.wait(PATIENCE)
    for number in range(RUNS):
        player.prepare(number)
        player.task.run()
    ready.wait(PATIENCE)  # nobody meddles any more
    player.task.run()
    assert not player.task.running()
    return RUNS


def _other(players: list[Player], ready: threading.Barrier) -> int:
    """A thread that has a task run that has its own."""
    player = Player(Task())
    players.append(player)
    ready.wait(PATIENCE)
    for number in range(RUNS):
        player.prepare(number)
        player.task.resume()
        player.task.join()
    ready.wait(PATIENCE)
    player.task.resume()
    player.task.join()
    return RUNS


def _meddle(players: list[Player], random: Random, numbers: count[int], over: threading.Event) -> int:
    """A thread that does this and that to everybody's tasks."""

    def suspend(player: Player) -> None:
        player.task.suspend()
        player.task.resume()

    actions: list[Callable[[Player], object]] = [
        Player.shell,
        lambda player: player.timer(random.choice([0.0, 0.001])),
        lambda player: player.send(next(numbers)),
        lambda player: player.send(next(numbers)),
        lambda player: player.task.abort(),
        suspend,
        suspend,
        lambda player: player.task.set_info("fanout", random.randint(1, 64)),
        lambda player: player.task.flush_buffers(),
        lambda player: player.task.resume(),
        lambda player: list(player.task.iter_buffers()),
    ]
    done = 0
    while not over.wait(0.001):
        # That run is being stopped; or is over, and only its own thread can begin another.
        with suppress(TaskStateError, TaskError):
            random.choice(actions)(random.choice(players))
        done += 1
    return done


def test_a_thousand_runs_and_others_who_meddle() -> None:
    """Each run ends, nothing is lost, and all threads are over."""
    players: list[Player] = []
    ready = threading.Barrier(OWN_THREAD + OTHER_THREADS + 1)
    over, numbers = threading.Event(), count()
    runners = [Aside(partial(_own, players, ready)) for _ in range(OWN_THREAD)]
    runners += [Aside(partial(_other, players, ready)) for _ in range(OTHER_THREADS)]
    ready.wait(PATIENCE)
    meddlers = [Aside(partial(_meddle, players, Random(seed), numbers, over)) for seed in range(MEDDLERS)]
    try:
        while ready.n_waiting < ready.parties - 1:  # until all have run as often as they should
            all_of([runner for runner in runners if runner.done])  # raises what one of them did
            over.wait(0.01)
    except BaseException:
        ready.abort()
        raise
    finally:
        over.set()
    assert min(all_of(meddlers)) > 0
    ready.wait(PATIENCE)
    assert sum(all_of(runners)) == 1000
    task_wait()
    for player in players:
        player.check()
    assert sum(len(player.received) for player in players) > 0
    task_cleanup()
    assert not list(Task._all)


def test_threads_that_come_and_go() -> None:
    """Each with a task, a run and no word of farewell; and tasks that are killed while they run."""

    def short() -> bytes | None:
        output: bytes | None = task_self().run("echo out").read()
        return output

    def killed() -> bool:
        task = Task()
        task.run("exec sleep 60")
        task.abort(kill=True)
        task.thread.join(PATIENCE)
        return task.thread.is_alive()

    for _ in range(10):
        shorts = [Aside(short) for _ in range(4)]
        kills = [Aside(killed) for _ in range(4)]
        assert all_of(shorts) == [b"out"] * 4
        assert all_of(kills) == [False] * 4
