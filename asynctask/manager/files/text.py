"""The text of a file that somebody wrote, and errors with the line in it."""

from __future__ import annotations

from pathlib import Path

from asynctask.errors import TemplateError

__all__ = ("at", "text_of")

#: The most bytes of a file.
_MOST = 4 << 20


def text_of(path: Path) -> str:
    """The text of a file. It blocks: call it in a thread.

    Raises:
        TemplateError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)  # it may be a device that never ends
    except (OSError, ValueError) as exc:
        raise TemplateError(f"{path}: {getattr(exc, 'strerror', '') or exc}") from exc
    if len(content) > _MOST:
        raise TemplateError(f"{path}: it has more than {_MOST >> 20} MiB: this is another kind of file")
    try:
        return content.decode("utf-8-sig")  # some editors put a mark at the beginning
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise at(path, line, "this is not UTF-8: save the file as UTF-8") from exc


def at(source: str | Path, line: int | None, reason: str) -> TemplateError:
    """The error for something in a line, counted from 1; ``None``: nobody knows which."""
    return TemplateError(f"{source}{'' if line is None else f':{line}'}: {reason}")
