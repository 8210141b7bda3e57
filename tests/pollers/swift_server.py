"""A throw-away OpenStack Swift on 127.0.0.1, for tests against the real thing.

Proxy with tempauth, account, container and object server, one replica: all in one process that is this file
run as a program. The object server is Swift's own that keeps the objects in memory, so the file system needs
no extended attributes.
"""

from __future__ import annotations

import importlib.util
import os
import select
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ("ACCOUNT", "HOW_TO_GET", "KEY", "USER", "SwiftServer", "find_swift")

HOW_TO_GET = "no Swift here, get it with: pip install swift"

#: Who may log in; ``other:reader`` may log in and see nothing of this account.
ACCOUNT, USER, KEY = "test", "tester", "te/st+ing:42"

_TIMEOUT = 30.0  # seconds, for the start; it takes about two
_ROLES = ("proxy", "account", "container", "object")
_PIPELINES = {
    "proxy": "catch_errors cache listing_formats tempauth proxy-server",
    "account": "account-server",
    "container": "container-server",
    "object": "object-server",
}
_APPS = {"proxy": "proxy", "account": "account", "container": "container", "object": "mem_object"}
_CONFIG = """\
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
bind_ip = 127.0.0.1
bind_port = {port}
log_level = ERROR
workers = 0
[pipeline:main]
pipeline = {pipeline}
[app:{role}-server]
use = egg:swift#{app}
account_autocreate = true
allow_account_management = true
# A machine that is busy is no fault to be worked around.
conn_timeout = 20
node_timeout = 30
container_update_timeout = 30
error_suppression_limit = 1000000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_factory = __main__:memory_cache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {key} .admin
user_other_reader = {key}
"""


def find_swift() -> str | None:
    """The Python that has Swift: that of the tests, or none."""
    return sys.executable if importlib.util.find_spec("swift") is not None else None


class SwiftServer:
    """A real Swift, from ``with`` until it is left.

    Attributes:
        port: where its proxy listens on 127.0.0.1; version 1 logins go to ``/auth/v1.0``.

    Raises:
        FileNotFoundError: Swift is not installed.
        RuntimeError: it does not start within 30 seconds; what it wrote is in the message.
    """

    port: int

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> SwiftServer:
        python = find_swift()
        if python is None:
            raise FileNotFoundError(HOW_TO_GET)
        try:
            self._start(python)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def auth_url(self) -> str:
        """Where to log in."""
        return f"http://127.0.0.1:{self.port}/auth/v1.0"

    def forget(self) -> None:
        """Have it forget all tokens, as if they had expired."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"forget\n")
        self._process.stdin.flush()
        self._expect("forgotten")

    def _start(self, python: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="asynctask-swift-")
        self._log_file = Path(self._directory.name, "log")
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [python, "-W", "ignore", __file__, self._directory.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._directory.name,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "no_proxy": "127.0.0.1"},
            )
        self.port = int(self._expect("port"))

    def _expect(self, word: str) -> str:
        """The rest of the next line that it prints, which begins with a word."""
        assert self._process is not None
        assert self._process.stdout is not None
        until = time.monotonic() + _TIMEOUT
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 1) if ready else b""
            if not more:
                raise RuntimeError(
                    f"Swift does not run: {self._log_file.read_text(errors='replace')[-4000:]}"
                )
            line += more
        assert line.split()[0] == word.encode()
        return line.partition(b" ")[2].decode().strip()

    def _stop(self) -> None:
        if (process := self._process) is not None:
            self._process = None
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
            process.kill()
            process.wait()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None


# -- the program: all that it imports from others is Swift's and eventlet's ------------------------


class _Cache:
    """What tempauth keeps its tokens in; elsewhere a memcached."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, Any]] = {}

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        until, value = self._values.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def set(self, key: str, value: Any, *_: Any, time: float = 0, **__: Any) -> None:
        from time import monotonic

        # Only tokens: what is remembered of containers would be out of date when the next test looks.
        if "auth" in key.lower():
            self._values[key] = (monotonic() + (time or 3600), value)

    def delete(self, key: str, *_: Any, **__: Any) -> None:
        self._values.pop(key, None)

    def forget(self) -> None:
        self._values.clear()


_cache = _Cache()


def memory_cache(_config: dict[str, str], **_local: str) -> Any:
    """The filter that gives the proxy its cache."""

    def with_cache(app: Any) -> Any:
        def call(env: dict[str, Any], start_response: Any) -> Any:
            env["swift.cache"] = _cache
            return app(env, start_response)

        return call

    return with_cache


def _serve(directory: Path) -> None:
    """Run the four servers until standard input ends."""
    import_module("eventlet").patcher.monkey_patch()
    eventlet = import_module("eventlet")
    handlers = import_module("logging.handlers")
    handlers.SysLogHandler.emit = _log
    (directory / "devices" / "d1").mkdir(parents=True)
    (directory / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = asynctask\n")
    listeners = {role: eventlet.listen(("127.0.0.1", 0), backlog=128) for role in _ROLES}
    ports: dict[str, int] = {role: listener.getsockname()[1] for role, listener in listeners.items()}
    import_module("swift.common.utils").set_swift_dir(str(directory))
    for role in _ROLES[1:]:
        _make_ring(directory / f"{role}.ring.gz", ports[role])

    wsgi = import_module("swift.common.wsgi")
    use_hub = eventlet.hubs.use_hub
    use_hub(wsgi.get_hub())
    # Each server would begin with a hub of its own; new threads call it without a name, and need one.
    eventlet.hubs.use_hub = lambda name=None: use_hub() if name is None else None
    ready: list[int] = []
    for role in _ROLES:
        config = directory / f"{role}.conf"
        config.write_text(
            _CONFIG.format(
                directory=directory,
                role=role,
                port=ports[role],
                app=_APPS[role],
                pipeline=_PIPELINES[role],
                account=ACCOUNT,
                user=USER,
                key=KEY,
            )
        )
        settings, logger, _ = wsgi._initrp(str(config), f"{role}-server")
        server = eventlet.spawn(
            wsgi.run_server, settings, logger, listeners[role], ready_callback=lambda: ready.append(1)
        )
        server.link(_end)
    while len(ready) < len(_ROLES):
        eventlet.sleep(0.005)

    _say(f"port {ports['proxy']}")
    while True:
        eventlet.hubs.trampoline(0, read=True)
        if not os.read(0, 100):
            _end()
        _cache.forget()
        _say("forgotten")


def _make_ring(file: Path, port: int) -> None:
    ring = import_module("swift.common.ring").RingBuilder(1, 1, 1)
    ring.add_dev(
        {"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0}
    )
    ring.rebalance()
    ring.get_ring().save(str(file))


def _log(handler: Any, record: Any) -> None:
    sys.stderr.write(f"{handler.format(record)}\n")
    sys.stderr.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end(_server: object = None) -> None:
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
