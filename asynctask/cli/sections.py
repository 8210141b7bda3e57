"""Options below headings: in the help of a command, and in its manual page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

__all__ = ("Option", "Sectioned", "sections")

#: ``--connect_timeout`` is what clush calls it: understood, and written nowhere.
_OLD_SPELLING = re.compile(r", --\w+_\w+")
_LOWER_BOUND = re.compile(r"\s+\[x>=?\d+]$")


class Option(click.Option):
    """An option that stands below a heading.

    Args:
        heading: the heading.
        words, more: see ``click.Option``.
    """

    def __init__(self, words: list[str], *, heading: str = "", **more: Any) -> None:
        super().__init__(words, **more)
        self.heading = heading

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As click has it, without spellings of old, and bounds that go without saying."""
        record = super().get_help_record(ctx)
        return record and (_OLD_SPELLING.sub("", record[0]), _LOWER_BOUND.sub("", record[1]))

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """How messages name it."""
        return " / ".join(f"'{word}'" for word in self.opts if not _OLD_SPELLING.match(f", {word}"))


class Sectioned(click.Command):
    """A command whose help has options below their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list for each heading."""
        for heading, records in sections(self, ctx):
            with formatter.section(heading):
                formatter.write_dl(records)


def sections(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The headings as they come first, each with how its options are written and their help.

    Options that have no heading come first if the first one has none, else last.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if isinstance(param, click.Option) and record is not None:  # arguments are in the description
            found.setdefault(getattr(param, "heading", ""), []).append(record)
    first = next(iter(found), "")
    for heading, records in found.items():
        yield heading or ("Other options" if first else "Options"), records
