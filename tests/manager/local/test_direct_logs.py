"""Tests of asynctask.manager.local.direct_logs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.launching import Order
from asynctask.manager.local.direct_logs import DirectLog, OpenLogs, logs_of
from asynctask.manager.template import LogFile, ProcessTemplate

pytestmark = pytest.mark.one_loop("it has none")


def test_only_files_are_log_files() -> None:
    """Placeholders are filled, for each stream."""
    log = LogFile(path="%(name)s-%(index)s.%(stream)s")
    template = ProcessTemplate("web", "true", stdout=log, stderr="stdout", cwd="/srv")
    assert logs_of(Order(template, 1, 2)) == {"stdout": DirectLog(Path("/srv/web-2.stdout"), log)}
    assert logs_of(Order(ProcessTemplate("web", "true"), 1, 2)) == {}


def test_they_are_appended_to(tmp_path: Path) -> None:
    """Directories are made; what is written waits for the disk."""
    path = tmp_path / "a" / "b"
    for _ in range(2):
        opened = OpenLogs({"stdout": DirectLog(path, LogFile(path="x"))})
        opened.open()
        os.write(opened.fds["stdout"], b"text\n")
        assert os.get_blocking(opened.fds["stdout"])
        assert not os.get_inheritable(opened.fds["stdout"])
        opened.close()
        opened.close()
    assert path.read_text() == "text\ntext\n"


def test_who_was_given_up_opens_nothing(tmp_path: Path) -> None:
    """The one who waited was cancelled meanwhile."""
    opened = OpenLogs({"stdout": DirectLog(tmp_path / "log", LogFile(path="x"))})
    opened.close()
    opened.open()
    assert opened.fds == {}


def test_a_pipe_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    """Opening it does not hang; what was open is closed."""
    os.mkfifo(tmp_path / "pipe")
    logs = {
        "stdout": DirectLog(tmp_path / "log", LogFile(path="x")),
        "stderr": DirectLog(tmp_path / "pipe", LogFile(path="x")),
    }
    opened = OpenLogs(logs)
    with pytest.raises(LaunchError, match="pipe': no such device or address"):
        opened.open()
    assert opened.fds == {}
