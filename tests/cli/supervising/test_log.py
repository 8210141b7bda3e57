"""What is logged is shown."""

from __future__ import annotations

import asyncio
import logging

import pytest

from asynctask.cli.supervising.log import log_shown

pytestmark = pytest.mark.one_loop("no descriptors")


async def test_warnings_are_shown_line_by_line() -> None:
    """From any thread; what is less than a warning is not, nor what comes later."""
    said: list[str] = []
    log = logging.getLogger("asynctask.test")
    with log_shown(said.append):
        log.info("nothing")
        log.warning("one\ntwo")
        await asyncio.to_thread(log.error, "three")
        await asyncio.sleep(0)
    log.warning("four")
    await asyncio.sleep(0)
    assert said == ["one", "two", "three"]
