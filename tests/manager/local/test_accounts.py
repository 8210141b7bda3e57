"""Tests of asynctask.manager.local.accounts."""

from __future__ import annotations

import grp
import os
import pwd
import threading

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.local import accounts
from asynctask.manager.local.accounts import Accounts, Identity

pytestmark = pytest.mark.one_loop("users are looked up in a thread")

NOBODY = pwd.getpwnam("nobody")
#: A number that nobody has.
FREE = next(number for number in range(60_000, 2, -1) if number not in {e.pw_uid for e in pwd.getpwall()})


async def test_nobody_else() -> None:
    """Without user and group it is who we are."""
    assert await Accounts().identity(None, None) == Identity(None, None, None, None, None)


@pytest.mark.parametrize("user", ["nobody", NOBODY.pw_uid, str(NOBODY.pw_uid)])
async def test_a_user_brings_its_groups(user: str | int) -> None:
    """By name, by number, and by a number that is text."""
    groups = tuple(os.getgrouplist("nobody", NOBODY.pw_gid))
    expected = Identity(NOBODY.pw_uid, NOBODY.pw_gid, groups, "nobody", NOBODY.pw_dir)
    assert await Accounts().identity(user, None) == expected


@pytest.mark.parametrize(
    "group", ["daemon", grp.getgrnam("daemon").gr_gid, str(grp.getgrnam("daemon").gr_gid)]
)
async def test_a_group_takes_the_place_of_the_users(group: str | int) -> None:
    """It is among the others, too."""
    found = await Accounts().identity("nobody", group)
    assert found.gid == grp.getgrnam("daemon").gr_gid
    assert found.groups is not None
    assert found.gid in found.groups


async def test_a_group_alone() -> None:
    """The user stays, and so do the other groups."""
    assert await Accounts().identity(None, FREE) == Identity(gid=FREE)


async def test_who_we_are_is_nobody_to_become() -> None:
    """No rights are needed for that."""
    assert await Accounts().identity(os.getuid(), os.getegid()) == Identity()
    assert await Accounts().identity(os.getuid(), None) == Identity()


async def test_a_number_without_a_name() -> None:
    """It needs a group, and has no others."""
    assert await Accounts().identity(FREE, 7) == Identity(FREE, 7, (7,))
    with pytest.raises(
        LaunchError, match=f"^user {FREE}: not in the user database, so a group must be named"
    ):
        await Accounts().identity(FREE, None)


@pytest.mark.parametrize(
    ("user", "group", "message"),
    [
        ("no-such-user", None, "user 'no-such-user': there is no such user"),
        ("nobody", "no-such-group", "group 'no-such-group': there is no such group"),
        (None, "no-such-group", "group 'no-such-group': there is no such group"),
    ],
)
async def test_who_is_not_known(user: str | None, group: str | None, message: str) -> None:
    """The message says which of them."""
    with pytest.raises(LaunchError) as caught:
        await Accounts().identity(user, group)
    assert (str(caught.value), caught.value.temporary) == (message, False)


async def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again later: that is nobody's fault here."""
    answer = threading.Event()
    monkeypatch.setattr(accounts, "_LOOKUP", 0.02)
    monkeypatch.setattr(accounts, "_look_up", lambda user, group: answer.wait(20))
    with pytest.raises(LaunchError) as caught:
        await Accounts().identity("nobody", None)
    answer.set()
    assert str(caught.value) == "user 'nobody': no answer from the user database in 0.02 s"
    assert caught.value.temporary


def test_the_environment_of_a_user() -> None:
    """Who runs as another must not use our home."""
    assert Identity(1, 1, (1,), "joe", "/home/joe").env == {
        "HOME": "/home/joe",
        "LOGNAME": "joe",
        "USER": "joe",
    }
    assert Identity(1, 1, (1,)).env == {}


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (Identity(1, 2, (), "joe", "/"), "user joe and group 2"),
        (Identity(1), "user 1"),
        (Identity(gid=2), "group 2"),
    ],
)
def test_as_text(identity: Identity, text: str) -> None:
    """As it stands in messages."""
    assert str(identity) == text
