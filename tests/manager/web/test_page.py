"""The page, in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest

from asynctask.manager.template import ProcessTemplate
from asynctask.manager.web.serving import WebServer
from tests.manager.web.browser import Page, executable, running_chromium
from tests.manager.web.support import TOKEN, Web, web
from tests.support import unable

pytestmark = pytest.mark.one_loop("what it tests runs in the browser")

WEB = ProcessTemplate("web", "server", numprocesses=2)
DB = ProcessTemplate("db", "database")

#: What is wrong for people with disabilities, by the rules of WCAG that a program can look at.
AXE = (
    "axe.run(document, {resultTypes: ['violations'], RULES}).then(found => JSON.stringify("
    "found.violations.map(each => each.id + ': ' + each.nodes.map(node => node.html).join(' '))))"
)
#: Counts what changes in the table, but for numbers that change with time.
COUNT = (
    "window.changes = 0; new MutationObserver(found => { window.changes +="
    " found.filter(change => change.target.className != 'number up').length })"
    ".observe(document.getElementById('processes'), {subtree: true, childList: true,"
    " attributeFilter: ['data-state', 'hidden', 'aria-disabled', 'aria-expanded', 'aria-label']})"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    """One browser for all tests here."""
    path = executable() or unable("no Chromium here (Debian: apt-get install chromium)")
    with running_chromium(path) as address:
        yield address


async def log_in(page: Page, served: Web) -> None:
    """Open the page, as somebody who has the token."""
    await page.open(served.server.url)
    await page.until("document.getElementById('token-dialog').open")
    await page.type(TOKEN)
    await page.press("Enter")
    await page.until("document.querySelectorAll('tr.template').length")
    await page.until("document.getElementById('connection').textContent == 'Connected'")


def in_row(name: str, what: str) -> str:
    """An expression for something in the row of a template or of a process."""
    row = f"[...document.querySelectorAll('tr')].find(row => row.cells[0].textContent == {name!r})"
    return f"{row}.querySelector({what!r})"


async def test_the_page_shows_what_there_is(chromium: str) -> None:
    """To eyes and to screen readers, in light and in dark; what processes print cannot do anything."""
    async with web(WEB, DB) as served, Page(chromium) as page:
        await page.open(served.server.url)
        await page.until("document.getElementById('token-dialog').open")
        await page.press("Escape", "Escape")
        await page.until("document.getElementById('token-dialog').open")
        await page.run("document.getElementById('token').focus()")
        await page.type("a wrong token")
        await page.press("Enter")
        await page.until("document.getElementById('token-why').textContent.startsWith('That token is wrong')")
        await page.type(TOKEN)
        await page.press("Enter")
        await page.until(f"{in_row('web.2', '.state')}.textContent == 'running'")
        assert await page.run("sessionStorage.length") == 1
        assert TOKEN not in await page.run(
            "location.href + document.documentElement.outerHTML + document.cookie"
        )

        printed = b"\x1b[31m<img src=x onerror=document.title=1>\x1b[0m\x07\x1b]0;title\x07 &amp;\n"
        await page.run(f"{in_row('web', '[data-do=output]')}.click()")
        served.launcher.processes[0].ears.output("stdout", printed)
        await page.until("document.getElementById('output').childElementCount")
        shown = "web.1 <img src=x onerror=document.title=1>\u2407 &amp;"
        assert await page.run("document.getElementById('output').textContent") == shown
        assert await page.run("document.querySelector('#output img')") is None
        served.launcher.processes[0].ears.output("stderr", b"slow\n")
        await page.until("document.getElementById('output').textContent.endsWith('web.1 ! slow')")
        assert await page.run("document.activeElement.id") == "output-heading"

        served.launcher.processes[2].die(1)
        await page.until("/db.1 (restarted|running)/.test(document.getElementById('changes').textContent)")
        await page.until(f"{in_row('db.1', '.restarts')}.textContent == '1'")

        await page.run(files("axe_core_python").joinpath("axe.min.js").read_text() + ";0")
        assert json.loads(await page.run(AXE.replace("RULES", ""))) == []
        await page.until(f"{in_row('web', '.cpu')}.textContent == '3.0 %'")
        await page.until(f"{in_row('this machine', '.memory')}.textContent == '2.9 KiB'")
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        await page.call("Emulation.setEmulatedMedia", features=[dark])
        assert json.loads(await page.run(AXE.replace("RULES", "runOnly: ['color-contrast']"))) == []
        tree = await page.tree()
        assert {("banner", ""), ("main", ""), ("region", "Output"), ("log", "Output"), ("status", "")} <= set(
            tree
        )
        assert {("button", "Stop web"), ("button", "Stop web.2"), ("searchbox", "Filter")} <= set(tree)
        assert {("columnheader", "State"), ("rowheader", "web.1"), ("combobox", "of")} <= set(tree)

        size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
        await page.call("Emulation.setDeviceMetricsOverride", **size)
        assert await page.run("document.documentElement.scrollWidth") <= 360
        assert await page.run("getComputedStyle(document.querySelector('tr.process')).display") == "flex"
        roles = ("table", "row", "rowheader", "columnheader")
        narrow = await page.tree()
        assert [each for each in narrow if each[0] in roles] == [each for each in tree if each[0] in roles]
        refused = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
        assert page.problems == [refused] * 2


async def test_the_page_is_used_with_the_keyboard(chromium: str) -> None:
    """What ends processes is asked for; the focus stays where it was, or near by."""
    async with web(WEB, DB) as served, Page(chromium) as page:
        await log_in(page, served)
        focus = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
        await page.run("document.getElementById('filter').focus()")
        seen: list[str] = []
        while not seen or seen[-1] != "Stop web":
            await page.press("Tab")
            seen.append(await page.run(focus))
        assert seen == [
            "Start all",
            "Restart all…",
            "Stop all…",
            "Table of processes",
            "web",
            "Start web",
            "Stop web",
        ]

        await page.press("Enter")
        assert await page.run("document.getElementById('ask-heading').textContent") == "Stop web?"
        assert await page.run(focus) == "Cancel"
        await page.press("Escape")
        assert await page.run(focus) == "Stop web"
        assert served.manager.info("web").active == 2
        await page.press("Enter", "Tab", "Enter")
        await page.until(f"{in_row('web', '.state b')}.textContent == 'stopped'")
        assert served.manager.info("web").active == 0
        assert await page.run(focus) == "Stop web"

        await page.run(f"{in_row('db', '[data-do=scale]')}.focus()")
        await page.press("Enter")
        await page.type("3")
        await page.press("Enter")
        await page.until(in_row("db.3", ".state"))
        assert served.manager.info("db").numprocesses == 3
        await page.run(f"{in_row('db.3', 'button')}.focus()")
        assert await served.manager.scale("db", 1) == 1
        await page.until("document.querySelectorAll('[data-name=db] tr').length == 2")
        assert await page.run(focus) == "db"

        await page.run(f"{in_row('db.1', 'button')}.focus()")
        await served.manager.unload("db")
        await page.until("document.querySelectorAll('tbody[data-name]').length == 1")
        assert await page.run(focus) == "Processes"

        port = served.server.port
        await served.server.aclose()
        await page.until(
            "document.getElementById('connection').textContent.startsWith('Connection lost at ')"
        )
        async with WebServer(served.manager, port=port, token=TOKEN):
            await page.until("document.getElementById('connection').textContent == 'Connected'")


async def test_the_page_with_many_processes(chromium: str) -> None:
    """Of a change only what is another is drawn anew."""
    many = [ProcessTemplate(f"t{number}", "server", numprocesses=2) for number in range(80)]
    async with (
        web(*many, ProcessTemplate("large", "server", numprocesses=30), WEB) as served,
        Page(chromium) as page,
    ):
        await log_in(page, served)
        rows = "document.querySelectorAll('tr.process')"
        await page.until(f"{rows}.length == 192")
        assert await page.run(f"[...{rows}].filter(row => row.hidden).length") == 30
        await page.run(f"window.before = [...{rows}]; {COUNT}")

        await served.manager.stop_process(served.manager.info("t7").processes[1].pid or 0)
        await page.until(f"{in_row('t7.2', '.state b')}.textContent == 'stopped'")
        changes = await page.run("window.changes")
        assert await page.run(f"[...{rows}].every((row, i) => row === window.before[i])")
        assert 4 <= changes <= 30

        await page.run("document.getElementById('filter').focus()")
        await page.type("t7")
        await page.until("document.querySelectorAll('tbody[data-name]:not([hidden])').length == 11")
        await page.run(f"{in_row('large', '.fold')}.click()")
        await page.until(f"[...{rows}].every(row => !row.hidden)")
        assert page.problems == [
            "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
        ]
