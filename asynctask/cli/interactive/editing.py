"""Lines from an editor with history and completion. The only module that needs prompt_toolkit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Candidate
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession

from asynctask.cli.interactive.completion import Completion
from asynctask.cli.interactive.lines import PROMPT, STDIN, LineClearedError
from asynctask.cli.terminal import STDERR

__all__ = ("EditedLines",)


class EditedLines:
    """An editor on the terminal, as readline is.

    Args:
        past: lines of earlier sessions, oldest first.
        complete: how what stands before the cursor may go on.
        out: the terminal to show it on, a descriptor.
        source, screen: instead of standard input and ``out``.
    """

    def __init__(
        self,
        past: Sequence[str],
        complete: Callable[[str], Sequence[Completion]],
        out: int = STDERR,
        *,
        source: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            history=InMemoryHistory(past),
            completer=_Completer(complete),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            enable_suspend=True,
            interrupt_exception=LineClearedError,
            input=source or create_input(sys.stdin),
            output=screen or _output(sys.stderr if out == STDERR else sys.stdout),
        )
        self._blocking = os.get_blocking(STDIN)

    async def read(self) -> str:
        try:
            return await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        finally:
            # Loops make the terminal non-blocking, for all who have it, too.
            if os.get_blocking(STDIN) is not self._blocking:
                os.set_blocking(STDIN, self._blocking)


class _Completer(Completer):
    def __init__(self, complete: Callable[[str], Sequence[Completion]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Candidate]:
        for text, replaces in self._complete(document.text_before_cursor):
            yield Candidate(text, start_position=-replaces)


def _output(stream: TextIO) -> Output:
    """The terminal, without the question where its cursor is: not every one answers."""

    def size() -> Size:
        try:
            columns, rows = os.get_terminal_size(stream.fileno())
        except OSError:  # it is gone
            columns = rows = 0
        return Size(rows=rows or 24, columns=columns or 80)

    return Vt100_Output(stream, size, term=os.environ.get("TERM"), enable_cpr=False)
