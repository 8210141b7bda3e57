"""What a node is to execute, as a text for its ``sh``. Pure: nothing is run, or looked up."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from asynctask.errors import LaunchError
from asynctask.manager.arguments import environment_of, shell_text_of
from asynctask.manager.launching import Order
from asynctask.manager.template import ProcessTemplate

__all__ = ("check_script", "run_script")

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PRLIMIT: Final = "prlimit"
#: Letter of ``ulimit``, and the bytes that it counts in.
_ULIMIT: Final = {
    "as": ("v", 1024),
    "core": ("c", 512),
    "cpu": ("t", 1),
    "data": ("d", 1024),
    "fsize": ("f", 512),
    "memlock": ("l", 1024),
    "nofile": ("n", 1),
    "nproc": ("p", 1),
    "rss": ("m", 1024),
    "rtprio": ("r", 1),
    "stack": ("s", 1024),
}

# The whole of it is read before any of it is executed, so a text that was cut off does nothing. $1 is the
# umask of the login, $2 its directory; a variable of ours has a name that is nobody's.
_BEGIN: Final = """{
rm -f run
asynctask_life=$PWD
asynctask_no() {
    printf '%s\\n' "$1" > "$asynctask_life/failed"
    exit 127
}
"""

# What the link will hold. The name of a process may hold anything: its start time is looked for from behind.
_CLAIM: Final = """
asynctask_text=
while IFS= read -r asynctask_line || [ "$asynctask_line" ]; do
    asynctask_text="$asynctask_text $asynctask_line"
done < /proc/$$/stat
read -r asynctask_boot < /proc/sys/kernel/random/boot_id
asynctask_tell() { asynctask_me="$$ ${20} $asynctask_boot"; }
unset IFS
asynctask_tell ${asynctask_text##*) }
asynctask_path=$PATH
"""
# From here on it counts: who finds the link there was forestalled, and must not run.
_EXECUTE: Final = """
PATH=$asynctask_path ln -s "$asynctask_me" "$asynctask_life/proc" 2> /dev/null || exit 127
echo up >&5
exec 5>&-
exec "$@"
}
"""

_CLEAN: Final = """
for asynctask_name in $(export -p | sed -n 's/^[a-z -]*[ ]\\([A-Za-z_][A-Za-z0-9_]*\\).*/\\1/p'); do
    case $asynctask_name in asynctask_* | export) ;; *) unset "$asynctask_name" 2> /dev/null ;; esac
