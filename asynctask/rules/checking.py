"""What is known before anything has happened: if there can be such pollers, and files be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from asynctask.errors import UsageError
from asynctask.pollers.base import Poller
from asynctask.pollers.changes import file_path, scheme_of
from asynctask.pollers.registry import make_poller
from asynctask.rules.model import Rules, Watched

__all__ = ("check_files", "poller_of")


def poller_of(watched: Watched, maker: Callable[..., Poller] = make_poller, **extra: object) -> Poller:
    """Make the poller; nothing is looked at.

    Args:
        watched: what for.
        maker: makes pollers.
        **extra: for the poller, besides what is said there.

    Raises:
        UsageError: it cannot be.
    """
    extra["existing"] = watched.existing
    if not watched.recurse:
        return maker(watched.url, **extra)
    try:
        return maker(watched.url, recurse=True, **extra)
    except UsageError:
        url = maker(watched.url, **extra).url  # if this is possible, it is for that alone
        raise UsageError(f"recurse (-r) is for directories: leave it out for {url}") from None


def check_files(rules: Rules) -> None:
    """Make sure that states and dead letters can be written. It blocks: call it in a thread.

    Raises:
        UsageError: there is no such directory, or it may not be written, or it is watched itself: each
            writing would then be a change, for ever.
    """
    for watched in rules.pollers:
        if watched.state is not None:
            _check_file("state", watched.state, watched.state.parent, rules)
    path = rules.dead_letters
    if path is not None:
        _check_file("dead letters", path, path if path.exists() else path.parent, rules)


def _check_file(what: str, path: Path, written: Path, rules: Rules) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"{what} {path}: there is no directory {path.parent}")
    if path.is_dir():
        raise UsageError(f"{what} {path}: this is a directory, and a file is needed")
    if not os.access(written, os.W_OK):
        raise UsageError(f"{what} {path}: {written} may not be written")
    place = path.parent.resolve() / path.name
    for watched in rules.pollers:
        if scheme_of(watched.url) == "file" and _sees(watched, place):
            raise UsageError(f"{what} {path}: this is watched itself, and each writing would be a change")


def _sees(watched: Watched, place: Path) -> bool:
    root = Path(file_path(watched.url)).resolve()
    return place == root or root == place.parent or (watched.recurse and root in place.parents)
