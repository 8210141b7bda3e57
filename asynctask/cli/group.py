"""The click group that loads a sub-command when it is used."""

from __future__ import annotations

from importlib import import_module

import click

from asynctask._version import __version__

__all__ = ("group",)


class _LazyGroup(click.Group):
    """A group that knows the names and summaries of its commands, and imports one at a time."""

    def __init__(self, summaries: dict[str, str]) -> None:
        super().__init__(
            "asynctask",
            help="Run commands on many nodes, and see who answered what.",
            context_settings={"help_option_names": ["--help", "-h"]},
        )
        self.summaries = summaries
        self.params.append(
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                help="Show the version and exit.",
                callback=_show_version,
            )
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.summaries:
            return None
        command = import_module(f"asynctask.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"asynctask {__version__}")
        ctx.exit()


def group(summaries: dict[str, str]) -> click.Group:
    """The command group.

    Args:
        summaries: the sub-commands, each with its line in the help.
    """
    return _LazyGroup(summaries)
