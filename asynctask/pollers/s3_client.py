"""Makes a client of botocore. To be done in a thread, and even there it may hold the interpreter for long."""

from __future__ import annotations

import gzip
import json
import json.scanner
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ("Descriptions", "discreet", "make_client")

#: For a request by which botocore itself gets credentials.
_CREDENTIALS = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 1}}
#: What writes whole requests and answers into the log.
_TALKATIVE = ("botocore.auth", "botocore.endpoint", "botocore.parsers", "botocore.utils")
_thread = threading.local()


def make_client(
    endpoint: str | None, region: str | None, profile: str | None, anonymous: bool, send: Callable[..., Any]
) -> tuple[Any, str | None]:
    """A client for S3, and the file of CA certificates that environment or profile name.

    Args:
        endpoint: URL of the store; ``None``: what environment or profile say, else AWS.
        region: ``None``: what environment or profile say.
        profile: a section of the configuration; ``None``: that of the environment.
        anonymous: without credentials.
        send: is given each request of the client, and gives the answer.

    Raises:
        Exception: of botocore.
    """
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    session.set_default_client_config(Config(**_CREDENTIALS))
    # Dates are compared, not calculated with: reading each takes longer than all the rest of a page.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    client = session.create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        config=Config(signature_version=UNSIGNED) if anonymous else None,
    )
    client.meta.events.register("before-send.s3", send)
    return client, session.get_config_variable("ca_bundle") or None


@contextmanager
def discreet() -> Iterator[None]:
    """Keep out of the log what this thread sends and gets: tokens are in it, and keys of roles."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_may_be_told)  # again it does nothing
    _thread.discreet = True
    try:
        yield
    finally:
        _thread.discreet = False


def _may_be_told(record: logging.LogRecord) -> bool:
    return not getattr(_thread, "discreet", False)


@lru_cache(maxsize=4)
def _loader(path: str | None) -> Any:
    """What reads the descriptions of the services, once in the process: they are parts of botocore.

    Args:
        path: where else to look for descriptions.
    """
    from botocore.loaders import create_loader

    loader = create_loader(path)
    loader.file_loader = Descriptions()
    return loader


class Descriptions:
    """Reads files of JSON bit by bit.

    The scanner in C keeps all other threads waiting until it has read everything, 1.4 MB for S3. And plain
    dictionaries are less work for the garbage collector than ordered ones.
    """

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()
        self._decoder.scan_once = json.scanner.py_make_scanner(self._decoder)  # type: ignore[attr-defined]

    def exists(self, file_path: str) -> bool:
        """Whether there is such a file, with one of its endings."""
        return _find(file_path) is not None

    def load_file(self, file_path: str) -> Any:
        """What is in the file; ``None`` if there is none."""
        file = _find(file_path)
        if file is None:
            return None
        read = file.read_bytes()
        text = gzip.decompress(read) if file.suffix == ".gz" else read
        return self._decoder.decode(text.decode())


def _find(file_path: str) -> Path | None:
    for ending in (".json", ".json.gz"):
        if (file := Path(file_path + ending)).is_file():
            return file
    return None
