"""The fixtures of separate hosts; ``tests/test_netns.py`` imports them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import Network, why_not
from tests.support import unable

__all__ = ("hosts", "network")

#: Two that are reached directly, three behind a bastion, two behind a second one.
HOSTS = {
    "web1": None,
    "web2": None,
    "bastion": None,
    "db1": "bastion",
    "db2": "bastion",
    "db3": "bastion",
    "inner": "bastion",
    "deep1": "inner",
    "deep2": "inner",
}


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Hosts in network namespaces; where these cannot be, the tests are skipped, in CI they fail."""
    reason = why_not()
    if reason:
        unable(reason)
    with Network(HOSTS) as network:
        yield network


@pytest.fixture
def hosts(network: Network) -> Iterator[Network]:
    """The same, with the test among them; afterwards all links are whole and no connection is left."""
    with network.inside():
        try:
            yield network
        finally:
            network.restore()
