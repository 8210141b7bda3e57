"""``asynctask gather``."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
from ClusterShell.CLI import Clubak
from ClusterShell.Defaults import DEFAULTS
from ClusterShell.NodeSet import set_std_group_resolver

from tests.cli.conftest import CommandLine
from tests.cli.programs import Finished, Terminal
from tests.support import unable

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

_RULE = b"---------------\n"
_UPTIME = b"".join(
    b"web%d: up %d days\nweb%d: load %s\n"
    % (node, 3 if node == 3 else 7, node, b"1:00 x" if node < 5 else b"")
    for node in (4, 2, 1, 3, 6, 5)
)


class Gather(Protocol):
    """What the fixture ``gather`` is."""

    def __call__(self, *words: str, stdin: bytes = b"") -> Finished: ...


@pytest.fixture
def gather(asynctask: CommandLine, tmp_path: Path) -> Gather:
    """Runs ``asynctask gather``."""

    def run(*words: str, stdin: bytes = b"") -> Finished:
        source = tmp_path / "stdin"
        source.write_bytes(stdin)
        return asynctask("gather", *words, stdin=source)

    return run


def _clubak(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], stdin: bytes, *words: str
) -> tuple[object, bytes]:
    axis = DEFAULTS.fold_axis
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["clubak", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit_:
            Clubak.main()
    DEFAULTS.fold_axis = axis
    return exit_.value.code, capfdbinary.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-b",
        "-c",
        "-B",
        "-L",
        "-bL",
        "-N",
        "-bN",
        "-LN",
        "-q",
        "-bq",
        "-v",
        "-F -b",
        "--diff",
        "--diff -N",
        "-r",
        "-r -G -s file",
        "-r -s file",
        "-rL",
        "-b --color always",
        "-L --color=always",
        "--diff --color=always",
        "-b --interpret-keys=always",
        "--outdir x --errdir x -b",
        "--diff -L",
    ],
)
def test_the_same_as_clubak(
    gather: Gather,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
    options: str,
) -> None:
    """Byte for byte, with the same separator."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.yaml").write_text("file:\n  front: web[1-2,4]\n  back: web[3,5-6]\n  all: web[1-9]\n")
    (tmp_path / "groups.conf").write_text("[Main]\ndefault: file\nautodir: $CFGDIR\n")
    words = ["--groupsconf", "groups.conf", "-S", ": ", *options.split()]

    theirs = _clubak(monkeypatch, capfdbinary, _UPTIME, *words)
    set_std_group_resolver(None)
    ours = gather(*words, stdin=_UPTIME)
    set_std_group_resolver(None)

    assert (ours.status, ours.stdout) == theirs


@pytest.mark.parametrize(
    ("stdin", "options"),
    [
        (b"a[1-3]: x\nb: x\na2: y\n", "-b"),
        (b"a[1-3]:x\nb:x\n", "-L"),
        (b"r1n1: x\nr1n2: x\nr2n1: x\nr2n2: x\n", "-b --axis 1"),
        (b"r1n1: x\nr1n2: x\nr2n1: x\nr2n2: x\n", "-b --axis -1"),
        (b"a01: x\na1: x\na02: x\n", "-b"),
        (b"a: 1\r\nb: 2\r\n", "-L"),
        (b"", "-b"),
        (b"a: x", "-b"),
        (b"a: 1\na: 2\nb: 1\nb: 2\n", "-T"),
        (b"@web: x\n", "-b"),
    ],
)
def test_the_same_as_clubak_for_other_lines(
    gather: Gather,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    site_groups: Path,
    stdin: bytes,
    options: str,
) -> None:
    """Byte for byte."""
    words = ["-S", ":", *options.split()]

    theirs = _clubak(monkeypatch, capfdbinary, stdin, *words)
    ours = gather(*words, stdin=stdin)

    assert (ours.status, ours.stdout, ours.stderr) == (*theirs, b"")


