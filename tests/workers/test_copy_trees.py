"""Any tree that is copied to a node and back is the same tree."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asynctask
from asynctask.ssh.pool import ConnectionPool
from asynctask.workers.copy import CopyWorker
from tests.workers.sites import PATIENCE, Site

pytestmark = pytest.mark.one_loop("a tree is a tree")

# A node's listing with control characters in it is refused; anything else a name may have.
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1, max_size=20),
    st.binary(min_size=1, max_size=8)
    .filter(lambda name: min(name) >= 0x80 and b"\xc2" not in name)
    .map(os.fsdecode),
    st.sampled_from([" ", "-rf", "a b", ".hidden", "...", "*", "ü" * 100, "%41", "\\", "'\""]),
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) <= 255)
TARGETS = st.sampled_from(["nowhere", "..", "/etc/passwd", ".", "a b/ü", "../../../.."])
FILES = st.tuples(
    st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o777]), st.binary(max_size=64), st.integers(0, 2**31)
)


def trees(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Directories with some of that in them."""
    modes = st.sampled_from([0o755, 0o700, 0o555, 0o777])
    return st.tuples(modes, st.dictionaries(NAMES, inside, max_size=4), st.integers(0, 2**31))


ENTRIES = st.recursive(st.one_of(FILES, TARGETS), trees, max_leaves=8)


def plant(path: Path, entry: Any) -> None:
    """Make a file, a link or a directory."""
    if isinstance(entry, str):
        path.symlink_to(entry)
        return
    mode, inside, mtime = entry
    if isinstance(inside, bytes):
        path.write_bytes(inside)
    else:
        path.mkdir()
        for name, below in inside.items():
            plant(path / name, below)
    path.chmod(mode)
    os.utime(path, (mtime, mtime))


def picture(path: Path) -> Any:
    """The same again, as it is found."""
    if path.is_symlink():
        return str(path.readlink())
    found = path.stat()
    inside = {below.name: picture(below) for below in path.iterdir()} if path.is_dir() else path.read_bytes()
    return found.st_mode & 0o777, inside, int(found.st_mtime)


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    """One login for all trees."""
    async with ConnectionPool() as opened:
        yield opened


@given(tree=trees(ENTRIES))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_there_and_back(real: Site, pool: ConnectionPool, tree: Any) -> None:
    """Names, contents, links, modes and times, with and without what is identical being skipped."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        plant(root / "tree", tree)
        (root / "back").mkdir()
        async with asyncio.timeout(PATIENCE), asynctask.Task(ssh=real.options, pool=pool) as task:
            for skip in (False, True):
                how: dict[str, Any] = {"preserve": True, "skip_identical": skip, "ssh": real.options}
                copies = [
                    CopyWorker(root / "tree", root / "there", [real.node], **how),
                    CopyWorker(root / "there", root / "back", [real.node], reverse=True, **how),
                ]
                for copy in copies if not skip else copies[1:]:
                    task.schedule(copy)
                    result = (await task.run())[real.node]
                    assert (result.outcome, result.error) == (asynctask.Outcome.OK, None)
        assert picture(root / "there") == tree
        assert picture(root / "back" / f"there.{real.node}") == tree
