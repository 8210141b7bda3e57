"""What a command line asks for, as plain data: it is shown by a dry run, and kept in the history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

__all__ = ("Copying", "Request")

#: What may be without bound.
_SECONDS = {"command_timeout", "connect_timeout", "deadline"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """Files to copy, in place of a command."""

    sources: tuple[str, ...]
    """Paths: here, or with :attr:`back` on the nodes."""
    dest: str | None = None
    """Where they go. ``None``: to the directory that they come from."""
    back: bool = False
    """From the nodes to here, each file with ``.NODE`` after its name."""
    preserve: bool = False
    """Keep permissions and times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user wants, after options, mode and configuration were brought together.

    Times are in seconds. Fields that are text in a notation of their own (``halt``, ``batch``) were
    checked when the options were read.
    """

    targets: tuple[str, ...]
    command: str = ""
    """The words of the command line, joined with blanks; :attr:`prefix` is not in it."""
    copying: Copying | None = None

    # -- how it runs --
    worker: str = "ssh"
    fanout: int = 64
    connect_timeout: float | None = None
    """``None``: as the SSH configuration says, else 10."""
    command_timeout: float = math.inf
    user: str | None = None
    ssh_config: str | None = None
    ssh_options: str = ""
    """Options of the program ``ssh``, as clush's ``-o`` has them."""
    ssh_path: str = ""
    """The program for the worker ``openssh``; empty: ``ssh``."""
    host_keys: str | None = None
    jump: str | None = None
    sudo: str | None = None
    """Run the command as this user, by sudo, whose password is asked for when it is needed."""
    prefix: str = ""
    """Words that a mode puts in front of the command."""
    password_prompt: bool = False
    """Ask for a password, once, and give it to each command as the first line of its input."""
    ask_login: bool = False
    """Ask for the login password, once, at the start."""
    nostdin: bool = False
    env: tuple[tuple[str, str], ...] = ()

    # -- what is shown --
    gather: bool = False
    gather_both: bool = False
    by_node: bool = False
    no_label: bool = False
    regroup: bool = False
    groupsource: str | None = None
    groupbase: bool = False
    """Group names without their source."""
    diff: bool = False
    similar: bool = False
    outliers: str = ""
    """``"first"`` or ``"last"``: where the outputs of the fewest nodes stand; empty: clush's order."""
    color: str = "auto"
    outdir: str | None = None
    errdir: str | None = None
    json: bool = False
    events: bool = False
    progress: bool = False
    """Show the status line whatever else is shown."""
    node_count: bool = True
    maxrc: bool = False
    verbosity: int = 1
    """0 is quiet, 1 normal, 2 verbose, 3 for finding faults."""

    # -- how far it goes --
    retries: int = 0
    halt: str | None = None
    """``now,fail=3``, ``soon,fail=10%``, ``soon,timeout=1``."""
    batch: str | None = None
    """``50`` or ``10%``."""
    canary: int = 0
    check: str | None = None
    """A command that is run here between batches; the next one begins if it returns 0."""
    deadline: float | None = None
    quorum: str | None = None
    """``95%`` or ``10``: the run is over when so many nodes have ended well."""
    delay: float = 0.0
    """From one node's start to the next."""
    history: bool = True
    history_limit: int = 1 << 16
    """Bytes that the history keeps of each stream of a node."""
    history_keep: int = 1000
    """How many runs it keeps."""

    @property
    def quiet(self) -> bool:
        return self.verbosity < 1

    @property
    def verbose(self) -> bool:
        return self.verbosity > 1

    @property
    def at_end(self) -> bool:
        """Whether output is kept, and shown at the end."""
        return self.gather or self.gather_both or self.by_node or self.diff or self.similar

    def ordered(self) -> Self:
        """The same with output gathered, if somebody asked for an order of outputs and no display has one."""
        if self.outliers and not (self.at_end or self.json or self.events):
            return replace(self, gather=True)
        return self

    def plain(self) -> dict[str, Any]:
        """What JSON can hold; without what is as it always is."""
        values = asdict(self)
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: "inf" if value == math.inf else value
            for name, value in values.items()
            if value != defaults[name] or name == "targets"
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The request that :meth:`plain` was asked of; names that are not known any more are left out."""
        known = {field.name for field in fields(cls)}
        found: dict[str, Any] = {name: value for name, value in values.items() if name in known}
        for name in _SECONDS & found.keys():
            found[name] = found[name] and float(found[name])
        found["targets"] = tuple(found["targets"])
        if "env" in found:
            found["env"] = tuple((name, value) for name, value in found["env"])
        if found.get("copying") is not None:
            copying = dict(found["copying"])
            found["copying"] = Copying(**{**copying, "sources": tuple(copying["sources"])})
        return cls(**found)