@pytest.mark.parametrize(
    ("stdin", "options", "theirs", "ours"),
    [
        (b"a: x\n", "-L", (0, b"a:  x\n"), (0, b"a: x\n")),
        (b"n2:x\nn10:y\n", "-bL", (0, b"n10: y\nn2: x\n"), (0, b"n2: x\nn10: y\n")),
        (b"a:\xff\n", "-L", (0, "a: \ufffd\n".encode()), (0, b"a: \xff\n")),
        (b"a:x\nlost\n", "-L", (1, b""), (0, b"a: x\n")),
        (b"a1:x\na2:x\n[b]:x\n", "-bL", (0, None), (0, b"a[1-2],[b]: x\n")),
    ],
)
def test_what_differs_from_clubak(
    gather: Gather,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    stdin: bytes,
    options: str,
    theirs: tuple[int, bytes | None],
    ours: object,
) -> None:
    """The differences that the guide lists."""
    status, output = _clubak(monkeypatch, capfdbinary, stdin, options)
    mine = gather(options, stdin=stdin)

    assert (status, output if theirs[1] is not None else None) == theirs
    assert (mine.status, mine.stdout) == ours


def _dshbak(stdin: bytes, *words: str) -> bytes:
    if shutil.which("dshbak") is None:
        unable("dshbak is not installed: it comes with pdsh")
    return subprocess.run(["dshbak", *words], input=stdin, capture_output=True, check=True).stdout


@pytest.mark.parametrize("options", [[], ["-c"]])
def test_the_same_as_dshbak(gather: Gather, options: list[str]) -> None:
    """But for the headers: theirs have a longer rule and no counts, and sort names by their numbers."""
    stdin = b"web2: x: y\nweb1: x: y\nweb2:  z\nweb1:  z\nweb3:\nnoise without label\ndb1: \x00\xff\n"
    theirs = _dshbak(stdin, *options).replace(b"----------------\n", _RULE)

    ours = gather("-q", *options, stdin=stdin)

    assert _blocks(ours.stdout) == _blocks(theirs)


def _blocks(output: bytes) -> set[tuple[bytes, bytes]]:
    """Headers with their text."""
    parts = output.split(_RULE)[1:]
    return set(zip(parts[::2], parts[1::2], strict=True))


def test_the_same_files_as_dshbak(gather: Gather, tmp_path: Path) -> None:
    """With -d, and -f to make the directory."""
    _dshbak(_UPTIME, "-d", str(tmp_path / "theirs"), "-f")

    assert gather("-d", str(tmp_path / "ours"), "-f", stdin=_UPTIME) == (0, b"", b"")

    assert _files(tmp_path / "ours") == _files(tmp_path / "theirs")


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_files_beside_a_display(gather: Gather, tmp_path: Path) -> None:
    """--outdir makes its directory, and what is shown is shown."""
    shown = gather("--outdir", str(tmp_path / "a" / "b"), "-L", stdin=b"a: 1\nb: 2\n")

    assert shown == (0, b"a: 1\nb: 2\n", b"")
    assert _files(tmp_path / "a" / "b") == {"a": b"1\n", "b": b"2\n"}


def test_bytes_survive(gather: Gather) -> None:
    """What is no text, carriage returns, zero bytes, a last line without its end."""
    shown = gather("-b", stdin=b"a: \xff\0\r\na: 1\r2\nb: \x1b[0m\r\nc: x")

    assert shown == (
        0,
        b"".join((_RULE, b"a\n", _RULE, b"\xff\0\r\n1\r2\n", _RULE, b"b\n", _RULE, b"\x1b[0m\r\n"))
        + b"".join((_RULE, b"c\n", _RULE, b"x\n")),
        b"",
    )


@pytest.mark.parametrize(
    ("stdin", "told"),
    [
        (b"a: 1\nno label\n", b"line 2 has no label and is left out: 'no label'"),
        (b"\na: 1\n: x\n\x1b[2J\n", b"3 lines have no label and are left out: the first is line 1, ''"),
        (b"x" * 99, b"line 1 has no label and is left out: '" + b"x" * 60 + "…'".encode()),
    ],
)
def test_lines_without_label_are_told_once(gather: Gather, stdin: bytes, told: bytes) -> None:
    """They are left out, and all goes on."""
    shown = gather("-b", stdin=stdin)

    assert (shown.status, shown.stderr) == (0, b"asynctask: gather: " + told + b"\n")


def test_files_to_read(gather: Gather, tmp_path: Path) -> None:
    """One after the other; - is standard input."""
    (tmp_path / "one").write_bytes(b"a: 1")
    (tmp_path / "two").write_bytes(b"a: 3\n")

    shown = gather("-L", str(tmp_path / "one"), "-", str(tmp_path / "two"), stdin=b"a: 2\n")

    assert shown == (0, b"a: 1\na: 2\na: 3\n", b"")


