"""A headless Chromium, spoken to in its own protocol: pages, keys, and what a screen reader gets."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-renderer-backgrounding",
    "--disable-sync",
    "--mute-audio",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1200,900",
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
_START = 30.0
_WAIT = 30.0


def executable() -> str | None:
    """Where Chromium is; that of Debian's ``chromium-headless-shell`` starts in a third of the time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def running_chromium(path: str) -> Iterator[str]:
    """A browser; the address to which its protocol is spoken."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        flags = [*_FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        # By this variable the harness knows what a test has started: the browser is of many, and some of its
        # helpers come late.
        environment = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
        process = subprocess.Popen(
            [path, *flags, "about:blank"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            told = Path(profile, "DevToolsActivePort")
            until = time.monotonic() + _START
            while not (told.exists() and told.read_text().count("\n")):
                assert process.poll() is None, f"Chromium exited with {process.returncode}"
                assert time.monotonic() < until, "Chromium does not start"
                time.sleep(0.02)
            port, way = told.read_text().splitlines()
            yield f"ws://127.0.0.1:{port}{way}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Page:
    """A page of its own, with nothing remembered, in a running browser.

    What it logs as an error, and what a policy has kept it from, is in ``problems``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._session = ""
        self._context = ""
        self.problems: list[str] = []

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(self._address, max_msg_size=0)
        self._reading = asyncio.create_task(self._read())
        self._context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._session = ""
        await self.call("Target.disposeBrowserContext", browserContextId=self._context)
        await self._socket.close()
        await self._reading
        await self._http.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                self._take(message.json())
        finally:  # nobody answers any more
            for answer in self._answers.values():
                answer.cancel()

    def _take(self, said: dict[str, Any]) -> None:
        if "id" in said:
            answer = self._answers.pop(said["id"])
            if answer.done():  # it was not waited for any longer
                return
            if "error" in said:
                answer.set_exception(RuntimeError(said["error"]["message"]))
            else:
                answer.set_result(said["result"])
        elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
            self.problems.append(said["params"]["entry"]["text"])
        elif said["method"] == "Runtime.exceptionThrown":
            self.problems.append(str(said["params"]["exceptionDetails"]))
        elif said["method"] == "Inspector.targetCrashed":
            self.problems.append("the page crashed")

    async def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **session})
        async with asyncio.timeout(_WAIT):
            return await self._answers[number]

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self.call("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]["exception"]["description"]
        return done["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true, looked at whenever the page draws."""
        script = (
            "new Promise(done => { const look = () => { let met = false; try { met = Boolean(CONDITION) }"
            " catch {} met ? done(true) : setTimeout(look, 10) }; look() })"
        )
        try:
            await self.run(script.replace("CONDITION", condition))
        except TimeoutError:
            text = await self.run("document.body.innerText")
            raise AssertionError(f"never true: {condition}\n{self.problems}\n{text}") from None

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code = _KEYS.get(key, ord(key[0].upper()))
            text = {"text": "\r" if key == "Enter" else key} if key == "Enter" or len(key) == 1 else {}
            for kind in ("keyDown", "keyUp"):
                more = text if kind == "keyDown" else {}
                await self.call(
                    "Input.dispatchKeyEvent",
                    type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more,
                )  # fmt: skip

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def tree(self) -> list[tuple[str, str]]:
        """Role and name of all that a screen reader finds."""
        nodes = (await self.call("Accessibility.getFullAXTree"))["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]
