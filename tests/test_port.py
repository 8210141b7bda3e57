"""Tests of asynctask.port."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import PortClosedError, PortFullError, TaskStateError, UsageError
from asynctask.port import DEFAULT_QLIMIT, Port, PortStatistics
from tests.support import refused, turns

CLOSED = r"^the port is closed: the message is not sent$"
CLOSED_WAITING = r"^the port was closed: the message is not sent$"
EMPTY = r"^the port is closed and empty$"


async def _full(*messages: object) -> Port:
    """A port that has no room for more than these."""
    port = Port(len(messages))
    for message in messages:
        await port.msg_send(message)
    return port


async def _senders(port: Port, *messages: object) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(port.msg_send(message)) for message in messages]
    await turns(2)
    return tasks


async def _receivers(port: Port, count: int) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(port.msg_recv()) for _ in range(count)]
    await turns(2)
    return tasks


async def _drain(port: Port) -> list[Any]:
    """What is in the port, which is closed for it."""
    port.close()
    return [message async for message in port]


# -- sending and receiving --------------------------------------------------------------------------


async def test_messages_come_out_in_the_order_in_which_they_went_in() -> None:
    """Each once, whatever it is, by whatever way it was sent."""
    port = Port()
    await port.msg_send(None)
    port.msg_send_nowait(0)
    await port.msg_send("last")
    assert [await port.msg_recv() for _ in range(3)] == [None, 0, "last"]


async def test_a_message_is_the_object_itself() -> None:
    """Nothing is copied."""
    port, message = Port(), object()
    await port.msg_send(message)
    assert await port.msg_recv() is message


async def test_a_receiver_waits_for_a_message() -> None:
    """And has it in the turn after it came."""
    port = Port()
    (receiver,) = await _receivers(port, 1)
    assert not receiver.done()
    port.msg_send_nowait("hi")
    await turns(1)
    assert receiver.done()
    assert await receiver == "hi"


async def test_receivers_are_served_in_the_order_in_which_they_came() -> None:
    """The one who waits longest has the first message."""
    port = Port()
    receivers = await _receivers(port, 3)
    for number in range(3):
        port.msg_send_nowait(number)
    assert await asyncio.gather(*receivers) == [0, 1, 2]


async def test_a_full_port_makes_the_sender_wait() -> None:
    """Until somebody has received a message; then its own is the last."""
    port = await _full("a", "b")
    (sender,) = await _senders(port, "c")
    assert (sender.done(), port.statistics().waiting) == (False, 2)
    assert await port.msg_recv() == "a"
    await sender
    assert await _drain(port) == ["b", "c"]


async def test_senders_get_room_in_the_order_in_which_they_came() -> None:
    """Nobody overtakes who waits."""
    port = await _full("a")
    senders = await _senders(port, "b", "c", "d")
    assert [await port.msg_recv() for _ in range(4)] == ["a", "b", "c", "d"]
    await asyncio.gather(*senders)


async def test_room_that_is_promised_to_a_sender_is_not_given_away() -> None:
    """In the turn in which a message was received, and the sender that waits has not run yet."""
    port = await _full("a")
    (sender,) = await _senders(port, "b")
    assert await port.msg_recv() == "a"
    refused(
        PortFullError,
        "the port is full (1 messages): the message is not sent",
        lambda: port.msg_send_nowait("c"),
    )
    await sender
    assert await _drain(port) == ["b"]


async def test_who_sends_later_does_not_overtake_who_waited() -> None:
    """Two messages were received in one turn; there is room for both senders, but the first goes first."""
    port = await _full("a", "b")
    (first,) = await _senders(port, "c")
    second = asyncio.create_task(port.msg_send("d"))
    assert [await port.msg_recv(), await port.msg_recv()] == ["a", "b"]
    await asyncio.gather(first, second)
    assert await _drain(port) == ["c", "d"]


async def test_who_receives_later_does_not_overtake_who_waited() -> None:
    """Two messages came in one turn: the first is for who waited."""
    port = Port()
    (first,) = await _receivers(port, 1)
    port.msg_send_nowait("a")
    port.msg_send_nowait("b")
    assert (await port.msg_recv(), await first) == ("b", "a")


async def test_without_waiting_a_full_port_is_an_error() -> None:
    """The message is not sent."""
    port = await _full("a", "b")
    refused(
        PortFullError,
        "the port is full (2 messages): the message is not sent",
        lambda: port.msg_send_nowait("c"),
    )
    assert await _drain(port) == ["a", "b"]


async def test_a_port_holds_32_messages_unless_told_otherwise() -> None:
    """ClusterShell's documented figure."""
    port = Port()
    for number in range(DEFAULT_QLIMIT):
        port.msg_send_nowait(number)
    assert DEFAULT_QLIMIT == 32
    with pytest.raises(PortFullError):
        port.msg_send_nowait("one more")


