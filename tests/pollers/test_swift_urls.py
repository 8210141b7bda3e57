"""URLs of Swift containers: what they may say, and what is never repeated of them."""

from __future__ import annotations

import pytest

from asynctask.errors import UsageError
from asynctask.pollers.swift_urls import SwiftPlace, find_place, storage_scheme

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")

SECRET = "S3cret"
KEYSTONE = {"OS_AUTH_URL": "https://keys.example:5000/v3", "OS_USERNAME": "joe", "OS_PASSWORD": SECRET}


def place_of(url: str, environ: dict[str, str] | None = None, **keywords: str | None) -> SwiftPlace:
    """What a URL names, in an environment with nothing else."""
    return find_place(url, keywords, environ or {})


def test_all_that_a_url_can_say() -> None:
    """User, project, password, host, port, path, container and options stand in the URL."""
    place = place_of(
        f"swifts://joe+lab:{SECRET}@Keys.Example:5000/identity?box"
        "&prefix=in/&domain=Ours&region=north&interface=internal"
    )
    assert (place.version, place.auth_url) == (3, "https://keys.example:5000/identity/v3")
    assert (place.user, place.key, place.container, place.prefix) == ("joe", SECRET, "box", "in/")
    assert place.scope == {
        "project_name": "lab",
        "user_domain_name": "Ours",
        "project_domain_name": "Ours",
    }
    assert (place.region, place.interface, place.secure) == ("north", "internal", True)


@pytest.mark.parametrize(
    ("scheme", "auth", "root"),
    [
        ("swift", "http://h/v3", "swift://h/box"),
        ("swt", "http://h/v3", "swift://h/box"),
        ("SWT", "http://h/v3", "swift://h/box"),
        ("swifts", "https://h/v3", "swifts://h/box"),
        ("swts", "https://h/v3", "swifts://h/box"),
    ],
)
def test_the_four_schemes(scheme: str, auth: str, root: str) -> None:
    """swt and swts are other names of swift and swifts."""
    place = place_of(f"{scheme}://joe+lab:{SECRET}@h?box")
    assert (place.auth_url, place.root, place.url) == (auth, root, root)


def test_names_are_percent_encoded() -> None:
    """What has a meaning in a URL can be part of any name."""
    place = place_of("swift://j%2Bo%40x+l%2Fab:p%3A%2F%40%3Fw@h?b%26%20x%3D&prefix=a+b%2F%23")
    assert (place.user, place.scope["project_name"], place.key) == ("j+o@x", "l/ab", "p:/@?w")
    assert (place.container, place.prefix) == ("b& x=", "a+b/#")
    assert place.url == "swift://h/b%26%20x%3D?prefix=a%2Bb/%23"


@pytest.mark.parametrize(
    ("url", "user", "auth_url"),
    [
        (f"swift://tester+test:{SECRET}@h:8080?box&auth=1", "test:tester", "http://h:8080/auth/v1.0"),
        (f"swift://test%3Atester:{SECRET}@h/auth/v1.0?box", "test:tester", "http://h/auth/v1.0"),
        (f"swift://tester:{SECRET}@h/login?box&auth=1.0", "tester", "http://h/login"),
        ("swift://h/v1?container=box&project=test&auth=1&", "test:tester", "http://h/v1"),
    ],
)
def test_version_1(url: str, user: str, auth_url: str) -> None:
    """User and account stand apart or as one; the path is as given."""
    place = place_of(url.rstrip("&"), user="tester" if "@" not in url else None, password=SECRET)
    assert (place.version, place.user, place.key, place.auth_url) == (1, user, SECRET, auth_url)
    assert (place.container, place.scope) == ("box", {})


def test_keywords_count_more_than_the_url_and_that_more_than_the_environment() -> None:
    """Each is asked for what the ones before do not say."""
    environ = {**KEYSTONE, "OS_PROJECT_NAME": "third", "OS_USER_DOMAIN_NAME": "E", "OS_REGION_NAME": "south"}
    place = place_of("swifts://jim+second@keys.example:5000?box&region=north", environ, project="first")
    assert (place.user, place.key, place.scope["project_name"]) == ("jim", SECRET, "first")
    assert (place.scope["user_domain_name"], place.scope["project_domain_name"]) == ("E", "Default")
    assert place.region == "north"


def test_everything_but_the_container_from_the_environment() -> None:
    """An openrc file of a site, with ids, is enough."""
    environ = {
        **KEYSTONE,
        "OS_PROJECT_ID": "p1",
        "OS_PROJECT_NAME": "lab",
        "OS_USER_DOMAIN_ID": "d1",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_CACERT": "/ca.pem",
    }
    place = place_of("swift:///?box", environ)
    assert (place.auth_url, place.url) == ("https://keys.example:5000/v3", "swifts://keys.example:5000/box")
    assert place.scope == {"project_id": "p1", "user_domain_id": "d1"}
    assert place.cacert == "/ca.pem"


def test_version_1_from_the_environment() -> None:
    """ST_AUTH, ST_USER and ST_KEY are enough, too."""
    environ = {"ST_AUTH": "http://h:8080/auth/v1.0", "ST_USER": "test:tester", "ST_KEY": SECRET}
    place = place_of("swift:///?box", environ)
    assert (place.version, place.auth_url) == (1, "http://h:8080/auth/v1.0")
    assert (place.user, place.key) == ("test:tester", SECRET)


