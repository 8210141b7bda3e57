"""``asynctask run``: run a command on many nodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from asynctask.cli.targets import Targets

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask run -w web[1-20] uptime             as it comes, a label in front of each line
  asynctask run -w web[1-20] -b uname -r        the same output once, with all who printed it
  asynctask run -g db -S -u 60 'service x status'
  asynctask run -w n[1-9] -R exec ping -c1 %h   here, once for each node
"""


class _Seconds(click.FloatRange):
    """A number of seconds; 0 is no limit, as clush has it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds or math.inf


_SECONDS = _Seconds(min=0)


def _target_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "-w", "--nodes", multiple=True, metavar="NODES", help="Run on these nodes: web[1-9],db1."
            ),
            click.option("-x", "--exclude", multiple=True, metavar="NODES", help="But not on these."),
            click.option(
                "-g", "--group", multiple=True, metavar="GROUP", help="Run on the nodes of a group."
            ),
            click.option(
                "-X", "--exclude-group", multiple=True, metavar="GROUP", help="But not on those of this one."
            ),
            click.option(
                "-a", "--all", "everything", is_flag=True, help="Run on all nodes of the group source."
            ),
            click.option("-s", "--groupsource", metavar="SOURCE", help="Where groups are looked up."),
            click.option(
                "--hostfile",
                "--machinefile",
                "hostfile",
                multiple=True,
                metavar="FILE",
                help="Run on the nodes that are listed in a file.",
            ),
        )
    ):
        command = option(command)
    return command


def _running_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "-f",
                "--fanout",
                type=click.IntRange(min=1),
                default=64,
                show_default=True,
                help="How many at once.",
            ),
            click.option(
                "-t",
                "--connect-timeout",
                "--connect_timeout",
                type=_SECONDS,
                help="Seconds to connect and log in. [default: as ~/.ssh/config says, else 10]",
            ),
            click.option(
                "-u",
                "--command-timeout",
                "--command_timeout",
                type=_SECONDS,
                default=0,
                help="Seconds for the command on each node. [default: no limit]",
            ),
            click.option("-l", "--user", metavar="USER", help="Log in as this user."),
            click.option(
                "-R",
                "--worker",
                default="ssh",
                show_default=True,
                metavar="WORKER",
                help="ssh; openssh: by the system's ssh; or exec: run it here.",
            ),
            click.option("-n", "--nostdin", is_flag=True, help="Do not pass standard input on."),
            click.option("-F", "--ssh-config", metavar="FILE", help="Instead of ~/.ssh/config."),
            click.option(
                "--host-keys",
                type=click.Choice(["strict", "accept-new", "off"]),
                help="accept-new: trust the first key that a node shows, and record it. off: talk to a node"
                " whatever its key, which lets anybody in between listen.",
            ),
        )
    ):
        command = option(command)
    return command


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "-b", "--dshbak", "gather", is_flag=True, help="Show the same output once, at the end."
            ),
            click.option("-B", "gather_both", is_flag=True, help="The same, with standard error mixed in."),
            click.option("-L", "by_node", is_flag=True, help="Show the output at the end, by node."),
            click.option("-N", "no_label", is_flag=True, help="No label in front of lines."),
            click.option("-S", "--maxrc", is_flag=True, help="Exit with the largest exit code of all."),
            click.option("-q", "--quiet", is_flag=True, help="No progress, no counts."),
            click.option(
                "-v", "--verbose", is_flag=True, help="Say more; with -b show lines also as they come."
            ),
        )
    ):
        command = option(command)
    return command


@click.command(
    name="run",
    context_settings={"help_option_names": ["--help", "-h"], "allow_interspersed_args": False},
    epilog=_EXAMPLES,
)
@_target_options
@_running_options
@_output_options
@click.argument("words", nargs=-1, metavar="COMMAND...")
def command(
    *,
    nodes: tuple[str, ...],
    exclude: tuple[str, ...],
    group: tuple[str, ...],
    exclude_group: tuple[str, ...],
    everything: bool,
    groupsource: str | None,
    hostfile: tuple[str, ...],
    words: tuple[str, ...],
    **options: Any,
) -> None:
    """Run COMMAND on many nodes.

    Options end at the first word of COMMAND. The exit status is 0 when all nodes were tried, whatever came
    of it; with -S the largest exit code, 255 if a node timed out or could not be reached; 130 after Ctrl-C,
    2 for wrong usage, 1 for other errors.
    """
    text = " ".join(words)
    if not text.strip():
        raise click.UsageError("no command to run")
    targets = Targets(nodes, group, hostfile, everything, exclude, exclude_group, groupsource).resolve()
    from asynctask.cli.runner import Request, execute

    status = execute(Request(command=text, targets=targets, **options))
    raise click.exceptions.Exit(status)
