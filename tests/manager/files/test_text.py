"""Tests of asynctask.manager.files.text."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import TemplateError
from asynctask.manager.files.text import at, text_of
from tests.support import refused

pytestmark = pytest.mark.one_loop("files alone")


def test_a_text(tmp_path: Path) -> None:
    """Without the mark that some editors put at its beginning."""
    (tmp_path / "a").write_bytes("\ufeffé\r\n".encode())

    assert text_of(tmp_path / "a") == "é\r\n"


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """The path and the reason of the system."""
    refused(TemplateError, f"{tmp_path}/no: No such file or directory", lambda: text_of(tmp_path / "no"))
    refused(TemplateError, f"{tmp_path}: Is a directory", lambda: text_of(tmp_path))


def test_another_encoding(tmp_path: Path) -> None:
    """With the line."""
    (tmp_path / "a").write_bytes(b"one\ntw\xf6\n")

    refused(
        TemplateError,
        f"{tmp_path}/a:2: this is not UTF-8: save the file as UTF-8",
        lambda: text_of(tmp_path / "a"),
    )


def test_a_device_that_never_ends() -> None:
    """It is not read for ever."""
    refused(
        TemplateError,
        "/dev/zero: it has more than 4 MiB: this is another kind of file",
        lambda: text_of(Path("/dev/zero")),
    )


def test_a_place_without_a_line() -> None:
    """The file alone."""
    assert str(at("x", None, "no")) == "x: no"
