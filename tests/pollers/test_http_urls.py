"""URLs of resources."""

from __future__ import annotations

import pytest

from asynctask.errors import UsageError
from asynctask.pollers.http_urls import origin, parse, proxy_for, redirected

pytestmark = pytest.mark.one_loop("nothing here runs on a loop")


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("http://h", "http://h/"),
        ("HTTP://Web.Example:80/A?q=1#part", "http://web.example/A?q=1"),
        ("https://h:443/a", "https://h/a"),
        ("https://h:8443/a", "https://h:8443/a"),
        ("http://h:443/", "http://h:443/"),
        ("http://[::1]:81/a", "http://[::1]:81/a"),
        ("http://h/a%20b c/ü", "http://h/a%20b%20c/%C3%BC"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://h/?a=b&c=[d]", "http://h/?a=b&c=%5Bd%5D"),
    ],
)
def test_a_url_has_one_form(url: str, form: str) -> None:
    """Whoever writes it."""
    assert parse(url) == (form, "")
    assert parse(form) == (form, "")


@pytest.mark.parametrize(
    ("url", "authorization"),
    [
        ("http://user:secret@h/", "Basic dXNlcjpzZWNyZXQ="),
        ("http://user@h/", "Basic dXNlcjo="),
        ("http://:secret@h/", "Basic OnNlY3JldA=="),
        ("http://u%40x:p%2Fw%C3%BC@h/", "Basic dUB4OnAvd8O8"),
    ],
)
def test_credentials_are_taken_out(url: str, authorization: str) -> None:
    """They are quoted in the URL, not in the header."""
    assert parse(url) == ("http://h/", authorization)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://u:hunter2@h/",
        "http:///hunter2",
        "http://u:hunter2/x@h/",
        "http://u:p@h:hunter2/",
        "http://[hunter2/",
        "hunter2",
        "http://h\x01unter2/",
        "http://hunter2 x/y@h/",
        "http://u:hunter2\udcff@h/",
        "http://u:hunter2@h/\udcff",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    """What is shown never has the part that may be one."""
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_unquoted_slash_in_a_password_is_explained() -> None:
    """It ends the host."""
    with pytest.raises(UsageError, match=r"in a user name or a password / . # @ are written %2F %3F %23 %40"):
        parse("http://u:p/w@h/")


def test_a_name_that_no_host_can_have_is_refused() -> None:
    """Labels of it are bounded."""
    for host in ("ü" * 70, "a" * 64, "a..b", "a|b", "a%20b", "ü|b"):
        with pytest.raises(UsageError, match=r"^the name of the host in the URL cannot be one$"):
            parse(f"http://{host}/")


def test_origins_differ_by_scheme_host_and_port() -> None:
    """The port may be left out."""
    assert origin("http://h/a") == origin("http://h:80/b")
    assert len({origin(url) for url in ("http://h/", "https://h/", "http://i/", "http://h:81/")}) == 4


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://h/a/b", "c", "http://h/a/c"),
        ("http://h/a/b", "/c?d", "http://h/c?d"),
        ("http://h/a", "//i/c", "http://i/c"),
        ("http://h/a", "https://u:p@i/c", "https://i/c"),
        ("https://h/a", "https://i:8443/", "https://i:8443/"),
    ],
)
def test_a_redirect_leads_somewhere(url: str, location: str, target: str) -> None:
    """Credentials in it do not count."""
    assert redirected(url, location) == target


@pytest.mark.parametrize(
    ("url", "location", "reason"),
    [
        ("https://h/", "http://h/", "leads away from https"),
        ("http://h/", "file:///etc/passwd", "leads to something else than http"),
        ("http://h/", "http://[", "leads to something else than http"),
        ("http://h/", "/\udcff", "leads to something else than http"),
    ],
)
def test_a_redirect_may_lead_where_nobody_goes(url: str, location: str, reason: str) -> None:
    """It is then no answer."""
    with pytest.raises(ValueError, match=f"^{reason}$") as caught:
        redirected(url, location)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://h/", "http://proxy:3128"),
        ("https://h/", "http://u:p@secure:3128"),
        ("http://near.example/", None),
        ("http://127.0.0.1:8000/", None),
    ],
)
def test_the_environment_names_proxies(url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the hosts that need none."""
    monkeypatch.setenv("http_proxy", "proxy:3128")
    monkeypatch.setenv("https_proxy", "http://u:p@secure:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1,.example")
    assert proxy_for(url) == proxy
