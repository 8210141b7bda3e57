"""Which poller is for which URL."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from asynctask.errors import UsageError
from asynctask.pollers.base import Poller
from asynctask.pollers.changes import scheme_of

__all__ = ("make_poller", "register_poller")

_log = logging.getLogger(__name__)

_Maker = TypeVar("_Maker", bound=Callable[..., Poller])

_INOTIFY = "asynctask.pollers.inotify:INotifyPoller"
#: Loaded when one is asked for; with the extra of asynctask that installs what it needs.
_OURS = {
    "file": ("asynctask.pollers.file:FilePoller", ""),
    "swift": ("asynctask.pollers.swift:SwiftPoller", "swift"),
    "swifts": ("asynctask.pollers.swift:SwiftPoller", "swift"),
    "swt": ("asynctask.pollers.swift:SwiftPoller", "swift"),
    "swts": ("asynctask.pollers.swift:SwiftPoller", "swift"),
    "s3": ("asynctask.pollers.s3:S3Poller", "s3"),
    "http": ("asynctask.pollers.http:HttpPoller", "http"),
    "https": ("asynctask.pollers.http:HttpPoller", "http"),
}
_registered: dict[str, Callable[..., Poller]] = {}


def register_poller(*schemes: str) -> Callable[[_Maker], _Maker]:
    """A decorator: :func:`make_poller` makes this class for URLs of these schemes, for the whole process.

    It is called with the URL and the keywords of :func:`make_poller`. It replaces what was there before.

    Raises:
        UsageError: no scheme is given, or one that cannot stand in a URL.
    """
    if not schemes:
        raise UsageError("register_poller: of which scheme?")
    for scheme in schemes:
        if scheme_of(f"{scheme}://") != scheme:
            raise UsageError(f"no scheme of URLs, in lower case: {scheme!r}")

    def register(maker: _Maker) -> _Maker:
        _registered.update(dict.fromkeys(schemes, maker))
        return maker

    return register


def make_poller(url: str | os.PathLike[str], *, inotify: bool = True, **extra: Any) -> Poller:
    """A poller for a URL. It does nothing before it is used.

    For a plain path or a ``file:`` URL it is an :class:`INotifyPoller`. Where there is no inotify it is a
    :class:`FilePoller`; where its limits are reached, or other machines write, it does as that one does.
    The reason is in the log.

    Args:
        url: ``file:`` or a plain path, ``swift:`` ``swifts:`` ``swt:`` ``swts:``, ``s3:``, ``http:``
            ``https:``, or what was registered.
        inotify: false: look at files rather than be told; needed where other machines write, as on NFS.
        **extra: for the poller.

    Raises:
        UsageError: the scheme is unknown, something that the poller needs is not installed, the poller has
            no such keyword, or cannot work with that URL.
    """
    url = os.fspath(url)
    scheme = scheme_of(url)
    maker = _registered.get(scheme)
    before = url.partition(":")[0].lower()
    if scheme == "file" != before and before in {*_OURS, *_registered} and ":" in url:
        raise UsageError(
            f"{before}: is written with two slashes: {before}://…; for a file of that name: ./{before}:…"
        )
    if maker is None and scheme in _OURS:
        maker = _file_poller(inotify) if scheme == "file" else _load(scheme, *_OURS[scheme])
    if maker is None:
        known = " ".join(sorted({*_OURS, *_registered}))
        raise UsageError(f"no poller for {scheme}: URLs; there is one for {known}")
    _check(scheme, maker, extra)
    return maker(url, **extra)


def _check(scheme: str, maker: Callable[..., Poller], extra: Mapping[str, Any]) -> None:
    _, *parameters = inspect.signature(maker).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    known = [each.name for each in parameters]
    for name in extra:
        if name not in known:
            raise UsageError(f"a poller for {scheme}: URLs has no {name!r}; it has {', '.join(known)}")


def _file_poller(inotify: bool) -> Callable[..., Poller]:
    if inotify:
        try:
            return partial(_class(_INOTIFY), fall_back=True)
        except ImportError as exc:
            _log.info("files are looked at, for there is no inotify here: %s", exc)
    return _class(_OURS["file"][0])


def _load(scheme: str, where: str, extra: str) -> Callable[..., Poller]:
    try:
        return _class(where)
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("asynctask"):
            raise
        raise UsageError(
            f"a poller for {scheme}: URLs needs {exc.name}: pip install 'asynctask[{extra}]'"
        ) from exc


def _class(where: str) -> Callable[..., Poller]:
    module, _, name = where.partition(":")
    found: Callable[..., Poller] = getattr(importlib.import_module(module), name)
    return found
