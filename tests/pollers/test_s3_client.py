"""Making a client of botocore."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.loaders import JSONFileLoader

from asynctask.pollers.s3_client import Descriptions, discreet, make_client

pytestmark = [
    pytest.mark.one_loop("nothing here runs on a loop"),
    pytest.mark.usefixtures("descriptions_out_of_sight"),
]


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
def test_descriptions_are_read_as_botocore_does(ending: str, tmp_path: Path) -> None:
    """Packed or not; the order of members is kept."""
    data = json.dumps({"b": [1, 2.5, None, True], "a": {"ü": "\\\n"}}).encode()
    file = tmp_path / f"service-2{ending}"
    file.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    name = str(tmp_path / "service-2")
    ours, theirs = Descriptions(), JSONFileLoader()
    assert ours.exists(name) is theirs.exists(name) is True
    assert json.dumps(ours.load_file(name)) == json.dumps(theirs.load_file(name))


def test_what_is_not_there_is_not_read(tmp_path: Path) -> None:
    """Botocore looks in several places."""
    ours = Descriptions()
    assert not ours.exists(str(tmp_path / "a"))
    assert ours.load_file(str(tmp_path / "a")) is None


def _send(**_: Any) -> AWSResponse:
    class Body:
        def stream(self) -> Any:
            yield b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

    return AWSResponse("", 200, {}, Body())


def test_requests_of_the_client_are_sent_by_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing else is asked for, credentials neither."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_CA_BUNDLE", "/some/file.pem")
    client, bundle = make_client("http://127.0.0.1:1/", "x", None, True, _send)
    assert client.list_objects_v2(Bucket="bucket")["IsTruncated"] is False
    assert (bundle, client.meta.region_name) == ("/some/file.pem", "x")
    client.close()


def test_a_thread_can_be_discreet(caplog: pytest.LogCaptureFixture) -> None:
    """For a while; what others do is logged as ever."""
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("botocore.endpoint")
    with discreet():
        log.debug("ours")
        logging.getLogger("botocore.credentials").debug("where they are")
        other = threading.Thread(target=log.debug, args=("theirs",))
        other.start()
        other.join()
    log.debug("later")
    assert caplog.messages == ["where they are", "theirs", "later"]
