"""The page about connecting has the keywords and the figures that the code has."""

from __future__ import annotations

import re

import pytest

from asynctask import SSHOptions
from asynctask.ssh import config_keywords, pool, throttle
from asynctask.testing import Cluster
from tests.docs.site import ROOT

PAGE = (ROOT / "docs" / "connecting.md").read_text()
REPORTED = re.search(r"^So are (.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
SILENT = re.search(r"^\*\*Silent\*\*(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
HONOURED = [line for line in PAGE.splitlines() if re.match(r"\| (which|where|how|host|the) ", line)]


def _named(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"`([A-Za-z0-9]+)`", text)}


def test_what_is_reported() -> None:
    """Each keyword that is, beside the one in the example, and no other."""
    assert REPORTED is not None
    assert _named(REPORTED[1]) == set(config_keywords.REPORTED) - {"localforward"}


def test_what_counts() -> None:
    """What is in the table is honoured; what is honoured is in the table, or is said to be silent."""
    assert SILENT is not None
    tests = {
        "host",
        "match",
        "include",
        "all",
        "originalhost",
        "user",
        "localuser",
        "tagged",
        "final",
        "canonical",
    }
    named = _named("".join(HONOURED))
    honoured = config_keywords.SILENT - config_keywords._WITHOUT_MEANING

    assert named - tests <= honoured
    assert honoured <= named | _named(SILENT[1])


@pytest.mark.parametrize(
    "text",
    [
        f"| in all | {throttle.AT_ONCE}; ",
        f"| to one address and port | {throttle.AT_ONE_ADDRESS} |",
        f"| through one bastion | {throttle.BEHIND_ONE_BASTION} |",
        f"down to {throttle._LEAST};",
        f"`retries` ({SSHOptions().retries})",
        f"tried\nagain {throttle.FEW} times",
        f"| `idle_timeout` | {pool.IDLE_TIMEOUT:g} |",
        f"| `max_idle` | {pool.MAX_IDLE} |",
        f"| `max_sessions` | {pool.MAX_SESSIONS} |",
        f"| `handshakes` | {throttle.AT_ONCE} |",
        f"tried once in {pool._BELIEVED:g}\nseconds",
    ],
)
def test_a_figure(text: str) -> None:
    """It is the one in the code."""
    assert text in PAGE


def test_the_clusters_options_are_listed() -> None:
    """Each keyword of the constructor has a line in the testing guide."""
    guide = (ROOT / "docs" / "testing.md").read_text()
    names = [name for name in Cluster.__init__.__annotations__ if name not in ("nodes", "return")]

    assert [name for name in names if f"| `{name}` |" not in guide] == []
