"""Reads a command line whose words count in the order in which they were written."""

from __future__ import annotations

from getopt import GetoptError, getopt

import click

__all__ = ("OPERATIONS", "UNION", "LeftToRight", "Steps", "steps_of")

UNION = "sets"  # the name of the argument; the others are names of options
#: What is done with a set, and the method that does it.
OPERATIONS = {
    UNION: "update",
    "exclude": "difference_update",
    "intersection": "intersection_update",
    "xor": "symmetric_difference_update",
}
_STEPS = "asynctask.nodes.steps"

Steps = list[tuple[str, str]]


class LeftToRight(click.Command):
    """A command that keeps the order in which node sets and set operations were written.

    click collects the values of each option, and the arguments, in one list each. What becomes
    of a set depends on the order of all, so the words are read once more, one set at a time.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        rest = super().parse_args(ctx, args)  # from here on the words are known to be right
        if not ctx.resilient_parsing:
            ctx.meta[_STEPS] = self._steps(ctx, words)
        return rest

    def _steps(self, ctx: click.Context, words: list[str]) -> Steps:
        spelled = {
            spelling: (param.name or "", ":" if not (param.is_flag or param.count) else "")
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for spelling in param.opts
        }
        short = "".join(word[1:] + value for word, (_, value) in spelled.items() if word[1] != "-")
        long = [word[2:] + ("=" if value else "") for word, (_, value) in spelled.items() if word[1] == "-"]
        steps: Steps = []
        while words:
            options, left = getopt(words, short, long)
            used = words[: len(words) - len(left)]
            steps += [(name, value) for word, value in options if (name := spelled[word][0]) in OPERATIONS]
            if _ends_options(used, short, long):
                return steps + [(UNION, word) for word in left]
            words = left[1:]
            steps += [(UNION, word) for word in left[:1]]
        return steps


def steps_of(ctx: click.Context) -> Steps:
    """The sets and operations of the command line, in order."""
    steps: Steps = ctx.meta[_STEPS]
    return steps


def _ends_options(used: list[str], short: str, long: list[str]) -> bool:
    """Whether the last word is a ``--`` that says so, not the value of an option."""
    if used[-1:] != ["--"]:
        return False
    try:
        getopt(used[:-1], short, long)
    except GetoptError:
        return False
    return True
