"""What ``asynctask up`` does when nothing else is said."""

from __future__ import annotations

import pytest

from asynctask.cli.supervising.request import Request

pytestmark = pytest.mark.one_loop("plain data")


def test_defaults() -> None:
    """All of a file that is found, with its variables, for somebody who looks on."""
    request = Request()
    assert (request.file, request.env_files, request.names, request.daemon) == (None, None, (), False)
    assert request.scale == {}
