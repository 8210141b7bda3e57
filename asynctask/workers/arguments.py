"""What may differ from node to node: ``args=`` and ``env=`` of a command."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from asynctask.errors import NodeError, PlaceholderError, UsageError
from asynctask.nodes import BUILT_IN, Template

__all__ = ("Args", "Arguments", "NodeArgs", "check_env", "fault_of")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_SHOWN = 5  # nodes in a message


def check_env(env: Mapping[str, str] | None) -> dict[str, str] | None:
    """A copy of an environment; ``None`` for an empty one.

    Raises:
        UsageError: it is none; the message has no value of it.
    """
    return _checked("env", env) or None


def _checked(what: str, mapping: Mapping[str, str] | None) -> dict[str, str] | None:
    if mapping is None:
        return None
    if not isinstance(mapping, Mapping):
        raise UsageError(f"{what}: a mapping from name to text, not {type(mapping).__name__}")
    for name, value in mapping.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(
                f"{what}: {name!r} is no name; it has ASCII letters, digits and _, and no digit first"
            )
        _check_text(f"{what}: {name}", value)
    return dict(mapping)


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise UsageError(f"{what}: text is needed, not {type(text).__name__}")
    if (fault := fault_of(text)) is not None:
        raise UsageError(f"{what}: {fault}")


def fault_of(text: str) -> str | None:
    """Why the system takes no such text in a command; ``None``: it does."""
    if "\0" in text:
        return "it cannot hold a NUL character"
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # JSON can have that
        return "it cannot hold half a character, a lone surrogate"
    return None


def _check_stdin(stdin: object) -> None:
    if stdin is not None and not isinstance(stdin, bytes | AsyncIterable):
        raise UsageError(f"args: stdin is bytes or an async iterable of bytes, not {type(stdin).__name__}")


@dataclass(frozen=True, slots=True)
class NodeArgs:
    """What one node gets instead of, or besides, what all nodes get. Its ``repr`` shows none of it.

    Raises:
        UsageError: something in it can never work.
    """

    command: str | None = field(default=None, repr=False)
    """The command for this node; ``None``: that of all."""
    env: Mapping[str, str] | None = field(default=None, repr=False)
    """More environment variables; they go before those of all nodes."""
    stdin: bytes | AsyncIterable[bytes] | None = field(default=None, repr=False)
    """What the command reads on this node; ``None``: as on all."""
    values: Mapping[str, str] | None = field(default=None, repr=False)
    """What ``%{name}`` stands for in the command: one word for the shell, whatever is in it. So a placeholder
    does not stand inside quotes, and ``sh`` runs the command, also where the login shell is another."""

    def __post_init__(self) -> None:
        if self.command is not None:
            _check_text("command", self.command)
            if not self.command.strip():
                raise UsageError("args: an empty command; None is the command of all nodes")
        _check_stdin(self.stdin)
        object.__setattr__(self, "env", check_env(self.env))
        object.__setattr__(self, "values", _checked("values", self.values))
        for name in (self.values or {}).keys() & BUILT_IN:
            raise UsageError(f"values: %{{{name}}} has a meaning of its own; choose another name")


#: What ``args=`` takes: for each node that is not like all others what it gets, or a function that tells it
#: for a node, called when the node's turn comes. A plain mapping is short for ``NodeArgs(values=...)``.
Args: TypeAlias = (
    Mapping[str, NodeArgs | Mapping[str, str]] | Callable[[str], NodeArgs | Mapping[str, str] | None]
)

_NOTHING = NodeArgs()


class Arguments:
    """What each node of a worker gets.

    Args:
        args: as the caller gave it.
        command: that of all nodes.
        nodes: the worker's targets.
        placeholders: whether commands have placeholders in any case. Else they have if ``args`` gives
            values, or is a function.

    Raises:
        UsageError: ``args`` names a node that is no target, or is something else altogether.
        PlaceholderError: a placeholder is unknown or, where that can be told now, has no value for a node.
    """

    def __init__(self, args: Args, command: str, nodes: Sequence[str], *, placeholders: bool) -> None:
        self._command = command
        self._placeholders = placeholders
        self._given: dict[str, NodeArgs] = {}
        self._function: Callable[[str], object] | None = None
        names: set[str] | None = None
        if isinstance(args, Mapping):
            self._given = _given(args, nodes)
            names = {name for each in self._given.values() for name in each.values or ()}
            placeholders = placeholders or any(each.values is not None for each in self._given.values())
        elif callable(args) and not inspect.iscoroutinefunction(args):
            self._function = args
            placeholders = True
        else:
            raise UsageError(
                "args: a mapping from node to NodeArgs, or a plain function of the node,"
                f" not {type(args).__name__}"
            )
        self._template = _template(command, names) if placeholders else None
        if self._function is None:
            for node in nodes:
                _check_filled(self._template_for(self.of(node)), self.of(node), f" for {node}")

    def of(self, node: str) -> NodeArgs:
        """What a node gets; a function is asked once, until the node is forgotten.

        Raises:
            NodeError: the function raised, or returned something else.
        """
        found = self._given.get(node)
        if found is None:
            if self._function is None:
                return _NOTHING
            found = self._given[node] = self._ask(self._function, node)
        return found

    def forget(self, node: str) -> None:
        """The node is over."""
        if self._function is not None:
            self._given.pop(node, None)

    def command_for(self, node: str, rank: int) -> str:
        """The command of a node, with its placeholders filled.

        Raises:
            NodeError: it cannot be made.
        """
        own = self.of(node)
        try:
            template = self._template_for(own)
            _check_filled(template, own)
        except PlaceholderError as exc:
            raise NodeError(node, str(exc), "the command was not run") from exc
        if template is None:
            return self._command if own.command is None else own.command
        return template.render(node, rank, values=own.values)

    def fills(self, node: str) -> bool:
        """Whether values stand in the command of a node, quoted as ``sh`` needs it."""
        own = self.of(node)
        template = self._template_for(own)
        return bool(own.values and template is not None and template.names)

    def _template_for(self, own: NodeArgs) -> Template | None:
        if own.command is None:
            return self._template
        if self._placeholders or own.values is not None:
            return _template(own.command, own.values or ())
        return None

    @staticmethod
    def _ask(function: Callable[[str], object], node: str) -> NodeArgs:
        try:
            return _node_args(function(node))
        except Exception as exc:  # the function is the caller's code
            raise NodeError(node, f"its args raised {exc!r}", "the command was not run") from exc


def _given(args: Mapping[str, NodeArgs | Mapping[str, str]], nodes: Sequence[str]) -> dict[str, NodeArgs]:
    targets = frozenset(nodes)
    strange = [str(node) for node in args if node not in targets]
    if strange:
        more = f" and {len(strange) - _MOST_SHOWN} more" if len(strange) > _MOST_SHOWN else ""
        raise UsageError(f"args: not among the targets: {', '.join(strange[:_MOST_SHOWN])}{more}")
    return {node: _node_args(own) for node, own in args.items()}


def _node_args(own: object) -> NodeArgs:
    if own is None:
        return _NOTHING
    if isinstance(own, NodeArgs):
        return own
    if isinstance(own, Mapping):
        return NodeArgs(values=own)
    if inspect.iscoroutine(own):
        own.close()
    raise UsageError(f"args: what a node gets is NodeArgs or a mapping of values, not {type(own).__name__}")


def _template(command: str, names: set[str] | Mapping[str, str] | tuple[()] | None) -> Template:
    template = Template(command, names)
    if template.needs_all:
        raise UsageError(
            "%hosts makes one command for all nodes, and args= tells them apart: give one of them"
        )
    return template


def _check_filled(template: Template | None, own: NodeArgs, where: str = "") -> None:
    missing = () if template is None else sorted(template.names - (own.values or {}).keys())
    if missing:
        name = f"%{{{missing[0]}}}"
        raise PlaceholderError(
            f"no value for {name}{where}: give it in args=, or write %{name} for a literal {name}"
        )
