"""Words of the command line that mean runs and ages."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import click

from asynctask.cli.options import control_options, output_options, running_options
from asynctask.cli.sections import Sectioned
from asynctask.errors import UsageError

__all__ = ("RunCommand", "again_options", "age")

_BACK = re.compile(r"-[1-9][0-9]*")
_AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class RunCommand(Sectioned):
    """A command that takes ``-2`` for a run, the last but one, and not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f"last{arg}" if _BACK.fullmatch(arg) else arg for arg in args])


def again_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What may be other than it was when a run is retried or resumed."""
    env = click.option(
        "--env",
        "variables",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="A variable that the run set: its value was not kept. Without VALUE: as it is here.",
    )
    return running_options(output_options(control_options(env(command))))


def age(text: str) -> float:
    """The seconds that ``30d``, ``12h``, ``90`` or ``2w`` are.

    Raises:
        UsageError: it is no age.
    """
    found = _AGE.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else math.nan
    if not math.isfinite(seconds):
        raise UsageError(f"{text!r} is no age; write 30d, 12h, 90m or 2w")
    return seconds
