"""Which source of lines is chosen."""

from __future__ import annotations

import pytest

from asynctask.cli.interactive import opening as module
from asynctask.cli.interactive.editing import EditedLines
from asynctask.cli.interactive.lines import PlainLines
from asynctask.cli.interactive.opening import open_lines

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("terminals", "term", "kind", "out"),
    [
        ({1, 2}, "xterm", EditedLines, 2),
        ({1}, "xterm", EditedLines, 1),
        ({1, 2}, "dumb", PlainLines, 2),
        ({1, 2}, None, PlainLines, 2),
        (set(), "xterm", PlainLines, None),
    ],
)
def test_the_best_that_the_terminal_allows(
    monkeypatch: pytest.MonkeyPatch, terminals: set[int], term: str | None, kind: type, out: int | None
) -> None:
    """An editor, where it can be shown; it is shown on standard error, to keep it out of what is piped on."""
    shown_on = []
    monkeypatch.setattr(module, "is_terminal", lambda fd: fd in terminals)
    monkeypatch.setattr(PlainLines, "__init__", lambda self, out: shown_on.append(out))
    monkeypatch.setattr(EditedLines, "__init__", lambda self, past, complete, out: shown_on.append(out))

    found = open_lines([], lambda line: [], {} if term is None else {"TERM": term})

    assert type(found) is kind
    assert shown_on == [out]
