"""The reference has all that is public."""

from __future__ import annotations

import pytest

import asynctask
import asynctask.dispatch
import asynctask.manager
import asynctask.pollers
import asynctask.rules
import asynctask.testing
from tests.docs.site import ROOT

PAGES = ("reference.md", "reference-events.md", "reference-manager.md")
REFERENCE = "".join((ROOT / "docs" / page).read_text() for page in PAGES)
NAMES = [f"asynctask.{name}" for name in asynctask.__all__ if name != "__version__"]
NAMES += [f"asynctask.testing.{name}" for name in asynctask.testing.__all__]
NAMES += [
    f"{package.__name__}.{name}"
    for package in (asynctask.dispatch, asynctask.manager, asynctask.pollers, asynctask.rules)
    for name in package.__all__
]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """A directive of Sphinx takes its docstring in."""
    lines = {line.removesuffix("()") for line in REFERENCE.splitlines()}

    assert any(line.startswith(".. ") and line.endswith(f":: {name}") for line in lines)