# -- closing ----------------------------------------------------------------------------------------


async def test_a_closed_port_takes_nothing() -> None:
    """Both ways of sending say so at once."""
    port = Port()
    port.close()
    assert port.closed
    with pytest.raises(PortClosedError, match=CLOSED):
        await port.msg_send("a")
    with pytest.raises(PortClosedError, match=CLOSED):
        port.msg_send_nowait("a")
    assert port.statistics().sent == 0


async def test_what_is_in_a_closed_port_can_still_be_received() -> None:
    """Then there is an error, each time."""
    port = await _full("a", "b")
    port.close()
    assert [await port.msg_recv(), await port.msg_recv()] == ["a", "b"]
    for _ in range(2):
        with pytest.raises(PortClosedError, match=EMPTY):
            await port.msg_recv()


async def test_closing_wakes_all_senders() -> None:
    """None of their messages is in the port."""
    port = await _full("a")
    senders = await _senders(port, "b", "c", "d")
    port.close()
    for sender in senders:
        with pytest.raises(PortClosedError, match=CLOSED_WAITING):
            await sender
    assert await _drain(port) == ["a"]


async def test_closing_wakes_all_receivers() -> None:
    """There will be nothing for them."""
    port = Port()
    receivers = await _receivers(port, 3)
    port.close()
    for receiver in receivers:
        with pytest.raises(PortClosedError, match=EMPTY):
            await receiver


async def test_a_message_that_came_before_the_end_is_received_by_who_waits() -> None:
    """Sent and closed in one turn: the first has it, the others hear of the end."""
    port = Port()
    first, second = await _receivers(port, 2)
    port.msg_send_nowait("a")
    port.close()
    assert await first == "a"
    with pytest.raises(PortClosedError, match=EMPTY):
        await second


async def test_a_sender_that_got_room_and_then_the_end_has_sent_nothing() -> None:
    """Received and closed in one turn: it had not put its message in."""
    port = await _full("a")
    (sender,) = await _senders(port, "b")
    assert await port.msg_recv() == "a"
    port.close()
    with pytest.raises(PortClosedError, match=CLOSED_WAITING):
        await sender
    assert await _drain(port) == []


async def test_closing_wakes_the_others_though_the_first_was_cancelled() -> None:
    """Senders and receivers alike."""
    full, empty = await _full("a"), Port()
    tasks = [*await _senders(full, "b", "c"), *await _receivers(empty, 2)]
    for port in (full, empty):
        port.close()
    for task in (tasks[0], tasks[2]):
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError, PortClosedError] * 2


async def test_closing_again_does_nothing() -> None:
    """And nobody is promised anything by it."""
    port = await _full("a")
    for _ in range(3):
        port.close()
    assert await port.msg_recv() == "a"
    with pytest.raises(PortClosedError, match=EMPTY):
        await port.msg_recv()


async def test_somebody_may_wait_for_the_end() -> None:
    """At once if it was there before."""
    port = Port()
    waiting = asyncio.create_task(port.wait_closed())
    await turns(2)
    assert not waiting.done()
    port.close()
    await waiting
    await port.wait_closed()


async def test_iterating_ends_with_the_port() -> None:
    """After the last message, without an error."""
    port = Port()
    heard: list[int] = []

    async def listen() -> None:
        async for message in port:
            heard.append(message)  # noqa: PERF401 - one by one, while it is looked at

    listening = asyncio.create_task(listen())
    for number in range(3):
        await port.msg_send(number)
    await turns(3)
    assert (heard, listening.done()) == ([0, 1, 2], False)
    port.msg_send_nowait(3)
    port.close()
    await listening
    assert heard == [0, 1, 2, 3]


