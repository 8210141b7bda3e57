"""URLs of Swift containers, and who logs in there. No I/O here.

No message holds anything of what was given before the host, nor in its place: it may be a password, or what
is left of one that was not quoted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from asynctask.errors import UsageError

__all__ = ("OPTIONS", "SwiftPlace", "find_place", "storage_scheme")

#: What may stand in the query of a URL, beside the container, and as keywords.
OPTIONS = ("auth", "domain", "interface", "prefix", "project", "project_domain", "region", "user_domain")

_FORM = "swift://user+project:password@host:port/path?container"
_QUOTE = "in names and passwords / ? # @ : + % & = are written percent-encoded"
_SECURE = {"swift": False, "swt": False, "swifts": True, "swts": True}
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_VERSIONS = {"1": 1, "1.0": 1, "v1": 1, "v1.0": 1, "3": 3, "v3": 3}
_PORT = re.compile(r"[0-9]{1,5}")
_LONGEST = 256  # bytes of a container's name, as Swift has it


@dataclass(frozen=True, slots=True)
class SwiftPlace:
    """A container, and how to get there."""

    version: int
    """Of the login: 1, or 3 for Keystone."""
    auth_url: str
    """Where to log in."""
    container: str
    prefix: str
    """Only objects whose names begin so."""
    user: str = field(repr=False)
    key: str = field(repr=False)
    scope: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Project and domains, by their names in Keystone's API."""
    application: bool = False
    """Whether user and key are those of an application credential."""
    region: str = ""
    interface: str = "public"
    cacert: str = ""

    @property
    def secure(self) -> bool:
        """Whether it is reached by TLS only."""
        return self.auth_url.startswith("https:")

    @property
    def root(self) -> str:
        """The URL of the container. Objects are below it."""
        scheme = "swifts" if self.secure else "swift"
        return f"{scheme}://{urlsplit(self.auth_url).netloc}/{quote(self.container, safe='')}"

    @property
    def url(self) -> str:
        """The URL of what is watched."""
        return f"{self.root}?prefix={quote(self.prefix, safe='/')}" if self.prefix else self.root


def storage_scheme(url: str) -> str:
    """``"http"`` or ``"https"``, if that can be the URL of an account or a login; else it is empty."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port
        if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc and _is_text(url):
            return parts.scheme
    return ""


@dataclass(slots=True)
class _Given:
    """What the URL says."""

    secure: bool
    host: str
    path: str
    user: str = field(repr=False)
    project: str = field(repr=False)
    key: str = field(repr=False)
    options: dict[str, str]


def find_place(url: str, keywords: Mapping[str, str | None], environ: Mapping[str, str]) -> SwiftPlace:
    """Put together what keywords, the URL and the environment say; they count in this order.

    Args:
        url: as ``swift://user+project:password@host:port/path?container``.
        keywords: those of :data:`OPTIONS`, ``container``, ``user``, ``password`` and ``cacert``.
        environ: has perhaps OpenStack's ``OS_…``, for version 1 ``ST_AUTH``, ``ST_USER`` and ``ST_KEY``.

    Raises:
        UsageError: the URL makes no sense, or something is missing.
    """
    given = _take_apart(url)
    options = {**given.options, **{name: value for name, value in keywords.items() if value is not None}}
    if not all(map(_is_text, options.values())):
        raise UsageError("what Swift is asked for is UTF-8")
    version = _version(options.get("auth"), given, environ)
    auth_url = _auth_url(given, version, environ)
    fallback = _credentials_for(auth_url, version, environ)
    user, key = options.get("user", given.user), options.get("password", given.key)
    project = options.get("project", given.project)
    scope: dict[str, str] = {}
    application = False
    if version == 1:
        user = f"{project}:{user}" if user and project and ":" not in user else user
        user, key = user or fallback.get("ST_USER", ""), key or fallback.get("ST_KEY", "")
    elif not user and fallback.get("OS_APPLICATION_CREDENTIAL_ID"):
        application = True
        user = fallback["OS_APPLICATION_CREDENTIAL_ID"]
        key = key or fallback.get("OS_APPLICATION_CREDENTIAL_SECRET", "")
    else:
        user, key = user or fallback.get("OS_USERNAME", ""), key or fallback.get("OS_PASSWORD", "")
        scope = _scope(project, options, fallback)
    if not user or not key:
        where = "ST_USER and ST_KEY" if version == 1 else "OS_USERNAME and OS_PASSWORD"
        raise UsageError(
            f"Swift needs a user and a password: in the URL ({_FORM}), as keywords, or in {where} of the "
            "environment, if its URL to log in is for the same host"
        )
    if version == 1 and not all(text.isprintable() and text == text.strip() for text in (user, key)):
        raise UsageError("user and password are sent as headers: no control characters, no spaces round them")
    return SwiftPlace(
        version=version,
        auth_url=auth_url,
        container=_checked_container(options.get("container", "")),
        prefix=options.get("prefix", ""),
        user=user,
        key=key,
        scope=scope,
        application=application,
        region=options.get("region", fallback.get("OS_REGION_NAME", "")),
        interface=options.get("interface", fallback.get("OS_INTERFACE", "public")) or "public",
        cacert=options.get("cacert", fallback.get("OS_CACERT", "")),
    )


def _take_apart(url: str) -> _Given:
    if not _is_text(url):
        raise UsageError(f"no URL of Swift, for it is no text: {_FORM}")
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _SECURE:
        raise UsageError(f"no URL of Swift: {_FORM}")
    rest, _, query = rest.partition("?")
    before, slash, path = rest.partition("/")
    login, _, place = before.rpartition("@")
    if "#" in url or "@" in path or "@" in query:
        raise UsageError(f"no URL of Swift: {_FORM}; {_QUOTE}")
    names, _, key = login.partition(":")
    if names.count("+") > 1:
        raise UsageError(f"one user and one project: {_FORM}; {_QUOTE}")
    user, _, project = names.partition("+")
    return _Given(
        secure=_SECURE[scheme.lower()],
        host=_checked_host(place) if place else "",
        path=f"{slash}{path}".rstrip("/"),
        user=_unquoted(user),
        project=_unquoted(project),
        key=_unquoted(key),
        options=_options(query),
    )


def _checked_host(place: str) -> str:
    host = place if place.endswith("]") else place.rpartition(":")[0] or place
    port = place[len(host) + 1 :]
    if not _is_host(host) or (port and not _PORT.fullmatch(port)) or int(port or 0) > 65535:
        raise UsageError(f"no host, or no port: {_FORM}; {_QUOTE}")
    return f"{host.lower()}:{int(port)}" if port else host.lower()


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return bool(_HOST.fullmatch(host))
    try:
        return host.endswith("]") and ipaddress.IPv6Address(host[1:-1]).scope_id is None
    except ValueError:
        return False


def _is_text(text: str) -> bool:
    """Whether there is nothing in it that stands for bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unquoted(text: str) -> str:
    found = ""
    with suppress(UnicodeDecodeError):
        found = unquote(text, errors="strict")
    if text and not found:
        raise UsageError(f"in a URL of Swift names and passwords are quoted as UTF-8: {_FORM}")
    return found


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "container", name
        if name not in {*OPTIONS, "container"}:
            raise UsageError(f"after the container a URL of Swift may have {', '.join(OPTIONS)}; {_QUOTE}")
        if name in options:
            raise UsageError(f"{name} stands twice in the URL of Swift")
        if "?" in value:
            raise UsageError(f"no URL of Swift: {_FORM}; {_QUOTE}")
        if value:
            options[name] = _unquoted(value)
    return options


