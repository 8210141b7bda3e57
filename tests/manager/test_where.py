"""On which nodes a template runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import EmptyTargetsError, GroupError
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.where import nodes_of

pytestmark = pytest.mark.one_loop("node sets")


async def test_without_nodes_it_is_here() -> None:
    """And nowhere else."""
    assert await nodes_of(ProcessTemplate("web", "serve")) == (None,)


async def test_groups_are_looked_up(site_groups: Path) -> None:
    """In the site's sources."""
    assert await nodes_of(ProcessTemplate("web", "serve", nodes="@web,lb")) == ("web1", "web2", "web3", "lb")


async def test_a_group_that_is_empty_or_unknown_is_an_error(site_groups: Path) -> None:
    """It never means this machine."""
    with pytest.raises(EmptyTargetsError) as caught:
        await nodes_of(ProcessTemplate("web", "serve", nodes="@empty"))
    assert str(caught.value) == (
        "template 'web': the set of targets is empty ('@empty'): name a node, nothing runs without one"
    )
    with pytest.raises(GroupError):
        await nodes_of(ProcessTemplate("web", "serve", nodes="@nowhere"))
