"""From the options of a command line to a request, and to what is done with it."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import click

from asynctask.cli.request import Copying, Request
from asynctask.cli.targets import Targets
from asynctask.cli.terminal import STDOUT, encoded, is_terminal, visible
from asynctask.group_sources import use_groups_file

if TYPE_CHECKING:
    from asynctask.cli.settings.loading import Settings
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Launch", "changed", "launch")

_STDIN = 0
_FIELDS = {each.name for each in fields(Request)} - {"targets", "command", "copying"}
_VERBOSITY = {"quiet": 0, "verbose": 2, "debug": 3}
#: Options that exclude each other: the name of a parameter and how it is written.
_SHOWN_AT_END = (("gather", "-b"), ("by_node", "-L"), ("diff", "--diff"), ("similar", "--similar"))
_EXCLUSIVE = (
    (("quiet", "-q"), ("verbose", "-v"), ("debug", "-d")),
    (("copy", "--copy"), ("rcopy", "--rcopy")),
    (("by_node", "-L"), ("diff", "--diff"), ("similar", "--similar")),
    *((each, ("json", "--json"), ("events", "--events")) for each in _SHOWN_AT_END),
    *((("outliers", "--outliers"), each) for each in (("by_node", "-L"), ("diff", "--diff"))),
    (("outliers", "--outliers"), ("json", "--json"), ("events", "--events")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A request, and whether it is only shown, or asked about before."""

    request: Request
    confirm: int | None = None
    """Ask above so many nodes; ``None``: never."""
    dry_run: bool = False
    history_size: int = 100
    """How many lines the interactive mode remembers."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where values of the request come from, by its fields."""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """From the parameters that were written on the command line.

        Raises:
            click.UsageError: they do not go together.
            AsyncTaskError: a node set, a configuration, a file that makes no sense.
        """
        _check_together(given)
        if "groupsconf" in given:
            use_groups_file(given["groupsconf"])
        settings = _load(given)
        wanted = _wanted(given)
        values = settings.apply(wanted)
        words: tuple[str, ...] = given.get("words", ())
        copying = _copying(given, words)
        command = "" if copying else " ".join(words)
        if words and not copying and not command.strip():
            raise click.UsageError("no command to run: the words after the options are empty")
        _fold_as_wished(given)
        named = _targets(given, values.get("groupsource"))
        if named.read_from_input:
            values["nostdin"] = True
        targets = named.resolve()
        if "pick" in given:
            targets = _picked(targets, given["pick"])
            if values["verbosity"] > 1:
                _tell(f"picked {_fold(targets)}")
        request = Request(**{**values, "targets": targets, "command": command, "copying": copying})
        if given.get("outliers"):
            request = request.ordered()
        _check_batches(given, request)
        return cls(
            request=request,
            confirm=None if given.get("yes") else given.get("confirm", settings.get("confirm")),
            dry_run=given.get("dry_run", False),
            history_size=settings.get("history_size"),
            origins={name: settings.source(name) for name in settings.values if name not in wanted},
        )


def changed(request: Request, given: Mapping[str, Any]) -> Request:
    """A request of the history, with what was written on the command line in place of what it says.

    Raises:
        click.UsageError: the options do not go together.
    """
    _check_together(given)
    request = replace(request, **_wanted(given))
    if given.get("outliers"):
        request = request.ordered()
    _check_batches(given, request)
    return request


def launch(wanted: Launch) -> int:
    """Do it; the exit status."""
    request = wanted.request
    if not request.command and request.copying is None:
        if is_terminal(_STDIN):
            return _converse(wanted)
        request = _fed(request)
    if wanted.dry_run:
        return _show(wanted, request)
    consent(request, wanted.confirm)
    from asynctask.cli.runner import execute

    return execute(request)


def consent(request: Request, most: int | None) -> None:
    """Ask before it runs on more than ``most`` nodes.

    Raises:
        click.UsageError: nobody can be asked.
        AsyncTaskError: the user does not want it.
    """
    from asynctask.cli.control.confirming import confirm, is_asked

    if is_asked(len(request.targets), most):
        confirm(request.command or _described(request.copying), request.targets, _ask)


def _ask(question: str) -> str | None:
    from asynctask.cli.prompting import Asker, has_terminal

    return asyncio.run(Asker().ask(question, echo=True)) or "" if has_terminal() else None


def _converse(wanted: Launch) -> int:
    """The interactive mode."""
    request = wanted.request
    if wanted.dry_run:
        raise click.UsageError("--dry-run: no command to show: write it after the options")
    if request.nostdin:
        raise click.UsageError("no command to run: with -n, or nodes from standard input, none is asked for")
    from asynctask.cli.interactive.session import interact
    from asynctask.cli.interactive.shell import LOCAL
    from asynctask.cli.loop import run_loop
    from asynctask.cli.prompting import Asker
    from asynctask.cli.runner import Execution, log_to_stderr

    log_to_stderr(request)
    asker = Asker()

    async def run(request: Request, *, pool: ConnectionPool | None) -> int:
        most = None if request.targets == (LOCAL,) else wanted.confirm
        return await Execution(request, pool=pool, asker=asker, most=most).run()

    return run_loop(interact(request, run, history_size=wanted.history_size))


