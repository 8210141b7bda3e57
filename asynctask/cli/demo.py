"""``asynctask demo``: a cluster in this process, a few telling commands, and how to go on."""

from __future__ import annotations

import click

__all__ = ("command",)


@click.command(name="demo", context_settings={"help_option_names": ["--help", "-h"]})
@click.option(
    "-n", "--nodes", type=click.IntRange(min=4, max=500), default=8, show_default=True, help="How many."
)
@click.option("-k", "--keep", is_flag=True, help="Keep the cluster, for commands of your own, until Ctrl-C.")
def command(nodes: int, keep: bool) -> None:
    """Try asynctask: start a cluster of SSH nodes in this process and run commands on it.

    The nodes are real SSH servers on 127.0.0.0/8 with keys made for them. They run real commands, as you.
    Nothing outside this machine is contacted, nothing is left behind.
    """
    from asynctask.cli.demonstration import demonstrate
    from asynctask.cli.loop import run_loop

    raise click.exceptions.Exit(run_loop(demonstrate(nodes, keep)))
