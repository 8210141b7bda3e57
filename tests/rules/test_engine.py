"""Tests of asynctask.rules.engine: from a change to the end of a command, and a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.rules.engine import RuleEngine, run_rules
from asynctask.rules.model import Rule, Rules, Watched
from tests.rules.support import HOSTILE, FakePoller, rule
from tests.support import children


class _Pollers:
    """Makes pollers, and has them."""

    def __init__(self, *names: str) -> None:
        self.made: list[FakePoller] = []
        self._names = names

    def __call__(self, url: str, **settings: Any) -> FakePoller:
        poller = FakePoller(f"file://{url}", **settings)
        poller.put(*self._names)
        self.made.append(poller)
        return poller


def _rules(*rules: Rule, letters: Path | None = None, **watched: Any) -> Rules:
    inbox = Watched(**{"name": "inbox", "url": "/inbox", **watched})
    return Rules(pollers=(inbox,), rules=rules, dead_letters=letters)


@asynccontextmanager
async def _running(engine: RuleEngine, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(engine.run(**settings))
    try:
        yield running
    finally:
        engine.stop()
        await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 20)
    assert not children()


async def _until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.001)


async def test_a_change_runs_a_command(tmp_path: Path) -> None:
    """Each change one, whatever the names are; none becomes a command."""
    command = f"printf '%%s\\0' %{{name}} \"$ASYNCTASK_PATH\" >> {tmp_path}/out"
    pollers = _Pollers(*HOSTILE)
    engine = RuleEngine(_rules(rule(command), existing=True), maker=pollers)

    await asyncio.wait_for(engine.run(once=True), 30)

    found = (tmp_path / "out").read_bytes().split(b"\0")[:-1]
    names = sorted(name.encode(errors="surrogateescape") for name in HOSTILE)
    assert sorted(found[::2]) == names
    assert sorted(found[1::2]) == [b"/inbox/" + name for name in names]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert engine.statistics()["r"].ok == len(HOSTILE)
    assert pollers.made[0].closed


async def test_rules_follow_rules(tmp_path: Path) -> None:
    """They know what the first one was run for; nobody is run for what he has led to."""
    first = rule("echo %{name}", name="first")
    second = rule(f'echo %{{name}} "$ASYNCTASK_RC" >> {tmp_path}/out', "task.first.hup", name="second")
    everything = rule(f'echo "$ASYNCTASK_TOPIC" >> {tmp_path}/all', "rule", name="everything")
    engine = RuleEngine(_rules(first, second, everything, existing=True), maker=_Pollers("a"))

    await asyncio.wait_for(engine.run(once=True), 30)

    assert (tmp_path / "out").read_text() == "a 0\n"
    assert sorted((tmp_path / "all").read_text().split()) == ["rule.first.ok", "rule.second.ok"]
    assert engine.statistics()["everything"].loops == 2


async def test_an_event_is_one_for_a_rule_with_several_patterns(tmp_path: Path) -> None:
    """Also where more than one of them is for it; a poller's own come once, and not by the emitter."""
    several = Rule(name="r", when=(".", "x", "*.y", "poller.inbox"), run=f"echo %{{topic}} >> {tmp_path}/out")
    async with EventEmitter() as emitter:
        pollers = _Pollers()
        engine = RuleEngine(_rules(several), emitter=emitter, maker=pollers)
        async with _running(engine):
            await _until(lambda: pollers.made and pollers.made[0].statistics().looks)
            emitter.publish("x.y")
            pollers.made[0].put("a")
            await _until(lambda: engine.statistics()["r"].ok == 2)
    assert sorted((tmp_path / "out").read_text().split()) == ["poller.inbox.created", "x.y"]


async def test_a_batch_is_one_run(tmp_path: Path) -> None:
    """With all URLs."""
    command = f'echo %{{count}} >> {tmp_path}/out; echo "$ASYNCTASK_URLS" | sort >> {tmp_path}/out'
    engine = RuleEngine(_rules(rule(command, debounce=0.01), existing=True), maker=_Pollers("a", "b"))

    await asyncio.wait_for(engine.run(once=True), 30)

    assert (tmp_path / "out").read_text() == "2\nfile:///inbox/a\nfile:///inbox/b\n"


async def test_a_restart_repeats_what_was_not_handled_and_misses_nothing(tmp_path: Path) -> None:
    """What was handled does not come again."""
    out, state = tmp_path / "out", tmp_path / "state"
    command = f"echo %{{name}} >> {out}; test %{{name}} = a || sleep 60"
    engine = RuleEngine(_rules(rule(command, concurrency=2), state=state), maker=(first := _Pollers()))
    async with _running(engine):
        await _until(state.exists)
        first.made[0].put("a")
        await _until(lambda: b'"a"' in state.read_bytes())
        first.made[0].put("b")
        await _until(lambda: out.read_text() == "a\nb\n")

    again = RuleEngine(_rules(rule(f"echo %{{name}} >> {out}"), state=state), maker=_Pollers("a", "b", "c"))
    await asyncio.wait_for(again.run(once=True), 30)

    assert sorted(out.read_text().split()) == ["a", "b", "b", "c"]


async def test_what_fails_in_the_end_is_a_dead_letter(tmp_path: Path) -> None:
    """After all attempts, with what was printed; nothing secret is in it."""
    failing = rule("echo oops; exit 3 # s3cret", retries=2, retry_delay=0, env={"TOKEN": "s3cret"})
    letters = tmp_path / "dead"
    engine = RuleEngine(_rules(failing, letters=letters, existing=True), maker=_Pollers("a"))

    await asyncio.wait_for(engine.run(once=True), 30)

    assert "s3cret" not in letters.read_text()
    letter = json.loads(letters.read_text())
    assert (letter["rule"], letter["attempts"], letter["events"][0]["url"]) == ("r", 3, "file:///inbox/a")
    assert letter["nodes"] == {"r": {"outcome": "failed", "rc": 3, "error": "", "output": "oops\n"}}