def _fed(request: Request) -> Request:
    """The request for the nodes' shells to run what comes on standard input, as clush has it."""
    from asynctask.cli.stdin import piped, script_command

    if request.nostdin or not piped():
        raise click.UsageError("no command to run: write it after the options")
    return replace(request, command=script_command(request.prefix))


def _show(wanted: Launch, request: Request) -> int:
    from asynctask.cli.control.dry_run import dry_run
    from asynctask.cli.control.ways import find_ways
    from asynctask.cli.login import ssh_options

    ways = find_ways(request.targets, ssh_options(request)) if request.worker in {"ssh", "openssh"} else {}
    plain = visible if is_terminal(STDOUT) else bytes
    text = b"".join(
        plain(encoded(line)) + b"\n" for line in dry_run(request, origins=wanted.origins, ways=ways)
    )
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
    return 0


# -- from parameters to fields ----------------------------------------------------------------------


def _check_together(given: Mapping[str, Any]) -> None:
    for options in _EXCLUSIVE:
        written = [spelled for name, spelled in options if given.get(name)]
        if len(written) > 1:
            raise click.UsageError(f"{' and '.join(written)} exclude each other: choose one")
    copies = given.get("copy") or given.get("rcopy")
    for name, spelled in (("dest", "--dest"), ("preserve", "-p")):
        if given.get(name) and not copies:
            raise click.UsageError(f"{spelled} goes with --copy or --rcopy")
    if copies and given.get("env"):
        raise click.UsageError("--env: copies have no environment")
    if copies and not given.get("words"):
        raise click.UsageError("no files to copy: name them after the options")
    if given.get("topology"):
        raise click.UsageError("--topology: there are no gateways yet; -J goes by a jump host")


def _check_batches(given: Mapping[str, Any], request: Request) -> None:
    if "check" in given and request.batch is None and not request.canary:
        raise click.UsageError("--check runs after each batch but the last: give --batch or --canary, too")


def _load(given: Mapping[str, Any]) -> Settings:
    from asynctask.cli.settings.loading import load

    settings = load(conf=given.get("conf"), mode=given.get("mode"), overrides=given.get("overrides", ()))
    for warning in () if given.get("quiet") else settings.warnings:
        _tell(warning)
    return settings


def _wanted(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the request that options fill."""
    wanted = {name: value for name, value in given.items() if name in _FIELDS}
    for name, verbosity in _VERBOSITY.items():
        if given.get(name):
            wanted["verbosity"] = verbosity
    if given.get("remote") == "no":  # clush's way to say: here
        wanted["worker"] = "exec"
    return wanted


def _copying(given: Mapping[str, Any], words: Sequence[str]) -> Copying | None:
    if not (given.get("copy") or given.get("rcopy")):
        return None
    return Copying(
        sources=tuple(words),
        dest=given.get("dest"),
        back=bool(given.get("rcopy")),
        preserve=bool(given.get("preserve")),
    )


def _described(copying: Copying | None) -> str:
    assert copying is not None
    return f"copy {'from' if copying.back else 'to'}: {' '.join(copying.sources)}"


def _fold_as_wished(given: Mapping[str, Any]) -> None:
    """How node sets are folded: for the whole process, from now on."""
    if "axis" in given:
        from ClusterShell.Defaults import DEFAULTS

        from asynctask.cli.nodesets.shaping import along_axes

        DEFAULTS.fold_axis = along_axes(given["axis"])


def _targets(given: Mapping[str, Any], source: str | None) -> Targets:
    nodes: tuple[str, ...] = given.get("nodes", ())
    excluded: tuple[str, ...] = given.get("exclude", ())
    if not given.get("quiet"):
        _warn_of_files("-w", nodes)
        _warn_of_files("-x", excluded)
    return Targets(
        nodes,
        given.get("group", ()),
        given.get("hostfile", ()),
        given.get("everything", False),
        excluded,
        given.get("exclude_group", ()),
        source,
    )


def _warn_of_files(option: str, names: Sequence[str]) -> None:
    for name in names:
        if name and "[" not in name and "," not in name and os.path.exists(name):  # noqa: PTH110 (any text)
            _tell(f"{option} {name}: a file of that name is here; did the shell put it there for a pattern?")


def _picked(targets: tuple[str, ...], count: int) -> tuple[str, ...]:
    """So many of them at random, in their order."""
    if count >= len(targets):
        return targets
    chosen = set(random.sample(range(len(targets)), count))
    return tuple(node for place, node in enumerate(targets) if place in chosen)


def _fold(names: Sequence[str]) -> str:
    from asynctask.cli.output.labels import fold

    return fold(names)


def _tell(text: str) -> None:
    sys.stderr.write(f"asynctask: {visible(encoded(text)).decode()}\n")
