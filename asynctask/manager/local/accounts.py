"""Users and groups: as whom a process is to run."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from asynctask.errors import LaunchError
from asynctask.pollers.aside import Aside

__all__ = ("Accounts", "Identity")

#: Seconds that the databases of users and groups may take: they may be across a network.
_LOOKUP = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a process runs; ``None``: as whom we run."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    """All of its supplementary groups."""
    name: str | None = None
    home: str | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that a login of another user would have: who runs as one must not use our home."""
        if self.name is None or self.home is None:
            return {}
        return {"HOME": self.home, "LOGNAME": self.name, "USER": self.name}

    def __str__(self) -> str:
        parts = [] if self.uid is None else [f"user {self.name or self.uid}"]
        return " and ".join(parts + ([] if self.gid is None else [f"group {self.gid}"]))


class Accounts:
    """Looks up users and groups, in a thread that nobody has to wait for."""

    def __init__(self) -> None:
        self._aside = Aside("users and groups")

    async def identity(self, user: str | int | None, group: str | int | None) -> Identity:
        """As whom a process of this user and group runs.

        A user brings its own groups; ``group`` takes the place of its first one. A group alone leaves all
        else as we have it. Who we are already is nobody to become, for which no rights are needed.

        Raises:
            LaunchError: there is no such user or group, or no answer.
        """
        if user is None and group is None:
            return Identity()
        what = f"user {user!r}" if user is not None else f"group {group!r}"
        try:
            async with asyncio.timeout(_LOOKUP):
                return await self._aside.do(partial(_look_up, user, group))
        except TimeoutError:
            reason = f"no answer from the user database in {_LOOKUP:g} s"
            raise LaunchError(what, reason, temporary=True) from None
        except OSError as exc:
            raise LaunchError(what, str(exc), temporary=True) from exc


def _look_up(user: str | int | None, group: str | int | None) -> Identity:
    gid = None if group is None else _gid(group)
    if user is None:
        return Identity(gid=None if gid == os.getegid() else gid)
    uid, entry = _user(user)
    if gid is None:
        if entry is None:
            raise LaunchError(f"user {user!r}", "not in the user database, so a group must be named, too")
        gid = entry.pw_gid
    if uid == os.getuid() == os.geteuid():
        return Identity(gid=None if group is None or gid == os.getegid() else gid)
    if entry is None:
        return Identity(uid, gid, (gid,))
    groups = tuple(os.getgrouplist(entry.pw_name, gid))
    return Identity(uid, gid, groups, entry.pw_name, entry.pw_dir)


def _user(user: str | int) -> tuple[int, pwd.struct_passwd | None]:
    """The number of a user, and the entry if there is one. Text may be a number if it is no name."""
    if isinstance(user, str):
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            if not user.isdecimal():
                raise LaunchError(f"user {user!r}", "there is no such user") from None
            user = int(user)
        else:
            return entry.pw_uid, entry
    try:
        return user, pwd.getpwuid(user)
    except KeyError:
        return user, None


def _gid(group: str | int) -> int:
    if isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if group.isdecimal():
            return int(group)
        raise LaunchError(f"group {group!r}", "there is no such group") from None
