"""``asynctask watch``: run a command when something changes, or what a rules file says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from asynctask.cli.options import login_options
from asynctask.cli.sections import Sectioned

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask watch /srv/inbox                                     print what changes
  asynctask watch /srv/inbox --on created -- ingest %{path}      one run for each new file
  asynctask watch src -r --debounce 1 -- make                    one run when all is quiet
  asynctask watch app.conf -w web[1-9] -- systemctl reload app   on many nodes
  asynctask watch --rules rules.toml --dry-run
"""

#: What may be said beside --rules: the rest is in the file.
_WITH_RULES = {
    "rules",
    "dry_run",
    "once",
    "user",
    "ssh_config",
    "host_keys",
    "no_label",
    "words",
}
_KINDS = ("created", "modified", "deleted")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    from asynctask.errors import UsageError
    from asynctask.rules.limits import seconds_of

    try:
        seconds = None if value is None else seconds_of(value)
    except UsageError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc
    if seconds == 0 and param.name == "interval":
        raise click.BadParameter("more than 0 seconds are needed", ctx, param)
    return seconds


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    from asynctask.errors import UsageError
    from asynctask.rules.limits import Rate

    try:
        return None if value is None else Rate.parse(value)
    except UsageError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


def _kinds(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    kinds = _KINDS if value is None else tuple(kind.strip() for kind in value.split(","))
    for kind in kinds:
        if kind not in _KINDS:
            raise click.BadParameter(f"{kind!r} is none of {', '.join(_KINDS)}", ctx, param)
    return kinds


def _watching_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--on",
                metavar="EVENTS",
                callback=_kinds,
                help="created, modified, deleted, with commas between. [default: all]",
            ),
            click.option("--only", multiple=True, metavar="GLOB", help="Only entries with such a name."),
            click.option("-r", "--recurse", is_flag=True, help="Also what is in subdirectories."),
            click.option("--existing", is_flag=True, help="What is there already counts as created."),
            click.option(
                "--interval",
                metavar="S",
                default="1",
                show_default=True,
                callback=_seconds,
                help="Time from one look to the next, where the system does not tell.",
            ),
            click.option(
                "--debounce",
                metavar="S",
                default="0",
                callback=_seconds,
                help="Wait until nothing has changed for so long; then one run for all changes, or"
                " one for each if COMMAND names %{path}, %{url}, %{name}, %{event} or %{topic}.",
            ),
            click.option(
                "--state", metavar="FILE", help="Keep there what was handled, and go on from there."
            ),
            click.option("--once", is_flag=True, help="End when the first changes were handled."),
        )
    ):
        command = option(command)
    return command


def _running_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "-w", "--nodes", multiple=True, metavar="NODES", help="Run on these nodes. [default: here]"
            ),
            click.option(
                "-R", "--worker", metavar="WORKER", help="ssh, openssh, or exec: here. [default: ssh]"
            ),
            click.option(
                "-f",
                "--fanout",
                type=click.IntRange(min=1),
                default=64,
                show_default=True,
                help="How many nodes at once.",
            ),
            click.option(
                "-t",
                "--connect-timeout",
                metavar="S",
                callback=_seconds,
                help="Time to connect and log in. [default: 10 s]",
            ),
            click.option(
                "-u",
                "--timeout",
                "--command-timeout",
                "timeout",
                metavar="S",
                callback=_seconds,
                help="Time for the command on each node. [default: no limit]",
            ),
            click.option(
                "--concurrency",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="How many runs at once.",
            ),
            click.option(
                "--retries",
                type=click.IntRange(min=0),
                default=0,
                show_default=True,
                help="How often to try again where it failed.",
            ),
            click.option("--rate", metavar="N/S", callback=_rate, help="So many runs at most: 10/1m, 5/s."),
            click.option(
                "--stdin",
                type=click.Choice(["urls", "paths", "json"]),
                help="What COMMAND reads: lines of URLs or JSON, or paths with NUL after each.",
            ),
            click.option("--dead-letters", metavar="FILE", help="Write there what failed in the end."),
            login_options,
            click.option("-N", "no_label", is_flag=True, help="No label in front of lines."),
        )
    ):
        command = option(command)
    return command


class _Command(Sectioned):
    """Knows where ``--`` was. Without it, ``watch *.csv`` would run a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        words: tuple[str, ...] = ctx.params.get("words") or ()
        if len(words) > 1:
            after = given[given.index("--") + 1 :] if "--" in given else []
            if len(words) - len(after) > 1:
                raise click.UsageError(f"{words[1]!r}: a command follows -- and there is one URL", ctx)
        elif given[-1:] == ["--"] and words:
            raise click.UsageError("no command follows --", ctx)
        return rest


@click.command(
    name="watch",
    cls=_Command,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
    options_metavar="[OPTIONS]",
)
@click.option("--rules", metavar="FILE", help="Do what is in a rules file.")
@_watching_options
@_running_options
@click.option("--dry-run", is_flag=True, help="Show what would be run, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Without COMMAND: one JSON object a line.")
@click.argument("words", nargs=-1, metavar="[URL] [-- COMMAND...]")
@click.pass_context
def command(ctx: click.Context, /, *, rules: str | None, words: tuple[str, ...], **options: Any) -> None:
    """Watch URL, and run COMMAND when something changes.

    URL is a path, or of one of the kinds file: http: s3: swift:. COMMAND gets the change in the variables
    ASYNCTASK_PATH, ASYNCTASK_URL, ASYNCTASK_NAME and ASYNCTASK_EVENT, and for %{path}, %{url}, %{name} and
    %{event}: one word each, whatever is in it. Without COMMAND changes are printed. Times are seconds, or
    such as 500ms, 5m, 2h.

    The exit status is 130 after Ctrl-C, 2 for wrong usage, 1 for other errors, and with --once 0 whatever
    came of it.
    """
    for name in ("rules", "state", "dead_letters", "ssh_config", "user"):
        if ctx.params[name] == "":  # most likely an unset variable
            raise click.UsageError(f"--{name.replace('_', '-')} is empty", ctx)
    if len(words) > 1 and not " ".join(words[1:]).strip():
        raise click.UsageError("the command is empty", ctx)
    if rules is not None:
        given = (name for name in ctx.params if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT)
        if words or not _WITH_RULES.issuperset(given):
            raise click.UsageError("with --rules, what is watched and run is in the file", ctx)
    elif not words:
        raise click.UsageError("nothing to watch: name a URL or a path, or a file with --rules", ctx)
    elif len(words) > 1 and options["as_json"]:
        raise click.UsageError("--json is for printing changes, without COMMAND", ctx)
    elif len(words) == 1 and options["nodes"]:
        raise click.UsageError("no command to run on the nodes: it follows --", ctx)
    timeout = options["timeout"]
    options["timeout"] = timeout if timeout and timeout < math.inf else None  # 0 is no limit, as for run
    options["connect_timeout"] = options["connect_timeout"] or None
    from asynctask.cli.watch_runner import Request, execute

    url, text = ("", "") if rules is not None else (words[0], " ".join(words[1:]))
    raise click.exceptions.Exit(execute(Request(rules=rules, url=url, command=text, **options)))
