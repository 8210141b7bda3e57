"""The reference has all that is public."""

from __future__ import annotations

import pytest

import asynctask
import asynctask.testing
from tests.docs.site import ROOT

REFERENCE = (ROOT / "docs" / "reference.md").read_text()
NAMES = [f"asynctask.{name}" for name in asynctask.__all__ if name != "__version__"]
NAMES += [f"asynctask.testing.{name}" for name in asynctask.testing.__all__]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """A directive of Sphinx takes its docstring in."""
    lines = {line.removesuffix("()") for line in REFERENCE.splitlines()}

    assert any(line.startswith(".. ") and line.endswith(f":: {name}") for line in lines)
