"""What a value can be. Which kind it is, its placeholder in the help says, such as ``NODES`` or ``FILE``.

So an option of any sub-command is completed as soon as it says what it takes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import click

from asynctask.cli.completing.bounded import within
from asynctask.cli.completing.hosts import known_names
from asynctask.cli.completing.place import Place

__all__ = ("Item", "offers")

#: Seconds that group sources and managers may take, as long as the user waits.
_PATIENCE = 0.7
#: So many are offered at most.
_MOST = 1000
#: Characters of an explanation.
_LONGEST = 70
#: So many runs of the history.
_RUNS = 50
_SEPARATOR = re.compile(r"\[[^\]]*\]?|([,!&^])")
_WORKERS = ("exec", "openssh", "ssh")


class Item(NamedTuple):
    """What is offered, or that the shell is to offer something."""

    value: str
    kind: str = "plain"
    """``plain``; ``open``: more may follow in the same word; or what the shell itself knows: ``file``,
    ``dir``, ``command``."""
    help: str = ""


Offer: TypeAlias = Callable[[Place], Iterable[Item]]


def offers(place: Place) -> list[Item]:
    """What fits, in the order in which it is to be shown; nothing rather than an error."""
    if place.param is None:
        found = _options(place) if place.text.startswith("-") else _commands(place)
    else:
        found = _values(place, place.param)
    try:
        fitting = [item for item in found if item.value.startswith(place.text) or _is_left(item)]
    except Exception:  # noqa: BLE001, RUF100 (whatever is wrong with what is asked: no traceback over a prompt)
        return []
    unique = {item.value: item for item in reversed(fitting)}
    return [item._replace(value=place.prefix + item.value) for item in reversed(unique.values())][:_MOST]


def _is_left(item: Item) -> bool:
    """Whether the shell itself finds what fits."""
    return item.kind in {"file", "dir", "command"}


# -- sub-commands and options -----------------------------------------------------------------------


def _commands(place: Place) -> Iterator[Item]:
    command, ctx = place.ctx.command, place.ctx
    if isinstance(command, click.Group):
        summaries = getattr(command, "summaries", {})  # to ask each command would import all of them
        for name in command.list_commands(ctx):
            yield Item(name, help=summaries.get(name, ""))


def _options(place: Place) -> Iterator[Item]:
    for param in place.ctx.command.get_params(place.ctx):
        if not isinstance(param, click.Option) or param.hidden:
            continue
        if param.name in place.given and not (param.multiple or param.count):
            continue
        for spelling in (*param.opts, *param.secondary_opts):
            if "_" not in spelling:  # clush's spelling works, and is not offered
                yield Item(spelling, help=_first_sentence(param.help or ""))


def _first_sentence(text: str) -> str:
    return _short(re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0].rstrip("."))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# -- values -----------------------------------------------------------------------------------------


def _values(place: Place, param: click.Parameter) -> Iterator[Item]:
    known = param.shell_complete(place.ctx, place.text)  # choices, and whatever else click knows
    if known:
        yield from (Item(str(item.value), item.type, item.help or "") for item in known)
        return
    offer = _OFFERS.get(_placeholder(place, param))
    if offer is not None:
        yield from offer(place)


def _placeholder(place: Place, param: click.Parameter) -> str:
    """``NODES`` of ``[NODES]...``, ``NAME`` of ``NAME=N...``; of several words the one for this place."""
    if isinstance(param, click.Argument) and place.copying:
        return "FILE"
    words = re.findall(r"(?<![A-Z=])[A-Z]+", param.make_metavar(place.ctx))
    if not words:
        return ""
    if place.dashed:
        return str(words[-1])
    return str(words[min(place.index, len(words) - 1)] if isinstance(param, click.Argument) else words[0])


def _nodes(place: Place) -> Iterator[Item]:
    """Hosts and groups; only the last part of a set is completed."""
    head, last = _last_part(place.text)
    if last.startswith("@"):
        for group in _groups(place, last):
            yield group._replace(value=head + group.value)
        return
    for name in _hosts():
        yield Item(head + name, "open")
    if not last:
        yield Item(head + "@", "open", "a group")


def _hosts() -> Iterable[str]:
    return sorted(set(known_names(Path.home())))


def _group_names(place: Place) -> Iterator[Item]:
    """Groups without their ``@``, for options that take nothing else."""
    head, last = _last_part(place.text)
    for group in _groups(place, "@" + last):
        yield group._replace(value=head + group.value.removeprefix("@"))


def _last_part(text: str) -> tuple[str, str]:
    """The text up to the last separator outside of brackets, and what follows."""
    ends = [match.end() for match in _SEPARATOR.finditer(text) if match[1]]
    end = ends[-1] if ends else 0
    return text[:end], text[end:]


def _groups(place: Place, text: str) -> list[Item]:
    """Groups of the default source, or of the one that is written; and the other sources."""
    source, colon, _ = text.removeprefix("@").partition(":")
    default = _given(place, "groupsource")
    configuration = _given(place, "groupsconf")

    def look_up() -> Iterator[str]:
        from asynctask import nodes

        _use(configuration)
        for name in nodes.groups(source if colon else default):
            yield name if colon else name.replace(f"@{default}:", "@")
        if not colon:
            yield from (f"@{name}:" for name in _source_names())

    names = within(_PATIENCE, look_up)
    return [Item(name, "open" if name.endswith(":") else "plain") for name in names]


def _given(place: Place, name: str) -> str | None:
    """The value of an option before it; the last one counts."""
    values = place.given.get(name)
    return values[-1] if values else None


def _sources(place: Place) -> Iterator[Item]:
    configuration = _given(place, "groupsconf")

    def look_up() -> list[str]:
        _use(configuration)
        return _source_names()

    yield from map(Item, within(_PATIENCE, look_up))


def _use(configuration: str | None) -> None:
    from asynctask.nodes import NodeSet

    assert NodeSet  # loading it leaves the examples of ClusterShell's wheel out
    if configuration is not None:
        from ClusterShell.NodeSet import set_std_group_resolver_config

        set_std_group_resolver_config(configuration)


def _source_names() -> list[str]:
    from ClusterShell.NodeSet import std_group_resolver

    return sorted(std_group_resolver().sources())


def _runs(place: Place) -> Iterator[Item]:
    """What the history has, the last first."""
    from asynctask.cli.past.reading import open_history, read_runs

    with open_history() as history:
        for run in itertools.islice(read_runs(history, _RUNS), _RUNS):
            yield Item(str(run.id), help=_short(" ".join(run.command.split())))


def _modes(place: Place) -> Iterator[Item]:
    from asynctask.cli.settings.loading import load

    conf = _given(place, "conf")
    return (Item(mode.name, help=mode.source) for mode in load(conf=conf).modes())


def _keys(place: Place) -> Iterator[Item]:
    from asynctask.cli.settings.loading import load

    return (Item(f"{key}=", "open") for key in load().keys())  # noqa: SIM118 (it is no dict)


def _jump_hosts(place: Place) -> Iterator[Item]:
    head, _ = _last_part(place.text)
    return (Item(head + name, "open") for name in _hosts())


def _templates(place: Place) -> Iterator[Item]:
    """What is loaded in the manager that is meant, if one runs."""
    if not isinstance(place.param, click.Argument):
        return
    has_number = "=" in place.param.make_metavar(place.ctx)

    def look_up() -> list[str]:
        from asynctask.cli.controlling.connecting import connect

        with connect(_given(place, "file"), _given(place, "socket")) as client:
            return list(client.call("list")["names"])

    for name in within(_PATIENCE, look_up):
        yield Item(f"{name}=", "open") if has_number else Item(name)


def _shell(kind: str) -> Offer:
    return lambda place: [Item(place.text, kind)]


def _command_or_file(place: Place) -> list[Item]:
    return [Item(place.text, "file" if place.index else "command")]


_OFFERS: dict[str, Offer] = {
    "COMMAND": _command_or_file,
    "DIR": _shell("dir"),
    "FILE": _shell("file"),
    "GROUP": _group_names,
    "HOST": _jump_hosts,
    "HOSTS": _jump_hosts,
    "ID": _runs,
    "KEY": _keys,
    "MODE": _modes,
    "NAME": _templates,
    "NODE": _jump_hosts,
    "NODES": _nodes,
    "PATH": _shell("file"),
    "RUN": _runs,
    "SOURCE": _sources,
    "URL": _shell("file"),
    "WORKER": lambda place: map(Item, _WORKERS),
}
