"""What the tests of run control get."""

from __future__ import annotations

from tests.cli.control.terminals import terminal

__all__ = ("terminal",)