def _version(asked: str | None, given: _Given, environ: Mapping[str, str]) -> int:
    if asked is None:
        if given.host:
            return 1 if given.path.endswith(("/v1.0", "/v1")) else 3
        return 1 if "ST_AUTH" in environ and "OS_AUTH_URL" not in environ else 3
    if asked not in _VERSIONS:
        raise UsageError("auth: Swift's login is 1, or 3 for Keystone; Keystone's 2 is no more")
    return _VERSIONS[asked]


def _auth_url(given: _Given, version: int, environ: Mapping[str, str]) -> str:
    if given.host:
        default = "/auth/v1.0" if version == 1 else "/v3"
        url = f"{'https' if given.secure else 'http'}://{given.host}{given.path or default}"
    else:
        name = "ST_AUTH" if version == 1 else "OS_AUTH_URL"
        meant = environ.get(name, "")
        if not storage_scheme(meant):
            raise UsageError(f"a URL of Swift without a host needs a URL to log in at in {name}: {_FORM}")
        parts = urlsplit(meant)
        if given.secure and parts.scheme != "https":
            raise UsageError(f"swifts: is by TLS, but {name} is not")
        path = parts.path.rstrip("/")
        url = f"{parts.scheme}://{_checked_host(parts.netloc)}{path}"
    return url if version == 1 or url.endswith("/v3") else f"{url}/v3"


def _credentials_for(auth_url: str, version: int, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, unless it is meant for another host: that one gets no password of it."""
    meant = environ.get("ST_AUTH" if version == 1 else "OS_AUTH_URL")
    with suppress(ValueError):
        if not meant or urlsplit(meant).netloc.lower() == urlsplit(auth_url).netloc:
            return environ
    return {}


def _scope(project: str, options: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Keystone's project and domains. A domain that nobody names is ``Default``."""
    scope: dict[str, str] = {}
    if not project and environ.get("OS_PROJECT_ID"):
        scope["project_id"] = environ["OS_PROJECT_ID"]
    else:
        project = project or environ.get("OS_PROJECT_NAME", "") or environ.get("OS_TENANT_NAME", "")
        if not project:
            raise UsageError(f"Keystone needs a project: {_FORM}, or project=, or OS_PROJECT_NAME")
        scope["project_name"] = project
    for whose in ("user", "project"):
        if whose == "project" and "project_id" in scope:
            continue
        name = options.get(f"{whose}_domain", options.get("domain"))
        variable = f"OS_{whose.upper()}_DOMAIN"
        if name is None and environ.get(f"{variable}_ID"):
            scope[f"{whose}_domain_id"] = environ[f"{variable}_ID"]
        else:
            scope[f"{whose}_domain_name"] = name or environ.get(f"{variable}_NAME", "") or "Default"
    return scope


def _checked_container(name: str) -> str:
    if not name:
        raise UsageError(f"the container is missing: {_FORM}")
    if "/" in name or len(name.encode(errors="replace")) > _LONGEST:
        raise UsageError(f"a container's name has no / and at most {_LONGEST} bytes")
    return name