def test_an_application_credential() -> None:
    """It needs no project."""
    environ = {
        "OS_AUTH_URL": "http://h/v3",
        "OS_APPLICATION_CREDENTIAL_ID": "id1",
        "OS_APPLICATION_CREDENTIAL_SECRET": SECRET,
    }
    place = place_of("swift:///?box", environ)
    assert (place.application, place.user, place.key, place.scope) == (True, "id1", SECRET, {})


def test_a_password_of_the_environment_goes_to_its_own_host_only() -> None:
    """A URL of another host gets nothing of it."""
    with pytest.raises(UsageError, match="needs a user and a password"):
        place_of("swift://elsewhere:5000?box&project=lab", KEYSTONE)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://joe+lab:{SECRET}@h?box", "no URL of Swift"),
        (f"swift://joe+lab:{SECRET}@h", "container is missing"),
        (f"swift://joe+lab:{SECRET}@h?", "container is missing"),
        (f"swift://joe+lab:{SECRET}@h?a%2Fb", "has no /"),
        (f"swift://joe+lab:{SECRET}@h?" + "x" * 257, "at most 256 bytes"),
        (f"swift://joe+lab:{SECRET}@h?box&auth=2", "Keystone's 2 is no more"),
        (f"swift://joe:{SECRET}@h?box", "needs a project"),
        ("swift://joe+lab@h?box", "a user and a password"),
        ("swift:///?box", "OS_AUTH_URL"),
        ("swift:///?box&auth=1", "ST_AUTH"),
        (f"swift://joe+lab:{SECRET}@h?box&colour={SECRET}", "may have auth, domain"),
        (f"swift://joe+lab:{SECRET}@h?box&container=other", "twice"),
        (f"swift://joe+a+b:{SECRET}@h?box", "one user and one project"),
        (f"swift://joe+lab:{SECRET}@h:http?box", "no host, or no port"),
        (f"swift://joe+lab:{SECRET}@h:70000?box", "no host, or no port"),
        (f"swift://joe+lab:{SECRET}@h:{'9' * 5000}?box", "no host, or no port"),
        (f"swift://joe+lab:{SECRET}@[:::::]?box", "no host, or no port"),
        (f"swift://joe+lab:{SECRET}@[::1?box", "no host, or no port"),
        (f"swift://joe+lab:{SECRET}\udcff@h?box", "no text"),
        (f"swift://joe+lab:{SECRET}%ff@h?box", "quoted as UTF-8"),
        (f"swift://joe+lab:{SECRET}@h?b%ff", "quoted as UTF-8"),
        (f"swift://joe+lab:{SECRET}%0a@h?box&auth=1", "no control characters"),
        (f"swift://joe+lab:{SECRET}@h?box&auth={SECRET}", "Swift's login is 1, or 3"),
        (f"swift://joe+lab:pa/{SECRET}@h?box", "percent-encoded"),
        (f"swift://joe+lab:pa?{SECRET}@h?box", "percent-encoded"),
        (f"swift://joe+lab:pa#{SECRET}@h?box", "percent-encoded"),
        (f"swift://joe+lab:{SECRET}/x@h?box", "percent-encoded"),
        (f"swift://joe+lab:{SECRET}?box", "no host, or no port"),
        (f"swift://joe+lab:1?{SECRET}?box", "no host, or no port"),
        (f"swift://h?{SECRET}?box", "percent-encoded"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_without_repeating_it(url: str, words: str) -> None:
    """Neither a password nor what is left of one that was not quoted stands in the message."""
    with pytest.raises(UsageError, match=words) as raised:
        place_of(url)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_keywords_are_text() -> None:
    """What stands for bytes that are no UTF-8 cannot be sent."""
    with pytest.raises(UsageError, match=r"is UTF-8$") as raised:
        place_of("swift://joe+lab@h?box", password=f"{SECRET}\udcff")
    assert raised.value.__context__ is None


@pytest.mark.parametrize("meant", ["http://[", "http://h:x/", f"http://u:{SECRET}@h/", "h", "file:///v3"])
def test_an_environment_that_makes_no_sense(meant: str) -> None:
    """It is said which variable, and not what is in it."""
    environ = {**KEYSTONE, "OS_AUTH_URL": meant}
    with pytest.raises(UsageError, match="a URL to log in at in OS_AUTH_URL") as raised:
        place_of("swift:///?box", environ)
    assert SECRET not in str(raised.value)
    assert place_of("swift://jim+lab:x@h?box", environ).user == "jim"


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("http://h/v1", "http"),
        ("HTTPS://h:443/", "https"),
        ("http://[::1]:8080/v1", "http"),
        *((url, "") for url in ("", "h", "ftp://h/", "http://", "http://u@h/", "http://[", "http://h:x/")),
        ("http://h/\udcff", ""),
    ],
)
def test_what_can_be_the_url_of_an_account(url: str, scheme: str) -> None:
    """HTTP with a host, and nobody's name before it."""
    assert storage_scheme(url) == scheme


def test_tls_is_not_given_up_for_the_environment() -> None:
    """swifts: without a host takes no http: URL."""
    with pytest.raises(UsageError, match="by TLS, but OS_AUTH_URL is not"):
        place_of("swifts:///?box", {**KEYSTONE, "OS_AUTH_URL": "http://h/v3"})


def test_no_secret_in_the_repr_or_the_url() -> None:
    """Who logs in is not told, either."""
    place = place_of(f"swift://joe+lab:{SECRET}@h?box&prefix=in/")
    assert SECRET not in repr(place)
    assert "joe" not in repr(place)
    assert place.url == "swift://h/box?prefix=in/"
