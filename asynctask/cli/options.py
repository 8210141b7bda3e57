"""The options that several sub-commands have, as decorators; each group once.

An option that was not written has no value here: what holds then is a matter of modes and configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import click
from click.core import ParameterSource

from asynctask.cli.sections import Option

__all__ = (
    "SECONDS",
    "VARIABLE",
    "configuration_options",
    "control_options",
    "copying_options",
    "given",
    "login_options",
    "output_options",
    "record_options",
    "running_options",
    "target_options",
    "variable_option",
)

Command: TypeAlias = Callable[..., Any]


class _Seconds(click.FloatRange):
    """A number of seconds, or ``5m`` and the like; 0 is no limit, as clush has it."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = self._of_text(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return float(super().convert(seconds, param, ctx)) or math.inf

    def _of_text(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from asynctask.errors import UsageError
        from asynctask.rules.limits import seconds_of

        try:
            return seconds_of(value)
        except UsageError as exc:
            self.fail(str(exc), param, ctx)


SECONDS = _Seconds(min=0)


class _Wait(click.FloatRange):
    """A number of seconds that has an end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


_WAIT = _Wait(min=0)


class _Checked(click.ParamType):  # type: ignore[type-arg]  # click before 8.4 has none
    """Text in a notation of its own, which is kept as text: it is data of the request."""

    def __init__(self, name: str, check: Callable[[str], object]) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from asynctask.errors import UsageError

        text = str(value)
        try:
            self._check(text)
        except UsageError as exc:
            self.fail(str(exc), param, ctx)
        return text


def _check_halt(text: str) -> object:
    from asynctask.cli.control.halting import Halt

    return Halt.parse(text)


def _check_share(text: str) -> object:
    from asynctask.cli.control.shares import Share

    return Share.parse(text)


class _Variable(click.ParamType):  # type: ignore[type-arg]
    """``NAME=VALUE``."""

    name = "variable"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            self.fail(f"{value!r}: NAME=VALUE is expected", param, ctx)
        return name, text


VARIABLE = _Variable()
_HALT = _Checked("halt", _check_halt)
_SHARE = _Checked("share", _check_share)


def _decorator(*parts: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for part in reversed(parts):
            command = part(command)
        return command

    return decorate


def _section(heading: str, *options: tuple[tuple[str, ...], dict[str, Any]]) -> Callable[[Command], Command]:
    """Options that stand together in the help."""
    return _decorator(*(click.option(*words, cls=Option, heading=heading, **more) for words, more in options))


def _option(*words: str, **more: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return words, more


def _flag(*words: str, **more: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return words, {"is_flag": True, **more}


target_options = _section(
    "Which nodes",
    _option(
        "-w",
        "--nodes",
        multiple=True,
        metavar="NODES",
        help="Run on these nodes: web[1-9],db1; ^FILE: those listed in a file, -: on standard input.",
    ),
    _option("-x", "--exclude", multiple=True, metavar="NODES", help="But not on these."),
    _option("-g", "--group", multiple=True, metavar="GROUP", help="Run on the nodes of a group."),
    _option("-X", "--exclude-group", multiple=True, metavar="GROUP", help="But not on those of this one."),
    _flag("-a", "--all", "everything", help="Run on all nodes of the group source."),
    _option(
        "--hostfile",
        "--machinefile",
        "hostfile",
        multiple=True,
        metavar="FILE",
        help="Run on the nodes that are listed in a file; - is standard input.",
    ),
    _option("--pick", type=click.IntRange(min=1), metavar="N", help="Only on N of them, at random."),
    _option("-s", "--groupsource", metavar="SOURCE", help="The group source for -g, -a, @group and -r."),
    _option("--groupsconf", metavar="FILE", help="Read this in place of groups.conf."),
    _option(
        "--axis", metavar="AXES", help="Of names such as r1n2, fold only these in what is shown: 1,2; -1."
    ),
)

_LOGIN = "Logging in"

login_options = _section(
    _LOGIN,
    _option("-l", "--user", metavar="USER", help="Log in as this user."),
    _option("-F", "--ssh-config", metavar="FILE", help="Read this in place of ~/.ssh/config."),
    _option(
        "--host-keys",
        type=click.Choice(["strict", "accept-new", "off"]),
        help="accept-new: trust the first key that a node shows, and record it. off: talk to a node"
        " whatever its key, which lets anybody in between listen.",
    ),
)

_more_login_options = _section(
    _LOGIN,
    _flag("-k", "--ask-login", help="Ask for the password to log in with, once for all nodes."),
    _option("-J", "--jump", metavar="HOSTS", help="Go by these hosts, with commas between."),
    _option(
        "-o",
        "--options",
        "ssh_options",
        metavar="TEXT",
        help="Options as the program ssh has them, in one text: '-p 2222 -A'.",
    ),
)

_RUNNING = "How it runs"

running_options = _decorator(
    _section(
        _RUNNING,
        _option(
            "-f",
            "--fanout",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many nodes at once. [default: 64]",
        ),
        _option(
            "-t",
            "--connect-timeout",
            "--connect_timeout",
            type=SECONDS,
            metavar="S",
            help="Seconds to connect and log in; 0: no limit. [default: as ~/.ssh/config says, else 10]",
        ),
        _option(
            "-u",
            "--command-timeout",
            "--command_timeout",
            type=SECONDS,
            metavar="S",
            help="Seconds for the command on each node. [default: no limit]",
        ),
        _option(
            "-R",
            "--worker",
            metavar="WORKER",
            help="ssh; openssh: by the system's ssh; or exec: run it here, once for each node."
            " [default: ssh]",
        ),
        _flag("-n", "--nostdin", help="Do not pass standard input on."),
    ),
    login_options,
    _more_login_options,
)

variable_option = _section(
    _RUNNING,
    _option(
        "--env", multiple=True, type=VARIABLE, metavar="NAME=VALUE", help="Set a variable for the command."
    ),
)

copying_options = _section(
    "Copying files",
    _flag("-c", "--copy", help="Copy files to the nodes, in place of a command."),
    _flag("--rcopy", help="Copy files from the nodes, each with .NODE after its name."),
    _option("--dest", metavar="PATH", help="Where copies go. [default: the directory they come from]"),
    _flag("-p", "--preserve", help="Copies keep permissions and times."),
)

_display_options = _section(
    "What is shown",
    _flag("-b", "--dshbak", "gather", help="Show the same output once, at the end."),
    _flag("-B", "gather_both", help="The same, with standard error mixed in."),
    _flag(
        "-L",
        "by_node",
        help="Show the output at the end, by node; with -b or -B each line as soon as all have printed it.",
    ),
    _flag("-N", "no_label", help="No label in front of lines."),
    _flag("--diff", help="Show the most common output, and how the others differ from it."),
    _flag(
        "--similar",
        help="As -b, but output that differs only in the node's own name, in numbers or times is the same.",
    ),
    _option(
        "--outliers",
        type=click.Choice(["first", "last"]),
        help="Where the outputs of the fewest nodes stand.",
    ),
    _flag("-r", "--regroup", help="Show groups in place of their nodes."),
    _flag("-G", "--groupbase", help="Group names without their source."),
    _option(
        "--color",
        type=click.Choice(["never", "always", "auto"]),
        help="Colours. [default: on a terminal, as NO_COLOR and CLICOLOR say]",
    ),
    _flag("-P", "--progress", help="Show progress on a terminal with -q, too."),
    _flag("-q", "--quiet", "quiet", help="No progress, no counts."),
    _flag("-v", "--verbose", "verbose", help="Say more; with -b show lines also as they come."),
    _flag("-d", "--debug", "debug", help="Say what happens inside."),
)

output_options = _decorator(
    _display_options,
    _section(
        "For programs",
        _flag("-S", "--maxrc", help="Exit with the largest exit code of all."),
        _flag("--json", help="One JSON object for each node, as it ends."),
        _flag("--events", help="One JSON object for each thing that happens, as it happens."),
        _option("--outdir", metavar="DIR", help="Write the output of each node to a file there."),
        _option("--errdir", metavar="DIR", help="The same for standard error."),
    ),
)

control_options = _section(
    "How far it goes",
    _flag("--dry-run", help="Show what would be run where, and run nothing."),
    _option(
        "--confirm",
        type=click.IntRange(min=0),
        metavar="N",
        help="Ask before it runs on more than N nodes.",
    ),
    _flag("-y", "--yes", help="Do not ask that: the answer is yes."),
    _option(
        "--retries", type=click.IntRange(min=0), metavar="N", help="How often to try again where it failed."
    ),
    _option(
        "--halt",
        type=_HALT,
        metavar="WHEN",
        help="Stop early: now,fail=1 stops all at the first failure; soon,fail=10% starts no more nodes;"
        " soon,timeout=3.",
    ),
    _option("--canary", type=click.IntRange(min=1), metavar="N", help="First on N nodes alone."),
    _option("--batch", type=_SHARE, metavar="N|N%", help="In batches, one after the other."),
    _option(
        "--check",
        metavar="COMMAND",
        help="Between batches run this here; go on if it returns 0.",
    ),
    _option("--deadline", type=SECONDS, metavar="S", help="Seconds for the whole run."),
    _option(
        "--quorum",
        type=_SHARE,
        metavar="N|N%",
        help="Enough when the command has gone well on so many nodes.",
    ),
    _option(
        "--delay",
        type=_WAIT,
        metavar="S",
        help="Seconds from one node's start to the next.",
    ),
)

_SETTINGS = "Configuration and history"

record_options = _section(
    _SETTINGS,
    _flag("--history/--no-history", default=None, help="Whether to keep the run in the history."),
)

configuration_options = _section(
    _SETTINGS,
    _option("-m", "--mode", metavar="MODE", help="A mode of the configuration: sudo."),
    _option("--conf", metavar="FILE", help="Read this configuration alone."),
    _option(
        "-O",
        "--option",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set what the configuration sets; asynctask config lists the keys.",
    ),
)


def given(ctx: click.Context) -> dict[str, Any]:
    """What was written on the command line, by the names of the parameters."""
    return {
        name: value
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
