"""What exactly is to be executed, and how: what the launcher makes of a template."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from asynctask.manager.arguments import argv_of, environment_of
from asynctask.manager.launching import Order
from asynctask.manager.local.accounts import Accounts, Identity
from asynctask.manager.local.limits import Limit, limits_of
from asynctask.manager.template import LogFile, Redirect

__all__ = ("Program", "Target", "check_of", "program_of")

#: Where a stream goes: to us, nowhere, where ours goes, into standard output, or into this descriptor.
Target: TypeAlias = Literal["pipe", "null", "inherit", "stdout"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program with all that the system needs to know to execute it."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    """Its whole environment."""
    cwd: str | None = None
    umask: int | None = None
    identity: Identity = field(default_factory=Identity)
    limits: tuple[Limit, ...] = ()
    stdin: bool = False
    stdout: Target = "pipe"
    stderr: Target = "pipe"
    custom_streams: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is executed."""
        return self.argv[0]

    def files(self) -> list[str]:
        """Where it may be, as seen from its directory."""
        if "/" in self.name:
            return [self.name]
        return [os.path.join(each, self.name) for each in os.get_exec_path(dict(self.env))]  # noqa: PTH118


async def program_of(order: Order, accounts: Accounts) -> Program:
    """What a template's process executes.

    Raises:
        LaunchError: there is no such user, group or limit, or a variable of the command is not set.
    """
    template = order.template
    identity = await accounts.identity(template.user, template.group)
    env = environment_of(template, os.environ, order.env, index=order.index)
    given = {**template.env, **(order.env or {})}
    env |= {name: value for name, value in identity.env.items() if name not in given}
    return Program(
        argv=argv_of(template, env),
        env=env,
        cwd=template.cwd,
        umask=template.umask,
        identity=identity,
        limits=limits_of(template.rlimits),
        stdin=template.stdin,
        stdout=_target(template.stdout),
        stderr=_target(template.stderr),
        custom_streams=tuple(template.custom_streams),
    )


def check_of(program: Program, command: Sequence[str]) -> Program:
    """A command that is run beside a program: as its user, where it runs, and heard by nobody."""
    return replace(
        program, argv=tuple(command), limits=(), stdin=False, stdout="null", stderr="null", custom_streams=()
    )


def _target(redirect: Redirect) -> Target:
    return "pipe" if isinstance(redirect, LogFile) else redirect