# -- cancelling -------------------------------------------------------------------------------------


async def test_cancelling_a_waiting_send_sends_nothing() -> None:
    """Who waits behind it moves up."""
    port = await _full("a")
    senders = await _senders(port, "b", "c")
    senders[0].cancel()
    await turns(2)
    assert senders[0].cancelled()
    assert [await port.msg_recv(), await port.msg_recv()] == ["a", "c"]
    assert port.statistics().waiting == 0


async def test_cancelling_a_send_in_the_turn_in_which_it_got_room_sends_nothing() -> None:
    """The room goes to the next."""
    port = await _full("a")
    senders = await _senders(port, "b", "c")
    assert await port.msg_recv() == "a"
    senders[0].cancel()
    await turns(3)
    assert (senders[0].cancelled(), senders[1].done()) == (True, True)
    assert await _drain(port) == ["c"]


async def test_room_that_comes_in_the_turn_of_a_cancellation_is_not_lost() -> None:
    """The sender was cancelled and has not run since: the next has it."""
    port = await _full("a")
    senders = await _senders(port, "b", "c")
    senders[0].cancel()
    assert await port.msg_recv() == "a"
    await turns(3)
    assert (senders[0].cancelled(), senders[1].done()) == (True, True)
    assert await _drain(port) == ["c"]


async def test_cancelling_a_waiting_receive_loses_no_message() -> None:
    """What comes later is for others."""
    port = Port()
    first, second = await _receivers(port, 2)
    first.cancel()
    await turns(2)
    port.msg_send_nowait("a")
    assert (first.cancelled(), await second) == (True, "a")


@pytest.mark.parametrize("others", [0, 1, 2])
async def test_cancelling_a_receive_in_the_turn_in_which_its_message_came_loses_none(others: int) -> None:
    """It is still in the port, or somebody else has it."""
    port = Port()
    first, *rest = await _receivers(port, 1 + others)
    port.msg_send_nowait("a")
    first.cancel()
    await turns(3)
    assert first.cancelled()
    if not rest:
        assert port.statistics().waiting == 1
        assert await port.msg_recv() == "a"
        return
    assert await rest[0] == "a"
    port.close()
    await asyncio.gather(*rest, return_exceptions=True)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_message_that_comes_in_the_turn_of_a_cancellation_is_not_lost(others: int) -> None:
    """The receiver was cancelled and has not run since."""
    port = Port()
    first, *rest = await _receivers(port, 1 + others)
    first.cancel()
    port.msg_send_nowait("a")
    await turns(2)
    assert first.cancelled()
    assert await (rest[0] if rest else port.msg_recv()) == "a"


async def test_a_message_keeps_its_place_when_its_receiver_is_cancelled() -> None:
    """It does not go behind the others."""
    port = Port()
    (first,) = await _receivers(port, 1)
    for name in "abc":
        port.msg_send_nowait(name)
    first.cancel()
    await turns(2)
    assert await _drain(port) == ["a", "b", "c"]


async def test_a_receive_that_is_out_of_time_loses_no_message() -> None:
    """``asyncio.timeout`` cancels."""
    port = Port()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await port.msg_recv()
    await port.msg_send("a")
    assert await port.msg_recv() == "a"


# -- from another thread ----------------------------------------------------------------------------


async def test_another_thread_can_send_and_wait_until_the_message_is_in() -> None:
    """More than the port holds: the thread waits for room."""
    port = Port(2)
    (first,) = await _receivers(port, 1)

    def send() -> None:
        for number in range(20):
            port.msg_send_threadsafe(number).result(timeout=20)

    sending = asyncio.create_task(asyncio.to_thread(send))
    received = [await first, *[await port.msg_recv() for _ in range(19)]]
    await sending
    assert received == list(range(20))


