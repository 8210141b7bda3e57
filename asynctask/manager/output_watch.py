"""Waits for a line that tells that a process is ready."""

from __future__ import annotations

import asyncio
import re

from asynctask.manager.output_blocks import Block

__all__ = ("LineWatch",)

#: Where the expression is looked for: the beginning of a line, in bytes. It runs on the loop.
_LOOKED_AT = 1 << 14


class LineWatch:
    """Looks at lines until one has what is looked for.

    Args:
        regex: is found in the text of a line; what is no UTF-8 is replaced.
    """

    def __init__(self, regex: str) -> None:
        self.regex = regex
        self.found = False
        self._search = re.compile(regex).search
        self._over = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether more lines make no difference."""
        return self._over.is_set()

    def look(self, block: Block) -> None:
        """Look at the lines of a block."""
        for line in block.raw_lines():
            if self._search(line[:_LOOKED_AT].decode(errors="replace")):
                self.found = True
                self._over.set()
                return

    def end(self) -> None:
        """There will be no more lines."""
        self._over.set()

    async def wait(self) -> bool:
        """Wait until it is found, or cannot be any more; whether it was."""
        await self._over.wait()
        return self.found
