"""The application as a whole: the page's files, and how errors are told."""

from __future__ import annotations

from pathlib import Path

import pytest

import asynctask.manager.web
from asynctask.manager.template import ProcessTemplate
from tests.manager.web.support import web

_STATIC = Path(asynctask.manager.web.__file__).with_name("static")


async def test_the_files_of_the_page() -> None:
    """All that there are, each with its type; a browser asks whether they have changed."""
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    async with web() as served:
        for path in _STATIC.iterdir():
            where = "/" if path.name == "index.html" else f"/static/{path.name}"
            async with served.http.get(where) as answer:
                assert await answer.read() == path.read_bytes()
                assert answer.headers["content-type"].startswith(kinds[path.suffix[1:]])
                tag = answer.headers["etag"]
            async with served.http.get(where, headers={"If-None-Match": tag}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")


async def test_what_there_is_not() -> None:
    """An error is told as JSON, whatever it is."""
    async with web() as served:
        for path in ("/nothing", "/api/nothing", "/static/../app.py", "/static/", "/api/ps/"):
            assert (await served.ask("GET", path))[0] == 404
        status, told = await served.ask("DELETE", "/api/ps")

    assert (status, told) == (405, {"error": "Method Not Allowed"})


async def test_errors_have_their_status() -> None:
    """Not there, there already, not now, never."""
    async with web(ProcessTemplate("web", "server")) as served:
        found = [
            await served.ask("GET", "/api/templates/none"),
            await served.ask("GET", "/api/processes/99"),
            await served.ask("POST", "/api/templates", {"template": {"name": "web", "command": "x"}}),
            await served.ask("POST", "/api/templates/web/send", {"data": "x"}),
            await served.ask("POST", "/api/templates/web/scale", {"n": "many"}),
        ]

    assert [status for status, _ in found] == [404, 404, 409, 409, 400]
    assert all(list(told) == ["error"] and told["error"] for _, told in found)


async def test_a_fault_of_ours_is_not_explained(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells more than the client gets."""
    async with web() as served:
        monkeypatch.setattr(served.manager, "status", lambda: 1 / 0)
        status, told = await served.ask("GET", "/api/status")

    assert (status, told) == (500, {"error": "internal error; the log of the manager tells more"})
    assert "ZeroDivisionError" in caplog.text
