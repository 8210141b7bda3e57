"""Tests of asynctask.emitter.registry."""

from __future__ import annotations

from asynctask.emitter.boxes import Box
from asynctask.emitter.registry import MOST_ROUTES, Registry, Target


class _Stream(Target):
    passive = True


def _target(*parts: str, box: Box | None = None) -> Target:
    return Target(parts, box)


def test_a_route_is_remembered_until_the_targets_change() -> None:
    """Nothing is looked up twice."""
    registry = Registry()
    first, second = _target("a"), _target("a", "b")
    registry.add(first)
    route = registry.route("a.b")
    assert registry.route("a.b") is route
    registry.add(second)
    assert registry.route("a.b").targets == (first, second)
    registry.remove(first)
    assert registry.route("a.b").targets == (second,)
    registry.clear()
    assert registry.route("a.b").targets == ()


def test_topics_that_the_same_patterns_match_share_a_route() -> None:
    """What a new topic costs does not depend on how many hear of it."""
    registry = Registry()
    for parts in ((), (), ("a",)):
        registry.add(_target(*parts))
    assert registry.route("b") is registry.route("c.d")
    assert registry.route("a") is registry.route("a.x")
    assert len(registry.route("a").targets) == 3
    shared = registry.route("b")
    registry.add(_target())
    assert len(registry.route("b").targets) == 3
    assert registry.route("b") is not shared


def test_targets_come_in_the_order_of_their_subscription_but_for_streams() -> None:
    """Streams are first: what a listener does, closing the emitter for one, comes after them."""
    registry = Registry()
    targets = [_target("a"), _target(), _Stream(("a",), None), _target("a", "b")]
    for target in targets:
        registry.add(target)
    assert registry.route("a.b").targets == tuple(targets[place] for place in (2, 0, 1, 3))


def test_a_route_knows_the_strict_boxes() -> None:
    """It is plain when there is no such box, and somebody hears."""
    registry = Registry()
    box = Box("box", 1, "wait")
    registry.add(_target("a", box=box))
    registry.add(_target(box=Box("other", 1, "drop_oldest")))
    assert (registry.route("a").strict, registry.route("a").plain) == ((box,), False)
    assert (registry.route("b").strict, registry.route("b").plain) == ((), True)


def test_a_topic_that_nobody_hears_of() -> None:
    """That is remembered as well."""
    registry = Registry()
    assert (registry.route("a").targets, registry.route("a").plain) == ((), False)
    assert list(registry.routes) == ["a"]


def test_only_so_many_routes_are_remembered() -> None:
    """Topics that are made up for each event cost no memory."""
    registry = Registry()
    for number in range(MOST_ROUTES + 1):
        registry.route(f"a.{number}")
    assert list(registry.routes) == [f"a.{MOST_ROUTES}"]


def test_what_a_target_tells() -> None:
    """Without a box of its own nothing waits or is dropped."""
    target = _target("a", "*")
    assert (target.pattern, target.waiting, target.dropped, target.heard) == ("a.*", 0, 0, 0)
