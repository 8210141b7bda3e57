"""What a line that was typed means. Pure: text in, plain data out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from asynctask.errors import UsageError

__all__ = ("HELP", "Choose", "Local", "Remote", "Typed", "Word", "read_typed")

How: TypeAlias = Literal["@", "+", "-"]
Word: TypeAlias = Literal["nothing", "help", "nodes", "gather", "quit"]

HELP = """\
  COMMAND        run it on the nodes
  !COMMAND       run it here
  ?              show the nodes
  @NODES         run on these nodes: @web[1-9], of a group: @@GROUP
  +NODES -NODES  also on these, no longer on these
  =              gather the output, or show it as it comes
  help           this text
  quit           leave, as Ctrl-D
  Ctrl-C         stop the command that runs, or clear the line"""


@dataclass(frozen=True, slots=True)
class Choose:
    """Nodes to run on."""

    how: How
    """Instead of the present ones, besides them, without them."""
    nodes: str


@dataclass(frozen=True, slots=True)
class Local:
    """A command for this machine."""

    command: str


@dataclass(frozen=True, slots=True)
class Remote:
    """A command for the nodes."""

    command: str


Typed: TypeAlias = Word | Choose | Local | Remote

_CHOICES: dict[str, How] = {"@": "@", "+": "+", "-": "-"}
_SIGNS: dict[str, Word] = {"?": "nodes", "=": "gather"}
_WORDS: dict[str, Word] = {"": "nothing", "help": "help", "quit": "quit", "exit": "quit"}


def read_typed(line: str) -> Typed:
    """Understand a line.

    Raises:
        UsageError: it begins with a sign and makes no sense.
    """
    text = line.strip()
    if text in _WORDS:
        return _WORDS[text]
    sign, rest = text[0], text[1:].strip()
    if sign in _SIGNS:
        if rest:
            raise UsageError(f"{sign} stands alone; help tells what there is")
        return _SIGNS[sign]
    if sign == "!":
        if not rest:
            raise UsageError("! needs a command to run here, as !date")
        return Local(rest)
    how = _CHOICES.get(sign)
    if how is not None:
        if not rest:
            raise UsageError(f"{sign} needs nodes, as {sign}web[1-9]")
        return Choose(how, rest)
    return Remote(text)
