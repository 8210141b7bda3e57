"""Tests of asynctask.workers.openssh_copy: the same copies, over the system's ssh."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import Outcome, Result, SSHOptions
from asynctask.errors import UsageError
from asynctask.workers.openssh_copy import OpenSSHCopyWorker
from tests.support import Recorder, refused
from tests.workers.sites import PATIENCE, Site

pytestmark = pytest.mark.one_loop("the system's ssh does the work")

ODD_NAMES = ("-rf", "with space", "$(touch x)", "ümlaut", "'quoted'")


async def copy(source: Path | str, dest: Path | str, nodes: list[str], **settings: Any) -> Result:
    """Run such a worker alone."""
    task = asynctask.Task()
    task.schedule(OpenSSHCopyWorker(source, dest, nodes, **settings))
    async with asyncio.timeout(PATIENCE):
        return await task.run()


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_file(real: Site, tmp_path: Path, name: str) -> None:
    """A file there and back, whatever it is called."""
    source = tmp_path / name
    source.write_bytes(bytes(range(256)) * 1000)
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    result = await copy(source, there / name, ["n1"], ssh=real.options)
    assert result["n1"].ok
    assert (there / name).read_bytes() == source.read_bytes()
    result = await copy(there / name, back, ["n1", "n2"], reverse=True, ssh=real.options)
    assert [each.outcome for each in result.values()] == [Outcome.OK, Outcome.OK]
    assert sorted(path.name for path in back.iterdir()) == sorted([f"{name}.n1", f"{name}.n2"])


async def test_a_tree_preserved(real: Site, tmp_path: Path) -> None:
    """A tree with its modes, times and links."""
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "script").write_text("echo\n")
    (source / "sub" / "script").chmod(0o751)
    (source / "link").symlink_to("sub/script")
    (tmp_path / "there").mkdir()
    result = await copy(source, tmp_path / "there", ["n1"], preserve=True, ssh=real.options)
    copied = tmp_path / "there" / "tree"
    first, second = (source / "sub" / "script").stat(), (copied / "sub" / "script").stat()
    assert result["n1"].ok
    assert (stat.S_IMODE(second.st_mode), int(second.st_mtime)) == (0o751, int(first.st_mtime))
    assert (copied / "link").readlink() == Path("sub/script")


async def test_chosen_by_the_task(real: Site, tmp_path: Path) -> None:
    """``worker="openssh"`` copies by it; its events are those of any worker."""
    source = tmp_path / "file"
    source.write_text("hello\n")
    heard = Recorder()
    async with asynctask.Task(ssh=real.options) as task:
        worker = task.copy(source, tmp_path / "copied", nodes=["n1"], worker="openssh", handler=heard)
        async with asyncio.timeout(PATIENCE):
            await task.run()
    assert isinstance(worker, OpenSSHCopyWorker)
    assert (tmp_path / "copied").read_text() == "hello\n"
    assert heard.events == ["start", "pickup n1", "hup n1 0", "end n1 ok", "close False"]


async def test_a_node_that_is_not_there(real: Site, tmp_path: Path) -> None:
    """As with commands."""
    (tmp_path / "file").touch()
    ssh = SSHOptions(config=real.options.config, port=1)
    result = await copy(tmp_path / "file", "/nowhere", ["n1"], ssh=ssh)
    assert (result["n1"].outcome, str(result["n1"].error)) == (
        Outcome.REFUSED,
        "n1: port 1 of 127.0.0.1 refused the connection; is sshd running there, on this port?",
    )


def test_secrets_are_refused(tmp_path: Path) -> None:
    """As with commands."""
    (tmp_path / "file").touch()
    refused(
        UsageError,
        "password=: the system's ssh takes none from a program; use keys, an agent or SSH_ASKPASS",
        lambda: OpenSSHCopyWorker(tmp_path / "file", "/x", ["a"], ssh=SSHOptions(password="hush")),
    )
