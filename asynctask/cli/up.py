"""``asynctask up``: run what is in a Procfile or ``asynctask.toml``, and keep it running."""

from __future__ import annotations

from typing import Any

import click

from asynctask.cli.options import login_options
from asynctask.cli.sections import Option, Sectioned

__all__ = ("command",)

_EXAMPLES = """\b
A Procfile has lines "NAME: COMMAND"; asynctask.toml has a table for each template:
  [process.web]
  command = "serve --port $PORT"
  numprocesses = 2

\b
Examples:
  asynctask up                              what the Procfile or asynctask.toml here has
  asynctask up -f deploy/Procfile web       one template of another file
  asynctask up --scale web=3,worker=0
  asynctask up --exit-with tests            until the processes of "tests" have ended; their exit status
  asynctask up --daemon                     under systemd
"""
_FILE, _END, _OTHERS, _SHOWN = "What runs", "When it ends", "Talking to it", "What is shown"


class _Scale(click.ParamType):  # type: ignore[type-arg]  # click before 8.4 has none
    """``NAME=N``, or several with commas between."""

    name = "scale"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, int], ...]:
        pairs = []
        for part in str(value).split(","):
            name, equals, number = part.strip().partition("=")
            if not (name and equals and number.isascii() and number.isdecimal() and int(number) <= 100_000):
                self.fail(f"{part!r}: NAME=N is expected, as web=2", param, ctx)
            pairs.append((name, int(number)))
        return tuple(pairs)


class _Address(click.ParamType):  # type: ignore[type-arg]
    """``PORT`` or ``HOST:PORT``."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        from asynctask.cli.supervising.source import address_of

        try:
            return address_of(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


@click.command(
    name="up",
    cls=Sectioned,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@click.option(
    "-f",
    "--file",
    cls=Option,
    heading=_FILE,
    metavar="FILE",
    help="A Procfile or a file as asynctask.toml. [default: asynctask.toml or Procfile, here]",
)
@click.option(
    "-d",
    "--directory",
    cls=Option,
    heading=_FILE,
    metavar="DIR",
    help="Where processes run, and the file is looked for. [default: where the file is]",
)
@click.option(
    "-e",
    "--env",
    "env_files",
    cls=Option,
    heading=_FILE,
    multiple=True,
    metavar="FILE",
    help="Variables for all processes; later files win. [default: .env, if it is there]",
)
@click.option("--no-env", cls=Option, heading=_FILE, is_flag=True, help="Without .env.")
@click.option(
    "--scale",
    cls=Option,
    heading=_FILE,
    type=_Scale(),
    multiple=True,
    metavar="NAME=N",
    help="So many processes of a template; several with commas between.",
)
@click.option(
    "-p",
    "--port",
    cls=Option,
    heading=_FILE,
    type=click.IntRange(1, 65535),
    metavar="N",
    help="PORT of the first template; each has 100 more than the one before. [default: of .env, else 5000]",
)
@click.option(
    "--dry-run",
    "--check",
    "dry_run",
    cls=Option,
    heading=_FILE,
    is_flag=True,
    help="Show what would run, and run nothing.",
)
@click.option(
    "--exit-with",
    cls=Option,
    heading=_END,
    multiple=True,
    metavar="NAME",
    help="Stop all when a process of NAME ends, which is not started again; with its exit status.",
)
@click.option(
    "--abort-on-exit",
    cls=Option,
    heading=_END,
    is_flag=True,
    help="The same, whichever process ends first.",
)
@click.option(
    "--daemon",
    cls=Option,
    heading=_END,
    is_flag=True,
    help="Run as a service: plain lines, systemd is told, and it goes on when all processes have ended.",
)
@click.option("--socket", cls=Option, heading=_OTHERS, metavar="PATH", help="The control socket.")
@click.option(
    "--name",
    cls=Option,
    heading=_OTHERS,
    metavar="NAME",
    help="Of this manager: one of the same name takes over what is detached. [default: of the directory]",
)
@click.option(
    "--http",
    cls=Option,
    heading=_OTHERS,
    type=_Address(),
    metavar="[HOST:]PORT",
    help="Serve HTTP there, and a page. [default host: 127.0.0.1]",
)
@click.option(
    "--http-host",
    "http_hosts",
    cls=Option,
    heading=_OTHERS,
    multiple=True,
    metavar="NAME",
    help="A name by which browsers may ask for it, as that of a proxy. [default: localhost, that of --http]",
)
@click.option(
    "--token-file",
    cls=Option,
    heading=_OTHERS,
    metavar="FILE",
    help="Has the token for HTTP; it is made if it is missing. [default: beside the control socket]",
)
@click.option(
    "--color",
    cls=Option,
    heading=_SHOWN,
    type=click.Choice(["never", "always", "auto"]),
    default="auto",
    help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
)
@click.option("--no-color", cls=Option, heading=_SHOWN, is_flag=True, help="The same as --color never.")
@click.option(
    "-T", "--timestamps", cls=Option, heading=_SHOWN, is_flag=True, help="The time in front of each line."
)
@login_options
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    env_files: tuple[str, ...],
    no_env: bool,
    scale: tuple[tuple[tuple[str, int], ...], ...],
    no_color: bool,
    **options: Any,
) -> None:
    """Run the processes of a file, keep them running, and show what they print.

    A NAME, which may be a pattern, stands for the processes of a template; without, all are run. Ctrl-C stops
    them in order, a second one kills them, a third leaves at once. HUP reads the file again: what is
    different in it is applied, the rest goes on.

    The exit status is 0 when it was stopped, or all processes have ended as they should; 1 when one of those
    did not, and for other errors; with --exit-with and --abort-on-exit that of the process; 130 (143) when
    Ctrl-C (TERM) came twice; 2 for wrong usage.
    """
    for name in ("file", "directory", "socket", "name", "token_file", "ssh_config", "user"):
        if options.get(name) == "":  # most likely an unset variable
            raise click.UsageError(f"--{name.replace('_', '-')} is empty", ctx)
    if no_env and env_files:
        raise click.UsageError("-e and --no-env exclude each other", ctx)
    if options["daemon"] and (options["abort_on_exit"] or options["exit_with"]):
        raise click.UsageError("--daemon excludes --exit-with and --abort-on-exit: it goes on", ctx)
    from asynctask.cli.supervising.request import Request
    from asynctask.cli.supervising.running import execute

    if no_color:
        options["color"] = "never"
    chosen = () if no_env else env_files or None
    counts = dict(pair for pairs in scale for pair in pairs)
    raise click.exceptions.Exit(execute(Request(env_files=chosen, scale=counts, **options)))
