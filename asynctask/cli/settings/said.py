"""What files and options say, before it is brought together."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from asynctask.cli.settings.keys import Key
from asynctask.cli.settings.kinds import shown
from asynctask.errors import UsageError

__all__ = ("Found", "Layer", "Said", "understood")


class Said(NamedTuple):
    """A value as it was found.

    Args:
        value: of a type of TOML.
        source: where: a file, and the mode in it if it is one's.
        is_text: it is text whatever the key takes.
    """

    value: object
    source: str
    is_text: bool = False


Layer: TypeAlias = "dict[str, Said]"


class Found(NamedTuple):
    """What a file says, or several that belong together."""

    values: Layer
    modes: dict[str, Layer]
    warnings: list[str]


def understood(key: Key, said: Said, place: str | None = None) -> Any:
    """What a value means, as a request has it. Empty text is the default, where that can be.

    Args:
        key: of which.
        said: the value.
        place: what to name in an error rather than the source.

    Raises:
        UsageError: it is not what is expected.
    """
    value: Any = said.value
    if value == "" and (key.default is None or isinstance(key.default, str)):
        return key.default
    try:
        return key.kind.check(key.kind.parse(value) if said.is_text else value)
    except ValueError as exc:
        where = place or said.source
        raise UsageError(f"{where}: {key.name} = {shown(value)}; it takes {key.kind.expected}") from exc
