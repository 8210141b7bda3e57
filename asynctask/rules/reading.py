"""Reads rules files: TOML, and every mistake in it is told with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from asynctask.emitter.topics import parse_pattern
from asynctask.errors import UsageError
from asynctask.pollers.changes import scheme_of
from asynctask.rules.limits import Rate, seconds_of
from asynctask.rules.model import Rule, Rules, Watched
from asynctask.workers.arguments import check_env

__all__ = ("load_rules", "parse_rules")

VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_EVENTS = ("created", "modified", "deleted")
_STDIN = ("json", "paths", "urls")
_OVERFLOW = ("drop_oldest", "drop_newest")
_OWN = "ASYNCTASK_"
#: The most bytes of a rules file.
_MOST = 4 << 20

T = TypeVar("T")


def load_rules(path: str | Path) -> Rules:
    """Read a rules file. Paths in it are relative to its directory.

    Raises:
        UsageError: it cannot be read, or something in it can never work; the message has the place.
    """
    path = Path(path)
    rules = parse_rules(_text_of(path), source=str(path), base=path.parent)
    for what, written in _written(rules.pollers, rules.dead_letters):
        if written == path:
            raise UsageError(f"{path}: {what}: this is the rules file itself")
    return rules


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)  # it may be a device that never ends
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path}: {getattr(exc, 'strerror', '') or exc}") from exc
    if len(content) > _MOST:
        raise UsageError(f"{path}: it has more than {_MOST >> 20} MiB: this is no rules file")
    try:
        return content.decode("utf-8-sig")  # some editors put a mark at the beginning
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{path}: it is not UTF-8, as TOML must be (at line {line})") from exc


def parse_rules(text: str, *, source: str = "rules", base: str | Path = ".") -> Rules:
    """Rules from the text of a rules file.

    Args:
        text: TOML.
        source: what it is called in messages.
        base: the directory that paths in it are relative to.

    Raises:
        UsageError: something in it can never work; the message has the place.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{source}: {exc}") from exc
    except ValueError as exc:
        raise UsageError(f"{source}: a number has too many digits") from exc
    except RecursionError as exc:
        raise UsageError(f"{source}: brackets are nested too deeply") from exc
    table = _Table(content, source)
    if "version" not in content:
        raise UsageError(f"{source}: version is missing: begin with the line version = {VERSION}")
    version = table.take("version", _number(int, 1))
    if version != VERSION:
        raise UsageError(f"{source}: version = {VERSION} is needed, not {version}")
    settings = table.table("settings")
    dead_letters = settings.take("dead_letters", _path(Path(base)), None)
    settings.done()
    pollers = tuple(_watched(name, each, Path(base)) for name, each in table.tables("pollers"))
    rules = tuple(_rule(each, number) for number, each in enumerate(table.items("rules"), 1))
    table.done()
    _check_whole(source, pollers, rules, dead_letters)
    return Rules(pollers=pollers, rules=rules, dead_letters=dead_letters)


def _watched(name: str, table: _Table, base: Path) -> Watched:
    _check_name(table.where, name)
    watched = Watched(
        name=name,
        url=table.take("url", _url(base)),
        recurse=table.take("recurse", _flag, False),
        interval=table.take("interval", _more_than_0, 1.0),
        debounce=table.take("debounce", seconds_of, 0.0),
        existing=table.take("existing", _flag, False),
        state=table.take("state", _path(base), None),
    )
    table.done()
    return watched


def _rule(table: _Table, number: int) -> Rule:
    table.where = f"{table.source}: rule {number}"
    name = table.take("name", _text)
    _check_name(table.where, name)
    table.where = f"{table.source}: rule {name!r}"
    env = table.take("env", _env, {})
    with _place(table.where):
        rule = Rule(
            name=name,
            when=table.take("when", _topics),
            run=table.take("run", _text),
            only=table.take("only", _some_texts, ()),
            nodes=table.take("nodes", _text, None),
            worker=table.take("worker", _text, None),
            fanout=table.take("fanout", _number(int, 1), 64),
            timeout=table.take("timeout", _more_than_0, None),
            connect_timeout=table.take("connect_timeout", _more_than_0, None),
            env=env,
            stdin=table.take("stdin", _choice(_STDIN), None),
            debounce=table.take("debounce", seconds_of, 0.0),
            rate=table.take("rate", Rate.parse, None),
            concurrency=table.take("concurrency", _number(int, 1), 1),
            queue=table.take("queue", _number(int, 1), 1000),
            overflow=table.take("overflow", _choice(_OVERFLOW), "drop_oldest"),
            retries=table.take("retries", _number(int, 0), 0),
            retry_delay=table.take("retry_delay", seconds_of, 1.0),
        )
        table.done()
    return rule


def _written(pollers: tuple[Watched, ...], dead_letters: Path | None) -> Iterator[tuple[str, Path]]:
    """The files that are written, and the keys that name them."""
    for watched in pollers:
        if watched.state is not None:
            yield f"[pollers.{watched.name}]: state", watched.state
    if dead_letters is not None:
        yield "[settings]: dead_letters", dead_letters