async def test_stopping_stops_what_runs() -> None:
    """And the run ends, without an error."""
    engine = RuleEngine(_rules(rule("sleep 60"), existing=True), maker=_Pollers("a"))
    async with _running(engine) as running:
        await _until(lambda: engine.active_nodes() == ["r"])
        engine.stop()
        await asyncio.wait_for(running, 20)
    assert engine.statistics()["r"].ok == engine.statistics()["r"].dead == 0


async def test_cancelling_stops_what_runs() -> None:
    """And the cancellation goes on; what ignores TERM can be killed."""
    engine = RuleEngine(_rules(rule("trap '' TERM; echo x; sleep 60"), existing=True), maker=_Pollers("a"))
    async with _running(engine) as running:
        await _until(lambda: engine.active_nodes() == ["r"])
        running.cancel()
        await asyncio.sleep(0)
        engine.kill()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 20)
    assert engine.active_nodes() == []


async def test_rules_without_pollers_wait_for_topics(tmp_path: Path) -> None:
    """Until they are stopped."""
    async with EventEmitter() as emitter:
        engine = RuleEngine(Rules(rules=(rule(f"echo x > {tmp_path}/out", "deploy"),)), emitter=emitter)
        async with _running(engine) as running:
            await _until(lambda: emitter.statistics().subscriptions)
            emitter.publish("deploy.now")
            await _until(lambda: engine.statistics()["r"].ok)
            assert not running.done()
        assert emitter.statistics().subscriptions == 0


async def test_when_no_poller_can_ever_see(caplog: pytest.LogCaptureFixture) -> None:
    """It is an error."""
    error = PollerError("s3://b", "no such bucket", temporary=False)

    def maker(url: str, **settings: Any) -> FakePoller:
        poller = FakePoller(f"file://{url}", **settings)
        poller.error = error
        return poller

    with pytest.raises(PollerError, match="no such bucket"):
        await asyncio.wait_for(run_rules(_rules(rule()), maker=maker), 20)


async def test_a_state_of_something_else(tmp_path: Path) -> None:
    """It is refused, and not overwritten."""
    (tmp_path / "state").write_bytes(b"precious")
    with pytest.raises(UsageError, match="no state of a poller"):
        await run_rules(_rules(rule(), state=tmp_path / "state"), maker=_Pollers())
    assert (tmp_path / "state").read_bytes() == b"precious"


async def test_an_engine_runs_once() -> None:
    """A second time is refused."""
    engine = RuleEngine(_rules(rule("true"), existing=True), maker=_Pollers("a"))
    await asyncio.wait_for(engine.run(once=True), 20)
    with pytest.raises(TaskStateError):
        await engine.run()


async def test_one_poller_of_two_can_never_see(caplog: pytest.LogCaptureFixture) -> None:
    """It is told at once, and the other goes on; the last one's reason is raised, and not told twice."""
    pollers = _Pollers()
    one, other = Watched(name="one", url="/one"), Watched(name="other", url="/other")
    engine = RuleEngine(Rules(pollers=(one, other), rules=(rule(),)), maker=pollers)
    running = asyncio.create_task(engine.run())
    await _until(lambda: [bool(poller.statistics().looks) for poller in pollers.made] == [True] * 2)
    first, last = (PollerError(f"file:///{name}", "gone", temporary=False) for name in ("one", "other"))
    pollers.made[0].error = first
    pollers.made[0].put("x")
    await _until(lambda: caplog.messages)
    assert not running.done()
    pollers.made[1].error = last
    pollers.made[1].put("x")
    with pytest.raises(PollerError) as caught:
        await asyncio.wait_for(running, 20)
    assert (caught.value, caplog.messages) == (last, [f"poller one: {first}"])


async def test_a_letter_that_cannot_be_written_is_not_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it is about comes again after a restart."""
    state, letters = tmp_path / "state", tmp_path / "letters"
    engine = RuleEngine(_rules(rule("false"), state=state, letters=letters), maker=(first := _Pollers()))
    async with _running(engine):
        await _until(state.exists)
        letters.mkdir()  # in its place nothing can be written
        first.made[0].put("a")
        await _until(lambda: any("does not count as handled" in each for each in caplog.messages))
    letters.rmdir()

    again = RuleEngine(_rules(rule("false"), state=state, letters=letters), maker=_Pollers("a"))
    await asyncio.wait_for(again.run(once=True), 30)

    assert len(letters.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nodes": "a[1-"}, r"^rule 'r': node set 'a\[1-'"),
        ({"nodes": "a", "worker": "telnet"}, "^rule 'r': unknown worker 'telnet'"),
    ],
)
def test_a_rule_that_can_never_work(settings: dict[str, str], message: str) -> None:
    """It is told which one."""
    with pytest.raises(UsageError, match=message):
        RuleEngine(_rules(rule(**settings)))


async def test_a_poller_that_cannot_be() -> None:
    """It is told which one."""
    rules = Rules(pollers=(Watched(name="web", url="gopher://x"),), rules=(rule(),))
    with pytest.raises(UsageError, match=r"^\[pollers.web\]: no poller for gopher: URLs"):
        await run_rules(rules)


async def test_files_are_checked_before_anything_happens(tmp_path: Path) -> None:
    """Not when the first letter is to be written."""
    pollers = _Pollers()
    with pytest.raises(UsageError, match="there is no directory"):
        await run_rules(_rules(rule(), letters=tmp_path / "no" / "dead"), maker=pollers)
    assert pollers.made == []
