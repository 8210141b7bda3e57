"""Which displays a command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynctask.cli.output.style import Style

if TYPE_CHECKING:
    from asynctask.cli.request import Request
    from asynctask.cli.screen import Screen
    from asynctask.cli.view import View

__all__ = ("displays",)


def displays(
    request: Request, screen: Screen, nodes: Sequence[str], style: Style | None = None
) -> list[View]:
    """The displays of what nodes print. Records and files are no displays.

    Args:
        request: what the user wants.
        screen: where it is shown.
        nodes: all targets.
        style: how; by default as the request says.
    """
    style = style or Style.of(request, screen)
    if request.by_node and (request.gather or request.gather_both):
        from asynctask.cli.output.live_gather import LiveGatherView

        return [LiveGatherView(screen, style, nodes)]
    at_end = _at_end(request, screen, style)
    if at_end is not None and not request.verbose:
        return [at_end]
    from asynctask.cli.output.live import LiveView

    live = LiveView(screen, style)
    return [live] if at_end is None else [live, at_end]


def _at_end(request: Request, screen: Screen, style: Style) -> View | None:
    """What is shown at the end. Standard error is not shown again if it was shown as it came."""
    errors = not request.verbose
    if request.diff:
        from asynctask.cli.output.diff import DiffView

        return DiffView(screen, style, errors=errors)
    if request.similar:
        from asynctask.cli.output.similar import SimilarView

        return SimilarView(screen, style, outliers=request.outliers, errors=errors)
    if request.by_node:
        from asynctask.cli.output.by_node import ByNodeView

        return ByNodeView(screen, style, errors=errors)
    if request.gather or request.gather_both:
        from asynctask.cli.output.gathered import GatheredView

        return GatheredView(screen, style, outliers=request.outliers, errors=errors)
    return None