done
"""

# As execvp would: what is not there, or not to be executed, is said here, for nobody hears of it later.
_FIND: Final = """
case $1 in
*/*)
    [ -d "$1" ] && asynctask_no "$1: it is a directory"
    [ -e "$1" ] || asynctask_no "$1: no such file"
    [ -x "$1" ] || asynctask_no "$1: not executable"
    ;;
*)
    asynctask_find() (
        IFS=:
        set -f
        for asynctask_dir in ${PATH-/usr/local/bin:/usr/bin:/bin}; do
            asynctask_file=${asynctask_dir:-.}/$1
            [ -f "$asynctask_file" ] && [ -x "$asynctask_file" ] && echo "$asynctask_file" && exit
        done
    )
    asynctask_file=$(asynctask_find "$1")
    [ "$asynctask_file" ] || asynctask_no "$1: not found in PATH"
    if [ -z "${PATH+x}" ]; then
        shift
        set -- "$asynctask_file" "$@"
    fi
    ;;
esac
"""


def run_script(order: Order) -> bytes:
    """What a keeper has executed for an order.

    Raises:
        LaunchError: what it asks for cannot be had on a node.
    """
    template = order.template
    if template.custom_streams:
        raise LaunchError(template.name, "a process on a node has no custom streams: SSH carries none")
    parts = [_BEGIN, *_before(template), *_limits(template), _CLAIM]
    parts += [*_environment(order), _words(shell_text_of(template)), _FIND, *_as_user(template), _EXECUTE]
    return "\n".join(parts).encode(errors="surrogateescape")


def check_script(order: Order, command: Sequence[str]) -> bytes:
    """A command that is run beside the process, as it is itself; it exits with the command's code."""
    template = order.template
    words = "set -- " + " ".join(map(shlex.quote, command))
    parts = ["{\nasynctask_no() { exit 127; }", *_before(template), *_environment(order), words]
    parts += [*_as_user(template), 'exec "$@"\n}\n']
    return "\n".join(parts).encode(errors="surrogateescape")


def _before(template: ProcessTemplate) -> list[str]:
    """What is done while the environment is the login's."""
    umask = 'umask "$1"' if template.umask is None else f"umask {template.umask:04o}"
    return [umask, *_user(template), *_place(template)]


def _limits(template: ProcessTemplate) -> list[str]:
    """By ``prlimit`` where there is one: ``ulimit`` counts in blocks, and differs from shell to shell."""
    lines = []
    for key, value in template.rlimits.items():
        name = key.lower().removeprefix("rlimit_")
        soft, hard = (value, value) if isinstance(value, int) else value
        wrong = f"limit {name}={soft}" + (f":{hard}" if hard != soft else "")
        by_name = f"{_PRLIMIT} --pid=$$ --{name}={_limit(soft)}:{_limit(hard)}"
        failed = shlex.quote(f"{wrong}: not permitted: only root may raise a hard limit")
        if name in _ULIMIT:
            letter, unit = _ULIMIT[name]
            soft_too, hard_too = (_limit(each if each == -1 else each // unit) for each in (soft, hard))
            by_letter = f"ulimit -S -{letter} {soft_too} && ulimit -H -{letter} {hard_too}"
        else:
            by_letter = "false"
        lines += [
            f"if command -v {_PRLIMIT} > /dev/null; then",
            f"    {by_name} 2> /dev/null || asynctask_no {failed}",
            "else",
            f"    {{ {by_letter}; }} 2> /dev/null || asynctask_no {failed}",
            "fi",
        ]
    return lines


def _limit(value: int) -> str:
    return "unlimited" if value == -1 else str(value)


def _place(template: ProcessTemplate) -> list[str]:
    lines = ['cd "$2" 2> /dev/null']
    if template.cwd is not None:
        path, said = shlex.quote(template.cwd), f"cwd {template.cwd!r}"
        lines += [
            f"cd -- {path} 2> /dev/null || {{",
            f"    [ -e {path} ] || asynctask_no {shlex.quote(f'{said}: no such directory')}",
            f"    [ -d {path} ] || asynctask_no {shlex.quote(f'{said}: not a directory')}",
            f"    asynctask_no {shlex.quote(f'{said}: permission denied')}",
            "}",
        ]
    return lines


def _environment(order: Order) -> list[str]:
    """That of the login is what is inherited on a node."""
    env: Mapping[str, str] = environment_of(order.template, {}, order.env, index=order.index)
    for name in env:
        if not _NAME.fullmatch(name):
            reason = f"env {name!r}: the shell of a node knows letters, digits and _ in names alone"
            raise LaunchError(order.template.name, reason)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    return lines if order.template.inherit_env else [_CLEAN, *lines]


def _words(text: str) -> str:
    """Sets ``$@``. A variable that is not set ends the shell, so that is tried in another one before."""
    if '"${' not in text:
        return f"set -- {text}"
    return f"""if ! asynctask_said=$({{ set -- {text}; }} 2>&1); then
    asynctask_said=${{asynctask_said#*[0-9]: }}
    asynctask_no "\\$${{asynctask_said%%:*}} is in its command, and is not set: set it in env"
fi
set -- {text}"""


def _user(template: ProcessTemplate) -> list[str]:
    """Root's login may become anybody; others may only be who they are."""
    user, group = template.user, template.group
    if user is None and group is None:
        return []
    lines = ["asynctask_user=$(id -u) asynctask_group=$(id -g) asynctask_as="]
    who = []
    if user is not None:
        who.append(f"user {user!r}")
        name, unknown = shlex.quote(str(user)), shlex.quote(f"user {user!r}: there is none on this node")
        otherwise = f"asynctask_no {unknown}" if isinstance(user, str) else f"asynctask_user={user}"
        lines += [
            f"asynctask_user=$(id -u {name} 2> /dev/null) || {otherwise}",
            f"asynctask_group=$(id -g {name} 2> /dev/null) || asynctask_group=$(id -g)",
        ]
    if isinstance(group, int):
        who.append(f"group {group!r}")
        lines.append(f"asynctask_group={group}")
    elif group is not None:
        who.append(f"group {group!r}")
        unknown = shlex.quote(f"group {group!r}: there is none on this node")
        entry = f"getent group {shlex.quote(group)} || grep {shlex.quote(f'^{re.escape(group)}:')} /etc/group"
        lines += [
            f"asynctask_group=$({{ {entry}; }} 2> /dev/null | head -n 1 | cut -d: -f3)",
            f'[ "$asynctask_group" ] || asynctask_no {unknown}',
        ]
    refused = shlex.quote(f"{', '.join(who)}: not permitted: the login is not root's")
    missing = shlex.quote(f"{', '.join(who)}: this node has no setpriv (of util-linux)")
    return [
        *lines,
        'if [ "$asynctask_user:$asynctask_group" != "$(id -u):$(id -g)" ]; then',
        f'    [ "$(id -u)" = 0 ] || asynctask_no {refused}',
        f"    setpriv --reuid=0 --regid=0 --keep-groups true 2> /dev/null || asynctask_no {missing}",
        '    asynctask_as="$(command -v setpriv) --reuid=$asynctask_user --regid=$asynctask_group"',
        '    if id -un "$asynctask_user" > /dev/null 2>&1; then',
        '        asynctask_as="$asynctask_as --init-groups"',
        "    else",
        '        asynctask_as="$asynctask_as --clear-groups"',
        "    fi",
        "fi",
    ]


def _as_user(template: ProcessTemplate) -> list[str]:
    if template.user is None and template.group is None:
        return []
    return ["unset IFS", '[ -z "$asynctask_as" ] || set -- $asynctask_as -- "$@"']