async def test_several_threads_lose_nothing() -> None:
    """Each one's messages come in its order."""
    port = Port(3)
    port._bind()

    def send(name: str) -> None:
        sent = [port.msg_send_threadsafe((name, number)) for number in range(30)]
        for each in sent:
            each.result(timeout=20)

    threads = [threading.Thread(target=send, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    received = [await port.msg_recv() for _ in range(90)]
    for thread in threads:
        await asyncio.to_thread(thread.join)
    for name in "abc":
        assert [number for sender, number in received if sender == name] == list(range(30))


async def test_another_thread_hears_that_the_port_is_closed() -> None:
    """What is returned raises it."""
    port = Port()
    await port.msg_send("a")
    port.close()
    future: Future[None] = await asyncio.to_thread(port.msg_send_threadsafe, "b")
    with pytest.raises(PortClosedError, match=CLOSED):
        await asyncio.wrap_future(future)


def test_another_thread_cannot_send_before_there_is_a_loop() -> None:
    """Nobody would ever take it."""
    refused(
        PortClosedError,
        "the port belongs to no running loop yet: the message is not sent",
        lambda: Port().msg_send_threadsafe("a"),
    )


def test_another_thread_cannot_send_to_a_loop_that_is_closed() -> None:
    """And no coroutine is left that nobody awaits."""
    port = Port()
    asyncio.run(port.msg_send("a"))
    refused(
        PortClosedError,
        "the loop of the port is closed: the message is not sent",
        lambda: port.msg_send_threadsafe("b"),
    )


# -- a look at it -----------------------------------------------------------------------------------


async def test_statistics_count_messages_and_who_waits() -> None:
    """Ever, and now."""
    port = await _full("a", "b")
    assert port.statistics() == PortStatistics(2, 2, sent=2, received=0, senders=0, receivers=0)
    senders = await _senders(port, "c", "d")
    assert port.statistics() == PortStatistics(2, 2, sent=2, received=0, senders=2, receivers=0)
    assert [await port.msg_recv() for _ in range(4)] == ["a", "b", "c", "d"]
    receivers = await _receivers(port, 3)
    assert port.statistics() == PortStatistics(2, 0, sent=4, received=4, senders=0, receivers=3)
    port.close()
    await asyncio.gather(*senders, *receivers, return_exceptions=True)
    assert port.statistics() == PortStatistics(2, 0, sent=4, received=4, senders=0, receivers=0)


async def test_the_representation_tells_how_full_it_is() -> None:
    """And whether it is closed."""
    port = await _full("a", "b")
    assert repr(port) == "<Port open, 2 of 2 messages>"
    port.close()
    await port.msg_recv()
    assert repr(port) == "<Port closed, 1 of 2 messages>"


# -- misuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("qlimit", [0, -1, 1.5, "2", True, None])
def test_a_port_holds_at_least_one_message(qlimit: Any) -> None:
    """What is no number of messages is refused at the call."""
    refused(
        UsageError, f"port_qlimit={qlimit!r}: how many messages a port holds, 1 or more", lambda: Port(qlimit)
    )


@pytest.mark.parametrize("handler", [object(), SimpleNamespace(ev_msg="text")], ids=["none", "text"])
def test_a_handler_of_a_port_has_to_hear_messages(handler: object) -> None:
    """Else they would be dropped."""
    refused(
        UsageError,
        f"the handler of a port needs a method ev_msg: {type(handler).__name__}",
        lambda: Port(handler=handler),
    )


async def test_messages_of_a_port_with_a_handler_are_for_the_handler() -> None:
    """Nobody can take them away, also not one by one."""
    port = Port(handler=SimpleNamespace(ev_msg=print))
    text = r"^a port with a handler gives its messages to ev_msg, and to nobody else$"
    await port.msg_send("a")
    with pytest.raises(UsageError, match=text):
        await port.msg_recv()
    with pytest.raises(UsageError, match=text):
        await anext(port)
    assert await port._receive() == "a"


async def test_a_port_is_used_in_one_running_loop() -> None:
    """Another thread sends in another way."""
    port = Port()
    port.msg_send_nowait("here")

    async def send() -> None:
        await port.msg_send("there")

    with pytest.raises(TaskStateError, match=r"^the port is used in another event loop: "):
        await asyncio.to_thread(asyncio.run, send())
    assert port.statistics().waiting == 1
