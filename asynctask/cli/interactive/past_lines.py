"""The lines that were typed, kept from one session to the next in a file that only the user can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ("PastLines", "history_path")

#: Lines that are kept unless told otherwise; clush's figure.
DEFAULT_SIZE = 100
_MODE = 0o600


def history_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is, by the XDG rules."""
    state = environ.get("XDG_STATE_HOME", "")
    # What is not absolute does not count, says the specification.
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"  # noqa: PTH117
    return base / "asynctask" / "shell_history"


class PastLines:
    """The file. Sessions at the same time add their lines one by one, and none loses another's.

    Args:
        path: where it is.
        size: how many lines are kept; 0: none, and nothing is written.

    Attributes:
        lines: those that were there at first, then this session's.
        error: why lines could not be kept.
    """

    def __init__(self, path: Path, size: int = DEFAULT_SIZE) -> None:
        self._path = path
        self._size = size
        self.lines: list[str] = []
        self.error: OSError | None = None
        if size <= 0:
            return
        try:
            self._load()
        except FileNotFoundError:
            return
        except OSError as exc:
            self.error = exc

    def add(self, line: str) -> None:
        """Keep a line. One that begins with a blank, or is the same as the last, is not kept."""
        if self._size <= 0 or not line.strip() or line[0].isspace() or self.lines[-1:] == [line]:
            return
        self.lines.append(line)
        if self.error is None:
            try:
                self._append(line)
            except OSError as exc:
                self.error = exc

    def _load(self) -> None:
        text = self._path.read_bytes().decode(errors="surrogateescape")
        lines = text.split("\n")
        self.lines = [line for line in lines if line][-self._size :]
        if len(lines) > 2 * self._size:
            self._shorten()

    def _append(self, line: str) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(self._path, flags, _MODE)
        try:
            os.write(fd, line.encode(errors="surrogateescape") + b"\n")
        finally:
            os.close(fd)

    def _shorten(self) -> None:
        """Put a shorter file in its place, at once or not at all."""
        text = "".join(f"{line}\n" for line in self.lines).encode(errors="surrogateescape")
        fd, name = tempfile.mkstemp(dir=self._path.parent, prefix=".shell_history-")  # for the user alone
        temporary = Path(name)
        try:
            os.write(fd, text)
            temporary.replace(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
