"""Tests of asynctask.pollers.registry."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import pytest

import asynctask.pollers
from asynctask.errors import UsageError
from asynctask.pollers import registry
from asynctask.pollers.file import FilePoller
from asynctask.pollers.inotify import INotifyPoller
from asynctask.pollers.registry import make_poller, register_poller
from tests.pollers.fakes import FakePoller
from tests.support import refused


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> dict[str, ImportError]:
    """Modules that cannot be imported, and why."""
    errors: dict[str, ImportError] = {}
    real = importlib.import_module

    def load(name: str, package: str | None = None) -> Any:
        if name in errors:
            raise errors[name]
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", load)
    return errors


@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "FILE://localhost{}"])
def test_a_directory(tmp_path: Path, form: str) -> None:
    """A plain path or a URL, with the keywords of the poller."""
    poller = make_poller(form.format(tmp_path), inotify=False, recurse=True)
    assert isinstance(poller, FilePoller)
    assert (poller.url, poller.recurse) == (f"file://{tmp_path}", True)


def test_a_path_object(tmp_path: Path) -> None:
    """It is as good as its text."""
    assert make_poller(tmp_path, inotify=False).url == f"file://{tmp_path}"


def test_files_are_looked_at_where_there_is_no_inotify(
    broken: dict[str, ImportError], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With the reason in the log."""
    caplog.set_level(logging.INFO, "asynctask.pollers")
    broken["asynctask.pollers.inotify"] = ImportError("no inotify on this system")
    assert type(make_poller(tmp_path)) is FilePoller
    assert caplog.messages == ["files are looked at, for there is no inotify here: no inotify on this system"]


def test_an_error_of_the_constructor_is_not_swallowed(tmp_path: Path) -> None:
    """Another kind of poller would hide it."""
    with pytest.raises(UsageError, match="this is no state"):
        make_poller(tmp_path, state=b"nonsense")


def test_a_keyword_that_the_poller_does_not_have(tmp_path: Path) -> None:
    """The error names those that it has."""
    message = (
        "a poller for http: URLs has no 'recurse';"
        " it has headers, verify, body_limit, existing, state, timeout"
    )
    refused(UsageError, message, lambda: make_poller("http://host/", recurse=True))

    @register_poller("mine")
    def anything(url: str, **extra: object) -> FakePoller:
        return FakePoller(url)

    assert make_poller("mine://host", recurse=True).url == "mine://host"


def test_where_inotify_is_not_to_be_had_files_are_looked_at(tmp_path: Path) -> None:
    """Its limits, and file systems that others write to, are no errors here."""
    poller = make_poller(tmp_path)
    assert isinstance(poller, INotifyPoller)
    assert poller._fall_back is True


def test_an_unknown_scheme() -> None:
    """The error names those that are known, also registered ones; nothing is left of it."""
    register_poller("mine")(FakePoller)
    message = "no poller for gopher: URLs; there is one for file http https mine s3 swift swifts swt swts"
    for _ in range(2):
        refused(UsageError, message, lambda: make_poller("gopher://host/"))


@pytest.mark.parametrize("url", ["http:/joe:secret@host/", "HTTP:host", "s3:bucket", "swift:/host?c"])
def test_a_slash_is_missing(url: str) -> None:
    """It is not taken for a file, and no password in it is shown."""
    scheme = url.partition(":")[0].lower()
    message = f"{scheme}: is written with two slashes: {scheme}://…; for a file of that name: ./{scheme}:…"
    refused(UsageError, message, lambda: make_poller(url))
    assert make_poller(f"./{url}").url.startswith("file:///")


def test_something_is_not_installed(broken: dict[str, ImportError]) -> None:
    """The error says what to do."""
    broken["asynctask.pollers.swift"] = ModuleNotFoundError("No module", name="swiftclient")
    message = "a poller for swts: URLs needs swiftclient: pip install 'asynctask[swift]'"
    refused(UsageError, message, lambda: make_poller("swts://host/?container"))


def test_a_defect_is_not_taken_for_something_that_is_not_installed(broken: dict[str, ImportError]) -> None:
    """It is raised as it is."""
    broken["asynctask.pollers.s3"] = ModuleNotFoundError("No module", name="asynctask.pollers.s3_list")
    with pytest.raises(ModuleNotFoundError):
        make_poller("s3://bucket")


def test_a_registered_poller() -> None:
    """It gets the URL and the keywords; the last one counts, also before our own."""

    @register_poller("mine", "file")
    class Mine(FakePoller):
        pass

    poller = make_poller("mine://host", timeout=5.0)
    assert type(poller) is Mine
    assert poller.url == "mine://host"
    assert type(make_poller("/srv")) is Mine
    register_poller("mine")(FakePoller)
    assert type(make_poller("MINE://host")) is FakePoller


@pytest.mark.parametrize("scheme", ["", "Mine", "mine://", "a b"])
def test_what_is_no_scheme(scheme: str) -> None:
    """It could never be asked for."""
    message = f"no scheme of URLs, in lower case: {scheme!r}"
    refused(UsageError, message, lambda: register_poller(scheme))


def test_no_scheme() -> None:
    """The decorator needs its argument."""
    refused(UsageError, "register_poller: of which scheme?", register_poller)


def test_the_package_hands_out_every_poller(broken: dict[str, ImportError]) -> None:
    """Those that need more are loaded when they are asked for."""
    assert asynctask.pollers.FilePoller is FilePoller
    broken["asynctask.pollers.inotify"] = ImportError("no inotify")
    with pytest.raises(AttributeError, match="no attribute 'FtpPoller'"):
        _ = asynctask.pollers.FtpPoller
