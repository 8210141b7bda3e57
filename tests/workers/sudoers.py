"""A user of this machine that real sudo knows, for as long as a test needs it; only root can make one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

__all__ = ("PASSWORD", "SudoUser", "can_make_users")

PASSWORD = "correct horse; battery 'staple'"
_SUDOERS = Path("/etc/sudoers.d")
_TOOLS = ("sudo", "useradd", "userdel", "chpasswd", "visudo")


def can_make_users() -> bool:
    """Whether this process is root and has what is needed."""
    return os.geteuid() == 0 and _SUDOERS.is_dir() and all(shutil.which(tool) for tool in _TOOLS)


class SudoUser:
    """From ``with`` until it is left there is a user with :data:`PASSWORD`.

    Attributes:
        name: the user.
        other: another one, to run commands as, who cannot log in.
    """

    def __init__(self) -> None:
        self.name = f"astest{os.getpid()}"
        self.other = f"{self.name}o"
        self._file = _SUDOERS / self.name

    def __enter__(self) -> SudoUser:
        try:
            for name in (self.name, self.other):
                subprocess.run(["useradd", "-M", "-d", "/tmp", "-s", "/bin/sh", name], check=True)
            subprocess.run(["chpasswd"], input=f"{self.name}:{PASSWORD}\n", text=True, check=True)
            self.may()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def may(self, what: str | None = "ALL=(ALL) ALL", *defaults: str) -> None:
        """Write what the user may: ``None`` is nothing. The lecture is always given."""
        lines = [f"Defaults:{self.name} {default}" for default in ("lecture=always", *defaults)]
        if what is not None:
            lines.append(f"{self.name} {what}")
        draft = self._file.with_name(f".{self.name}.draft")  # a name with a dot is not read
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(0o440)
        subprocess.run(["visudo", "-cqf", str(draft)], check=True)
        draft.replace(self._file)

    def _remove(self) -> None:
        self._file.unlink(missing_ok=True)
        self._file.with_name(f".{self.name}.draft").unlink(missing_ok=True)
        for name in (self.name, self.other):
            subprocess.run(["pkill", "-KILL", "-u", name], check=False)
            subprocess.run(["userdel", name], check=False, capture_output=True)
