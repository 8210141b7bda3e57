"""ClusterShell's group sources behind checks and explanations; used by :mod:`asynctask.nodes`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from asynctask.errors import GroupError, NodeSetError

__all__ = ("Resolver", "cannot_list", "explained", "prefer_the_site", "use_groups_file")

# ClusterShell puts names of groups and nodes into a shell command as they are.
_SHELL_SAFE = re.compile(r"(?!-)[\w.:@+-]+")
_MOST_NAMES_SHOWN = 10


def prefer_the_site() -> None:
    """Leave out the ``groups.conf`` that comes with ClusterShell's wheel.

    It holds examples. In a virtual environment it would else win over the site's own file in
    ``/etc/clustershell``, and ``@compute`` would be nodes that nobody has; a site without groups would
    have invented ones. No effect once groups have been looked up.
    """
    from ClusterShell.NodeSet import DEF_GROUPS_CONFIGS

    examples = f"{sys.prefix}/etc/clustershell/groups.conf"
    DEF_GROUPS_CONFIGS[:] = [path for path in DEF_GROUPS_CONFIGS if path != examples]


def use_groups_file(path: str) -> None:
    """Look groups up as this file says, instead of ``groups.conf``; for the whole process, from now on.

    Raises:
        GroupError: it cannot be read, or is no such file.
    """
    from configparser import ConfigParser, Error
    from pathlib import Path

    from ClusterShell.NodeSet import set_std_group_resolver_config

    try:
        # ClusterShell passes over what it cannot read.
        ConfigParser().read_string(Path(path).read_text(encoding="utf-8"), path)
    except OSError as exc:
        raise GroupError(f"group configuration {path}: {exc.strerror or exc}") from exc
    except (Error, UnicodeError) as exc:
        raise GroupError(f"group configuration {path}: {str(exc).splitlines()[0]}") from exc
    set_std_group_resolver_config(path)


def cannot_list(error: GroupError) -> bool:
    """Whether it was raised because a group source has no way to list its groups."""
    from ClusterShell.NodeUtils import GroupSourceNoUpcall

    return isinstance(error.__cause__, GroupSourceNoUpcall)


class Resolver:
    """ClusterShell's group resolver with a check on both sides: safe names go in, known groups come out.

    It has the methods that a ``NodeSet`` asks its resolver for, and so sees every look-up, also
    of a group that stands in the definition of another.

    Args:
        source: the group source for names that state none; by default that of ``groups.conf``.
    """

    def __init__(self, source: str | None = None) -> None:
        from ClusterShell.NodeSet import std_group_resolver

        prefer_the_site()
        self._resolver = std_group_resolver()
        self._source = source

    def group_nodes(self, group: str, namespace: str | None = None) -> list[str]:
        _refuse_shell("group", group)
        source = namespace or self._source
        with explained(f"group {_shown(group, source)!r}", self):
            found: list[str] = self._resolver.group_nodes(group, source)
        if not found:
            self._require_known(group, source)
        return found

    def node_groups(self, node: object, namespace: str | None = None) -> list[str]:
        _refuse_shell("node", str(node))
        found: list[str] = self._resolver.node_groups(node, namespace or self._source)
        return found

    def all_nodes(self, namespace: str | None = None) -> list[str]:
        found: list[str] = self._resolver.all_nodes(namespace or self._source)
        return found

    def grouplist(self, namespace: str | None = None) -> list[str]:
        found: list[str] = self._resolver.grouplist(namespace or self._source)
        return found

    def sources(self) -> list[str]:
        """The names of all sources; the one for names that state none comes first."""
        found: list[str] = self._resolver.sources()
        if self._source is None:
            return found
        if self._source not in found:
            raise GroupError(f"unknown group source {self._source!r}; {self.consulted()}")
        found.remove(self._source)
        return [self._source, *found]

    def has_node_groups(self, namespace: str | None = None) -> bool:
        return bool(self._resolver.has_node_groups(namespace or self._source))

    def _require_known(self, group: str, source: str | None) -> None:
        """A source that is a file answers nothing, and no error, for a group that it does not have."""
        from ClusterShell.NodeSet import grouplist
        from ClusterShell.NodeUtils import GroupSourceError

        try:
            known = grouplist(source, resolver=self)
        except GroupSourceError:
            return
        if group not in known:
            shown = ", ".join(known[:_MOST_NAMES_SHOWN]) + (", …" if len(known) > _MOST_NAMES_SHOWN else "")
            raise GroupError(
                f"unknown group {_shown(group, source)!r}, known are {shown}; {self.consulted()}"
            )

    def consulted(self) -> str:
        """Say which configuration was looked at, and what to do next."""
        from pathlib import Path

        files = getattr(self._resolver, "filenames", None)
        if files is None:
            return "groups come from a resolver that the program has set"
        candidates = [files] if isinstance(files, str) else list(files)
        read = [name for name in candidates if Path(name).is_file()]
        if read:
            return f"read {', '.join(read)}; list the groups with: asynctask nodes -l"
        return f"no groups.conf found, looked for {', '.join(candidates)}; write one or name the nodes"


@contextmanager
def explained(subject: str, resolver: Resolver) -> Iterator[None]:
    """Raise what ClusterShell raises as an error of ours that says what to do."""
    from configparser import Error as ConfigurationError

    from ClusterShell.NodeSet import NodeSetExternalError, NodeSetParseError
    from ClusterShell.NodeUtils import (
        GroupResolverError,
        GroupResolverSourceError,
        GroupSourceNoUpcall,
        GroupSourceQueryFailed,
    )

    try:
        yield
    except (NodeSetParseError, AssertionError) as exc:  # it asserts that a range is not too large
        raise NodeSetError(f"{subject}: {exc}") from exc
    except GroupResolverSourceError as exc:
        reason = "no group source is defined" if str(exc) == "<default>" else f"unknown group source '{exc}'"
        raise GroupError(f"{subject}: {reason}; {resolver.consulted()}") from exc
    except GroupSourceNoUpcall as exc:
        reason = f"group source {exc.group_source.name!r} has no {exc.args[0]!r} command"
        raise GroupError(f"{subject}: {reason}; {resolver.consulted()}") from exc
    except GroupSourceQueryFailed as exc:
        reason = f"unknown, or its group source {exc.group_source.name!r} failed: {exc}"
        raise GroupError(f"{subject}: {reason}; {resolver.consulted()}") from exc
    except (NodeSetExternalError, GroupResolverError, ConfigurationError, OSError, UnicodeError) as exc:
        raise GroupError(f"{subject}: {exc}; {resolver.consulted()}") from exc


def _shown(group: str, source: str | None) -> str:
    return f"@{source}:{group}" if source else f"@{group}"


def _refuse_shell(kind: str, name: str) -> None:
    if not _SHELL_SAFE.fullmatch(name):
        raise GroupError(
            f"{kind} name {name!r} is refused, as it would become a part of a shell command: "
            "use letters, digits and _ . : @ + - only, and no - in front"
        )