def test_a_file_that_cannot_be_read(gather: Gather, tmp_path: Path) -> None:
    """It is named."""
    shown = gather("-b", str(tmp_path / "none"))

    assert shown == (1, b"", f"asynctask: {tmp_path}/none: No such file or directory\n".encode())


def test_debug_says_how_much_came(gather: Gather) -> None:
    """And shows the lines."""
    shown = gather("--debug", "-L", stdin=b"a: 1\nb: 2\na: 3")

    assert shown == (
        0,
        b"INPUT a: 1\nINPUT b: 2\nINPUT a: 3\na: 1\na: 3\nb: 2\n",
        b"asynctask: gather: 3 lines, 2 nodes\n",
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--diff", "-L"], 2, "--diff and -L exclude each other"),
        (["--diff", "-T"], 2, "--diff, -T and --similar exclude each other"),
        (["--similar", "-L"], 2, "--similar and -L exclude each other"),
        (["-f"], 2, "-f goes with -d DIR (clubak's --fast is -F)"),
        (["-d", "x", "-c"], 2, "-d shows nothing: to write files and show the output use --outdir DIR"),
        (["-S", ""], 2, "-S needs at least one character"),
        (
            ["-d", "/no/such"],
            1,
            "-d /no/such: no such directory; -f makes it (clubak's -d, which says more, is ",
        ),
        (["--outdir", "/dev/null/x"], 1, "--outdir /dev/null/x: Not a directory"),
        (["--groupsconf", "/no/such"], 1, "group configuration /no/such: No such file or directory"),
        (["--axis", "-x"], 1, "--axis -x: give axes from 1, as 1,3, or -1 for the last"),
        (["--interpret-keys", "always"], 1, "label '[x]' is no node set: "),
    ],
)
def test_what_cannot_be_done_is_explained(
    gather: Gather, words: list[str], status: int, message: str
) -> None:
    """By name, and nothing is shown."""
    shown = gather(*words, stdin=b"[x]: 1\n")

    assert (shown.status, shown.stdout) == (status, b"")
    assert (
        shown.stderr.decode()
        .splitlines()[-1]
        .startswith(("Error: " if status == 2 else "asynctask: ") + message)
    )


def test_groups_that_cannot_be_looked_up(gather: Gather) -> None:
    """It is said, and node sets are shown."""
    set_std_group_resolver(None)

    shown = gather("-rL", "-s", "nosuch", stdin=b"a1: x\na2: x\n")

    assert (shown.status, shown.stdout) == (0, b"a[1-2]: x\n")
    assert shown.stderr.startswith(b"asynctask: -r: ")


def test_five_thousand_nodes(gather: Gather) -> None:
    """Under one header."""
    stdin = b"".join(b"n%d: x\n" % node for node in range(1, 5001))

    assert gather("-b", stdin=stdin) == (0, _RULE + b"n[1-5000] (5000)\n" + _RULE + b"x\n", b"")


def test_a_terminal_is_not_driven(tmp_path: Path) -> None:
    """Control characters of texts and of labels are written out; headers are in colour."""
    source = tmp_path / "lines"
    source.write_bytes(b"a: \x1b[2J\na\x1b: x\n")
    words, env = ("gather", "-L"), {"NO_COLOR": ""}
    with source.open("rb") as stdin, Terminal(*words, stdin=stdin.fileno(), env=env) as terminal:
        assert terminal.wait() == 0

    assert terminal.lines == [b"\x1b[94ma: \x1b[0m^[[2J", b"\x1b[94ma^[: \x1b[0mx", b""]


def test_who_reads_no_more_ends_it_quietly() -> None:
    """As with any filter before head."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "asynctask", "gather", "-L"],
            input=b"a: x\n",
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


def test_a_full_disk_is_said() -> None:
    """The status is that of an error."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asynctask", "gather", "-b"],
            input=b"a: x\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"asynctask: standard output: No space left on device\n")


@pytest.mark.parametrize("spelling", ["-h", "--help"])
def test_help_shows_examples(gather: Gather, spelling: str) -> None:
    """Help is for who has not read the manual."""
    assert b"\n    asynctask gather --diff web.log  " in gather(spelling).stdout
