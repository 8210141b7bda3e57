"""Tests of asynctask.manager.files.loading."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.errors import TemplateError
from asynctask.manager.files import find_file, load_file
from tests.support import refused

pytestmark = pytest.mark.one_loop("files alone")

TOML = '[process.web]\ncommand = "x"\n'


def _write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)


# -- which file -----------------------------------------------------------------------------------------


def test_toml_is_found_before_a_procfile(tmp_path: Path) -> None:
    """Who wrote it meant it; without either it is said what is looked for."""
    refused(
        TemplateError,
        f"{tmp_path}: there is neither asynctask.toml nor Procfile: name a file with -f",
        lambda: find_file(tmp_path),
    )
    _write(tmp_path, Procfile="a: x")
    assert find_file(tmp_path) == tmp_path / "Procfile"
    _write(tmp_path, asynctask_toml=TOML)
    assert find_file(tmp_path) == tmp_path / "asynctask.toml"


def test_the_kind_is_in_the_name(tmp_path: Path) -> None:
    """What does not end in ``.toml`` is a Procfile."""
    _write(tmp_path, Procfile_dev="a: x", my_toml=TOML)

    assert list(load_file(tmp_path / "Procfile.dev").templates) == ["a"]
    assert list(load_file(tmp_path / "my.toml").templates) == ["web"]


def test_errors_have_the_path(tmp_path: Path) -> None:
    """As it was given."""
    _write(tmp_path, Procfile="a", a_toml="b")

    refused(
        TemplateError,
        f"{tmp_path}/Procfile:1: a line is NAME: COMMAND",
        lambda: load_file(tmp_path / "Procfile"),
    )
    with pytest.raises(TemplateError, match=r"/a\.toml:1: this is no TOML: "):
        load_file(tmp_path / "a.toml")


# -- environments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Procfile", "asynctask.toml"])
def test_the_usual_variables(tmp_path: Path, name: str) -> None:
    """``.env`` is read if it is there, unless others are named, or none."""
    _write(tmp_path, Procfile="web: x", asynctask_toml=TOML, _env="A=1", b="B=2", c="B=3")
    path = tmp_path / name

    def env(**more: list[Path]) -> dict[str, str]:
        return dict(load_file(path, environ={}, **more).templates["web"].env)  # type: ignore[arg-type]

    assert env() == {"A": "1"}
    assert env(env_files=[tmp_path / "b", tmp_path / "c"]) == {"B": "3"}
    assert env(env_files=[]) == {}
    (tmp_path / ".env").unlink()
    assert env() == {}


def test_variables_that_the_file_names(tmp_path: Path) -> None:
    """Instead of ``.env``; they must be there."""
    _write(tmp_path, a_toml=f'[manager]\nenv_files = ["b"]\n{TOML}', _env="A=1", b="B=2")
    assert load_file(tmp_path / "a.toml").templates["web"].env == {"B": "2"}
    (tmp_path / "b").unlink()
    refused(TemplateError, f"{tmp_path}/b: No such file or directory", lambda: load_file(tmp_path / "a.toml"))


def test_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths and ``.env`` are looked for there; it may be relative itself."""
    (tmp_path / "app").mkdir()
    _write(tmp_path, Procfile="web: x", _env="A=1")
    _write(tmp_path / "app", _env="A=2")
    monkeypatch.chdir(tmp_path)
    web = load_file(Path("Procfile"), directory=Path("app")).templates["web"]

    assert (web.cwd, web.env) == (str(tmp_path / "app"), {"A": "2"})
    assert load_file(Path("Procfile")).templates["web"].cwd == str(tmp_path)


# -- ports ----------------------------------------------------------------------------------------------


def test_the_first_port_of_a_procfile(tmp_path: Path) -> None:
    """What is said, else that of ``.env``, else that of the environment, else 5000."""
    _write(tmp_path, Procfile="web: x", _env="PORT=7000")
    path = tmp_path / "Procfile"

    def port(given: int | None = None, **environ: str) -> int | None:
        return load_file(path, port=given, environ=environ).templates["web"].port

    assert [port(6000, PORT="8000"), port(PORT="8000")] == [6000, 7000]
    (tmp_path / ".env").unlink()
    assert [port(PORT="8000"), port()] == [8000, 5000]


def test_a_port_that_is_none(tmp_path: Path) -> None:
    """It is said where it comes from."""
    _write(tmp_path, Procfile="web: x")

    refused(
        TemplateError,
        "PORT in the environment is no port from 1 to 65535: it is that of the first process",
        lambda: load_file(tmp_path / "Procfile", environ={"PORT": "http"}),
    )


def test_ports_of_toml(tmp_path: Path) -> None:
    """Only where they are asked for."""
    _write(tmp_path, a_toml=TOML)

    assert load_file(tmp_path / "a.toml", environ={"PORT": "1"}).templates["web"].port is None
    assert load_file(tmp_path / "a.toml", port=6000).templates["web"].port == 6000
