"""The file, as the options have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.supervising.request import Request
from asynctask.cli.supervising.source import Source, address_of, name_of
from asynctask.errors import TemplateError, UsageError

pytestmark = pytest.mark.one_loop("nothing waits")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Has a Procfile and an .env."""
    (tmp_path / "Procfile").write_text("web: serve\nworker: work\nweb2: serve\n")
    (tmp_path / ".env").write_text("A=1\n")
    return tmp_path


def test_a_file_that_is_found(directory: Path) -> None:
    """With its variables, and ports."""
    source = Source(Request(directory=str(directory)))
    templates = source.read()
    assert (source.path, source.directory) == (directory / "Procfile", directory)
    assert {name: (each.port, dict(each.env)) for name, each in templates.items()} == {
        "web": (5000, {"A": "1"}),
        "worker": (5100, {"A": "1"}),
        "web2": (5200, {"A": "1"}),
    }


def test_a_directory_in_place_of_a_file(directory: Path) -> None:
    """As "asynctask ps -f DIRECTORY" takes it: what is in it."""
    source = Source(Request(file=str(directory)))
    assert (source.path, source.directory) == (directory / "Procfile", directory)
    source = Source(Request(file=str(directory), directory="/"))
    assert (source.path, source.directory) == (directory / "Procfile", Path("/"))


def test_the_variable_goes_before_the_socket_of_the_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for those who connect."""
    (directory / "asynctask.toml").write_text('[manager]\nsocket = "s"\n[process.web]\ncommand = "x"\n')
    source = Source(Request(directory=str(directory)))
    source.read()
    monkeypatch.delenv("ASYNCTASK_SOCKET", raising=False)
    assert source.socket == directory / "s"
    monkeypatch.setenv("ASYNCTASK_SOCKET", "/run/x")
    assert source.socket == Path("/run/x")


def test_options(directory: Path) -> None:
    """Some of it, with other numbers, another place, another port and other variables."""
    (directory / "other.env").write_text("B=2\n")
    source = Source(
        Request(
            file=str(directory / "Procfile"),
            directory="/",
            env_files=(str(directory / "other.env"),),
            port=8000,
            names=("web*",),
            scale={"web": 3},
            exit_with=("web2",),
        )
    )
    templates = source.read()
    assert list(templates) == ["web", "web2"]
    assert (templates["web"].numprocesses, templates["web"].cwd, templates["web"].port) == (3, "/", 8000)
    assert dict(templates["web"].env) == {"B": "2"}
    assert (templates["web"].restart, templates["web2"].restart) == ("always", "never")
    assert source.exit_with(templates) == {"web2"}


def test_none_is_started_again_when_each_is_the_end(directory: Path) -> None:
    """With --abort-on-exit."""
    source = Source(Request(directory=str(directory), abort_on_exit=True))
    assert {each.restart for each in source.read().values()} == {"never"}
    assert source.exit_with(["web", "worker"]) == {"web", "worker"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("nothing",)}, "no template 'nothing'; there are: web, worker, web2"),
        ({"scale": {"wbe": 2}}, "--scale wbe: there is no such template; there are: web, worker, web2"),
        ({"exit_with": ("x",)}, "--exit-with x: there is no such template; there are: web, worker, web2"),
        ({"names": ("web",), "scale": {"worker": 2}}, "--scale worker: there is no such template"),
        ({"scale": {"web": 70_000}}, "template 'web': numprocesses 70000: 10000 or less is needed"),
        ({"name": "a b"}, "a name has letters, digits"),
        ({"env_files": ("/no/such.env",)}, "/no/such.env: No such file or directory"),
    ],
)
def test_what_can_never_work(directory: Path, options: dict[str, object], message: str) -> None:
    """It is told what, and what there is."""
    request = Request(directory=str(directory), **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as raised:
        Source(request).read()
    assert message in str(raised.value)


def test_there_is_no_file(tmp_path: Path) -> None:
    """It is told what was looked for."""
    with pytest.raises(TemplateError, match=r"there is neither asynctask\.toml nor Procfile"):
        Source(Request(directory=str(tmp_path)))


def test_a_name_of_the_options_may_go_from_the_file(directory: Path) -> None:
    """When it is read again, that is no mistake."""
    source = Source(Request(directory=str(directory), scale={"worker": 2}))
    source.read()
    (directory / "Procfile").write_text("web: serve\n")
    assert list(source.read_again()) == ["web"]


def test_settings_of_the_file(tmp_path: Path) -> None:
    """They count where the options say nothing."""
    path = tmp_path / "asynctask.toml"
    path.write_text(
        '[manager]\nname = "site"\nsocket = "run/s.sock"\nhttp = "0.0.0.0:80"\n[process.web]\ncommand = "x"\n'
    )
    source = Source(Request(file=str(path)))
    source.read()
    assert (source.manager_name, source.http) == ("site", ("0.0.0.0", 80))
    assert source.socket == tmp_path / "run/s.sock"
    source = Source(Request(file=str(path), name="mine", http=("::1", 81), socket="s"))
    source.read()
    assert (source.manager_name, source.http, source.socket) == ("mine", ("::1", 81), Path("s").absolute())


def test_a_name_for_each_directory(tmp_path: Path) -> None:
    """One that says which it is, and can be a part of a path on nodes."""
    (tmp_path / "a.b").mkdir()
    assert name_of(tmp_path / "a.b").startswith("a_b-")
    assert name_of(tmp_path / "a.b") == name_of(tmp_path / "a.b" / ".." / "a.b")
    assert name_of(tmp_path / "a.b") != name_of(tmp_path)
    assert name_of(Path("/")).startswith("root-")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("80", ("127.0.0.1", 80)),
        ("web:80", ("web", 80)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """The host is this machine unless it is given."""
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", ":80", "web", "web:", "web:70000", "web:٣"])
def test_what_is_no_address(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="PORT or HOST:PORT is expected"):
        address_of(text)
