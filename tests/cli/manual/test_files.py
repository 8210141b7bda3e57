"""The files that a package brings along."""

from __future__ import annotations

import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from asynctask.cli.manual.files import files, write

pytestmark = pytest.mark.one_loop("no loop is used")

ROOT = Path(__file__).parent.parent.parent.parent
#: Where the programs that want them look, below the prefix of an installation.
PLACES = {
    "man/asynctask.1": "share/man/man1/asynctask.1",
    "man/asynctask-run.1": "share/man/man1/asynctask-run.1",
    "completion/bash/asynctask": "share/bash-completion/completions/asynctask",
    "completion/zsh/_asynctask": "share/zsh/site-functions/_asynctask",
    "completion/fish/asynctask.fish": "share/fish/vendor_completions.d/asynctask.fish",
}


def _below(directory: Path) -> dict[str, str]:
    found = [*directory.glob("man/*"), *directory.glob("completion/*/*")]
    return {str(path.relative_to(directory)): path.read_text() for path in found}


def test_those_in_the_tree_are_up_to_date() -> None:
    """``python -m asynctask.cli.manual`` writes them."""
    assert _below(ROOT / "docs") == files()


def test_writing(tmp_path: Path) -> None:
    """All of them; the page of a sub-command that is no more goes, what is none of ours stays."""
    (tmp_path / "man").mkdir()
    (tmp_path / "man/asynctask-gone.1").touch()
    (tmp_path / "man/other.1").touch()

    write(tmp_path)

    assert _below(tmp_path) == {**files(), "man/other.1": ""}


def test_the_wheel_has_them(tmp_path: Path) -> None:
    """Where man and the shells find them once it is installed."""
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {
            name.partition(".data/data/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if ".data/data/" in name
        }

    assert {place: found.get(place) for place in PLACES.values()} == {
        place: files()[name] for name, place in PLACES.items()
    }
    assert len(found) == len(files())


def test_only_who_asks_for_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that is run may be imported as any other: whoever goes through a package does."""
    monkeypatch.setattr(sys, "argv", ["program", str(tmp_path)])
    program = str(ROOT / "asynctask/cli/manual/__main__.py")
    runpy.run_path(program, run_name="imported")
    assert _below(tmp_path) == {}

    runpy.run_path(program, run_name="__main__")
    assert _below(tmp_path) == files()
