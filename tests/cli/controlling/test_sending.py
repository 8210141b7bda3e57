"""What is written to processes."""

from __future__ import annotations

import base64

import pytest

from asynctask.cli.controlling.sending import send
from asynctask.errors import ManagerError, TemplateNotFoundError
from tests.cli.controlling.fakes import FakeClient, process

pytestmark = pytest.mark.one_loop("pure functions")


def manager(sent: int = 1) -> FakeClient:
    """A manager of two templates."""
    return FakeClient(
        {
            "list": {"names": ["web", "web2"]},
            "ps": {"processes": [process("web", 0)]},
            "send": {"sent": sent},
            "close_input": {"closed": sent},
        }
    )


def said(client: FakeClient) -> list[tuple[object, bytes]]:
    """What was sent to whom."""
    return [
        (params["target"], base64.b64decode(params["data_base64"]))
        for name, params in client.asked
        if name == "send"
    ]


def test_each_that_is_meant_gets_it() -> None:
    """Templates by name, processes by number; bytes that came as no UTF-8 are as they came."""
    client = manager()
    send(client.client, "web*", "a\udcff\n", stream="stdin", close=False)
    assert said(client) == [("web", b"a\xff\n"), ("web2", b"a\xff\n")]
    client = manager()
    send(client.client, "web.1", "x", stream="control", close=True)
    assert said(client) == [(10, b"x")]
    assert client.asked[-1] == ("close_input", {"target": 10, "stream": "control"})


def test_much_is_sent_in_pieces() -> None:
    """Each fits into a request."""
    client = manager()
    send(client.client, "web", "x" * 300_000, stream="stdin", close=False)
    assert [len(data) for _, data in said(client)] == [262_144, 37_856]


def test_nobody_gets_it() -> None:
    """That is an error, at the first piece."""
    client = manager(sent=0)
    with pytest.raises(ManagerError, match="web: no process runs"):
        send(client.client, "web", "x" * 300_000, stream="stdin", close=False)
    assert len(said(client)) == 1


def test_nobody_is_meant() -> None:
    """Nothing is sent."""
    client = manager()
    with pytest.raises(TemplateNotFoundError):
        send(client.client, "db", "x", stream="stdin", close=False)
    assert said(client) == []
