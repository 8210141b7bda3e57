"""A store that speaks S3, in a process of its own: moto's server."""

from __future__ import annotations

import http.client
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

__all__ = ("Store", "store_running")

_STARTING = 30.0  # seconds
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_SIGNED_FOR = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/{}/aws4_request"}


class Store:
    """What a test does to the store, one connection a time; each call blocks for some milliseconds."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def request(self, method: str, path: str, body: bytes = b"", service: str = "s3") -> bytes:
        """Send a request that is not signed.

        Raises:
            AssertionError: it was refused.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {name: text.format(service) for name, text in _SIGNED_FOR.items()}
            if service == "iam":
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            read = answer.read()
            assert answer.status < 300, (answer.status, read)
            return read
        finally:
            connection.close()

    def put(self, bucket: str, name: str, body: bytes = b"") -> None:
        """Make or replace an object."""
        self.request("PUT", f"/{bucket}/{quote(name)}", body)

    def delete(self, bucket: str, name: str) -> None:
        """Delete an object."""
        self.request("DELETE", f"/{bucket}/{quote(name)}")

    def user(self) -> tuple[str, str]:
        """Make a user who may do everything with S3: the two keys. From now on requests are checked."""
        self.request("POST", "/", b"Action=CreateUser&UserName=u&Version=2010-05-08", "iam")
        policy = quote(
            '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
        )
        text = f"Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument={policy}&Version=2010-05-08"
        self.request("POST", "/", text.encode(), "iam")
        made = self.request(
            "POST", "/", b"Action=CreateAccessKey&UserName=u&Version=2010-05-08", "iam"
        ).decode()
        keys = [re.search(f"<{tag}>(.*)</{tag}>", made) for tag in ("AccessKeyId", "SecretAccessKey")]
        self.check_requests(True)
        assert keys[0] is not None
        assert keys[1] is not None
        return keys[0][1], keys[1][1]

    def check_requests(self, wanted: bool) -> None:
        """Whether keys, signatures and permissions are looked at."""
        self.request("POST", "/moto-api/reset-auth", b"0" if wanted else b"inf", "moto")

    def reset(self) -> None:
        """Forget everything."""
        self.check_requests(False)
        self.request("POST", "/moto-api/reset", service="moto")


@contextmanager
def store_running() -> Iterator[Store]:
    """Start the server; it has ended when the block has."""
    command = [sys.executable, "-W", "ignore", "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert server.stdout is not None
            assert select.select([server.stdout], [], [], _STARTING)[0], "moto's server does not start"
            yield Store(int(server.stdout.readline()))
        finally:
            server.kill()
