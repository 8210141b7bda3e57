"""``asynctask completion``: the script that makes a shell complete command lines, and the answers to it."""

from __future__ import annotations

import click

from asynctask.cli.completing.shells import SCRIPTS

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  eval "$(asynctask completion bash)"           in ~/.bashrc
  eval "$(asynctask completion zsh)"            in ~/.zshrc, behind compinit
  asynctask completion fish | source            in ~/.config/fish/config.fish
"""


@click.command(
    name="completion",
    context_settings={
        "help_option_names": ["--help", "-h"],
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
    epilog=_EXAMPLES,
)
@click.option("--answer", is_flag=True, hidden=True)
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.argument("said", nargs=-1, metavar="")
@click.pass_context
def command(ctx: click.Context, /, *, answer: bool, shell: str, said: tuple[str, ...]) -> None:
    """Print the script that completes asynctask in a shell.

    It completes sub-commands, options and what they take: nodes that ~/.ssh/known_hosts and ~/.ssh/config
    name, groups, modes, runs of the history, files. The package brings the scripts along; where it is
    installed for the whole system, shells find them by themselves.
    """
    if answer:
        click.echo(_answer(ctx, shell, said), nl=False)
    elif said:
        raise click.UsageError(f"one shell at a time, not also {said[0]!r}", ctx)
    else:
        click.echo(SCRIPTS[shell], nl=False)


def _answer(ctx: click.Context, shell: str, said: tuple[str, ...]) -> str:
    from asynctask.cli.completing.place import find_place
    from asynctask.cli.completing.shells import lines, parse
    from asynctask.cli.completing.values import offers

    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    words, text, leave_out = parse(shell, said)
    place = find_place(group, words, text)
    return "" if place is None else lines(offers(place), leave_out)