def _check_whole(
    source: str, pollers: tuple[Watched, ...], rules: tuple[Rule, ...], dead_letters: Path | None
) -> None:
    if not rules:
        raise UsageError(f"{source}: there are no [[rules]]")
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source}: two rules are called {name!r}")
    keys: dict[Path, str] = {}
    for key, path in _written(pollers, dead_letters):
        if path in keys:
            raise UsageError(f"{source}: {key}: {path} is also that of {keys[path]}: each needs its own")
        keys[path] = key
    known = [watched.name for watched in pollers]
    for rule in rules:
        for topic in rule.when:
            head, _, rest = topic.partition(".")
            name, _, event = rest.partition(".")
            if head == "poller" and name and name != "*" and name not in known:
                raise UsageError(
                    f"{source}: rule {rule.name!r}: when: there is no poller {name!r}{_nearest(name, known)}"
                )
            if head == "poller" and event not in {"", "*", *_EVENTS}:
                raise UsageError(
                    f"{source}: rule {rule.name!r}: when: pollers have no event {event!r}"
                    f"{_nearest(event, _EVENTS)}"
                )


class _Table:
    """A table of the file, whose keys are taken one by one; at the end there must be none left."""

    def __init__(self, content: Mapping[str, Any], where: str, source: str = "") -> None:
        self._content = content
        self._known: list[str] = []
        self.where = where
        self.source = source or where

    def take(self, key: str, check: Callable[[Any], T], default: Any = ...) -> T:
        self._known.append(key)
        if key not in self._content:
            if default is ...:
                self.done(unfinished=True)
                raise UsageError(f"{self.where}: {key} is missing")
            found: T = default
            return found
        with _place(f"{self.where}: {key}"):
            return check(self._content[key])

    def table(self, key: str) -> _Table:
        return _Table(self.take(key, _mapping, {}), f"{self.where}: [{key}]", self.source)

    def tables(self, key: str) -> Iterator[tuple[str, _Table]]:
        for name, content in self.take(key, _mapping, {}).items():
            where = f"{self.where}: [{key}.{name}]"
            with _place(where):
                yield name, _Table(_mapping(content), where, self.source)

    def items(self, key: str) -> Iterator[_Table]:
        if isinstance(self._content.get(key), dict):
            raise UsageError(f"{self.where}: {key}: each begins with [[{key}]], in two brackets")
        for number, content in enumerate(self.take(key, _list, []), 1):
            where = f"{self.where}: [[{key}]] {number}"
            with _place(where):
                yield _Table(_mapping(content), where, self.source)

    def done(self, *, unfinished: bool = False) -> None:
        """Refuse what nobody has taken; ``unfinished``: only what looks like a key that was not found."""
        for key in self._content:
            if key not in self._known:
                hint = _nearest(key, self._known)
                if hint or not unfinished:
                    raise UsageError(f"{self.where}: unknown key {key!r}{hint}")


@contextmanager
def _place(where: str) -> Iterator[None]:
    """Say where it is, unless it is said."""
    try:
        yield
    except UsageError as exc:
        text = str(exc)
        if text.startswith(where.partition(": ")[0] + ": "):
            raise
        raise UsageError(f"{where}: {text}") from exc


def _nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_name(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name has letters, digits, _ and -, for it is part of a topic: {name!r}")


# -- kinds of values --------------------------------------------------------------------------------------


def _refused(what: str, value: object) -> UsageError:
    kinds = {bool: "true or false", str: "text", int: "a number", list: "a list", dict: "a table"}
    kind = f"{value}" if isinstance(value, float) else kinds.get(type(value), "a date or time")
    return UsageError(f"{what} is needed, not {kind}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _refused("text", value)
    if not value.strip() or "\0" in value:
        raise UsageError("it is empty" if not value.strip() else "it cannot hold a NUL character")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(each) for each in (value if isinstance(value, list) else [value]))


def _some_texts(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if not texts:
        raise UsageError("it is empty")
    return texts


def _topics(value: object) -> tuple[str, ...]:
    topics = _some_texts(value)
    for topic in topics:
        parse_pattern(topic)
    return tuple(dict.fromkeys(topics))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _refused("true or false", value)
    return value


def _number(kind: type[int], least: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise _refused("a whole number", value)
        if value < least:
            raise UsageError(f"{least} or more is needed, not {value}")
        return value

    return check


def _more_than_0(value: object) -> float:
    seconds = seconds_of(value)
    if not seconds:
        raise UsageError("more than 0 seconds are needed")
    return seconds


def _choice(choices: tuple[str, ...]) -> Callable[[object], Any]:
    def check(value: object) -> str:
        if value not in choices:
            nearest = _nearest(value, choices) if isinstance(value, str) else ""
            raise UsageError(f"one of {', '.join(choices)} is needed, not {value!r}{nearest}")
        return str(value)

    return check


def _env(value: object) -> dict[str, str]:
    try:
        env = check_env(_mapping(value)) or {}
    except UsageError as exc:
        raise UsageError(str(exc).removeprefix("env: ")) from exc
    for name in env:
        if name.startswith(_OWN):
            raise UsageError(f"{name}: names that begin with {_OWN} are for the event's data")
    return env


def _path(base: Path) -> Callable[[object], Path]:
    def check(value: object) -> Path:
        try:
            return base / Path(_text(value)).expanduser()
        except RuntimeError as exc:  # of whom, is in the text
            raise UsageError(f"{value!r}: the home directory is not known") from exc

    return check


def _url(base: Path) -> Callable[[object], str]:
    """A path without a scheme is relative to the rules file, as all paths in it."""

    def check(value: object) -> str:
        url = _text(value)
        is_path = scheme_of(url) == "file" and url[:5].lower() != "file:"
        return str(_path(base)(url)) if is_path else url

    return check


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused("a table", value)
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _refused("a list", value)
    return value
