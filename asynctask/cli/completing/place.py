"""Where on a command line the user is: at the name of a sub-command, at an option, or at a value of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click

__all__ = ("Place", "find_place")

#: With one of these the words are files to copy, and options may still follow them.
_COPYING = {"copy", "rcopy"}


@dataclass(slots=True)
class Place:
    """What is to be completed."""

    ctx: click.Context
    """The command, with its parents."""
    param: click.Parameter | None = None
    """Whose value it is; ``None``: it is an option, or the name of a sub-command."""
    prefix: str = ""
    """What stands in front of the value in the same word: ``--color=``, ``-w``."""
    text: str = ""
    """What is there of it already."""
    index: int = 0
    """Of arguments: how many are before it, from ``--`` on if that is there."""
    dashed: bool = False
    """Whether it is behind ``--``."""
    given: dict[str, list[str]] = field(default_factory=dict)
    """The options before it, by the names of their parameters, with their values."""

    @property
    def copying(self) -> bool:
        """Whether the arguments are files."""
        return not _COPYING.isdisjoint(self.given)


def find_place(group: click.Group, words: Sequence[str], text: str) -> Place | None:
    """Find out what is to be completed; ``None`` if there is no such sub-command.

    Args:
        group: the program.
        words: what is complete, without the name of the program.
        text: the word that is not.
    """
    ctx = _context(group, None)
    words = list(words)
    while isinstance(ctx.command, click.Group):
        while words and words[0].startswith("-"):
            words.pop(0)
        if not words:
            return Place(ctx, text=text)
        command = ctx.command.get_command(ctx, words.pop(0))
        if command is None:
            return None
        ctx = _context(command, ctx)
    return _Reader(ctx).read(words, text)


def _context(command: click.Command, parent: click.Context | None) -> click.Context:
    return click.Context(
        command, parent, info_name=command.name, resilient_parsing=True, **command.context_settings
    )


class _Reader:
    """Reads the words of a command as click's parser does, and stops where the user is."""

    def __init__(self, ctx: click.Context) -> None:
        params = ctx.command.get_params(ctx)
        options = [param for param in params if isinstance(param, click.Option)]
        self._options = {spelling: option for option in options for spelling in _spellings(option)}
        self._arguments = [param for param in params if isinstance(param, click.Argument)]
        self._place = Place(ctx)
        self._pending: click.Option | None = None
        self._ended = False  # no options any more

    def read(self, words: Sequence[str], text: str) -> Place:
        for word in words:
            self._take(word)
        place = self._place
        place.text = text
        if self._pending is not None:
            place.param = self._pending
        elif text.startswith("-") and not self._ended:
            self._inside_option(text)
        else:
            place.param = self._argument()
        return place

    def _take(self, word: str) -> None:
        """A word that is complete."""
        place = self._place
        if self._pending is not None:
            place.given[self._pending.name or ""].append(word)
            self._pending = None
        elif self._ended or word == "-" or not word.startswith("-"):
            place.index += 1
            self._ended = self._ended or not (place.ctx.allow_interspersed_args or place.copying)
        elif word == "--":
            self._ended = place.dashed = True
            place.index = 0
        else:
            for option, value in self._split(word):
                values = place.given.setdefault(option.name or "", [])
                if value is not None:
                    values.append(value)
                elif _takes_value(option):
                    self._pending = option

    def _split(self, word: str) -> list[tuple[click.Option, str | None]]:
        """The options in a word, each with its value if that is in it, too."""
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            option = self._options.get(name)
            return [] if option is None else [(option, value if equals else None)]
        found: list[tuple[click.Option, str | None]] = []
        for position, letter in enumerate(word[1:], 2):
            option = self._options.get(f"-{letter}")
            if option is None:
                break
            if _takes_value(option):
                found.append((option, word[position:] or None))
                break
            found.append((option, None))
        return found

    def _inside_option(self, text: str) -> None:
        """The user is in the middle of an option, or of the value in the same word."""
        place = self._place
        options = self._split(text)
        if options and options[-1][1] is not None:
            place.param, place.text = options[-1][0], options[-1][1]
            place.prefix = text.removesuffix(place.text)

    def _argument(self) -> click.Parameter | None:
        left = self._place.index
        for argument in self._arguments:
            if argument.nargs < 0 or left < argument.nargs:
                return argument
            left -= argument.nargs
        return None


def _spellings(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _takes_value(option: click.Option) -> bool:
    return not option.is_flag and not option.count
