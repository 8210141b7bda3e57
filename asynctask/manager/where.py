"""On which nodes a template runs."""

from __future__ import annotations

from collections.abc import Sequence

from asynctask import nodes
from asynctask.errors import EmptyTargetsError, NodeSetError
from asynctask.manager.template import ProcessTemplate
from asynctask.pollers.aside import Aside

__all__ = ("nodes_of",)


async def nodes_of(template: ProcessTemplate) -> Sequence[str | None]:
    """Its nodes; ``None`` alone is this machine. Groups are looked up in a thread: that may take its time.

    Raises:
        NodeSetError: they cannot be parsed.
        EmptyTargetsError: they are none.
    """
    text = template.nodes
    if text is None:
        return (None,)
    try:
        return await Aside("node groups").do(lambda: nodes.expand(text))
    except (EmptyTargetsError, NodeSetError) as exc:
        raise type(exc)(f"template {template.name!r}: {exc}") from exc
