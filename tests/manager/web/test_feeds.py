"""Numbered histories for many readers."""

from __future__ import annotations

import asyncio

from asynctask.manager.web.feeds import Feed


def of(*items: str, size: int = 3) -> Feed[str]:
    """A feed with something in it."""
    feed: Feed[str] = Feed(size)
    for item in items:
        feed.put(item)
    return feed


async def test_items_have_numbers_from_1() -> None:
    """Who has read the first gets the second."""
    feed = of("a", "b")

    assert feed.last == 2
    assert feed.after(0) == ([(1, "a"), (2, "b")], 0)
    assert feed.after(1) == ([(2, "b")], 0)
    assert feed.after(2) == ([], 0)


async def test_who_was_away_for_too_long_is_told_how_much_is_missing() -> None:
    """Only so many are kept."""
    feed = of("a", "b", "c", "d", "e")

    assert feed.after(1) == ([(3, "c"), (4, "d"), (5, "e")], 1)
    assert feed.after(0)[1] == 2


async def test_readers_wait_for_what_comes() -> None:
    """All of them are woken."""
    feed = of("a")
    waiting = [asyncio.create_task(feed.beyond(1)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    feed.put("b")

    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_a_closed_feed_has_an_end() -> None:
    """What is kept can still be read; then there is nothing to wait for."""
    feed = of("a")
    waiting = asyncio.create_task(feed.beyond(1))
    await asyncio.sleep(0)
    feed.close()

    assert await waiting is False
    assert await feed.beyond(0) is True
    assert feed.after(0) == ([(1, "a")], 0)


async def test_much_is_handed_out_in_parts() -> None:
    """No reader keeps the loop busy for long."""
    feed = of(*map(str, range(500)), size=1000)
    found, missed = feed.after(0)

    assert (len(found), found[-1], missed) == (200, (200, "199"), 0)
    assert feed.after(200)[0][0] == (201, "200")
