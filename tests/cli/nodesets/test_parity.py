"""The same command lines by ``nodeset`` and by ``asynctask nodes``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ClusterShell.CLI import Nodeset

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.one_loop("no event loop runs here")


_GROUPS = """\
[Main]
default: file
autodir: $CFGDIR
[shell]
map: sed -n '/^$GROUP: /{s///p;q};$q1' groups.txt
list: cut -d: -f1 groups.txt
all: cut -d: -f2 groups.txt
[mute]
map: echo silent1
"""
_FILE_GROUPS = "file:\n  db: db[1-2]\n  empty:\n  front: '@web,lb'\n  web: web[1-3]\n"
_SHELL_GROUPS = "cpu: cpu[1-4]\ngpu: gpu[1-2]\n"


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """A file of groups, read anew by each."""
    (tmp_path / "groups.yaml").write_text(_FILE_GROUPS)
    (tmp_path / "groups.txt").write_text(_SHELL_GROUPS)
    path = tmp_path / "groups.conf"
    path.write_text(_GROUPS)
    return path


def _both(
    asynctask: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    stdin: Path,
    words: list[str],
) -> tuple[tuple[object, bytes], tuple[object, bytes]]:
    from ClusterShell.NodeSet import set_std_group_resolver

    with monkeypatch.context() as patch, stdin.open(encoding="utf-8") as stream:
        patch.setattr(sys, "argv", ["nodeset", *words])
        patch.setattr(sys, "stdin", stream)
        with pytest.raises(SystemExit) as exit_:
            Nodeset.main()
    theirs = exit_.value.code, capfdbinary.readouterr().out
    set_std_group_resolver(None)
    ours = asynctask("nodes", *words, stdin=stdin)
    set_std_group_resolver(None)
    return theirs, (ours.status, ours.stdout)


@pytest.mark.parametrize(
    "line",
    [
        "-c a[1-100] a5",
        "-e a[1-3] b",
        "-e -S , a[1-3]",
        r"-e -S \n a[1-2]",
        r"-e -S \x2c a[1-2]",
        "-f b a[01-10] a[1-3]",
        "-f 1.1.1.[1-3] x",
        "-f a[1-3]b[1-2]",
        "-f a[1-5] -x a2",
        "-f a[1-5] -i a[4-9]",
        "-f a[1-5] -X a[4-9]",
        "-f a[1-5] -x a2 -i a[1-3] -X a9 a2",
        "-f a[1-5]!a2",
        "-f a[1-5]&a2",
        "-f a[1-5]^a2",
        "-f @web&web2",
        "-l",
        "-ll",
        "-lll",
        "-l -s shell",
        "-ll -s shell -G",
        "-lll web[2-3] db1",
        "-ll -a",
        "-L",
        "-LL",
        "-LLL",
        "-LLL -s shell",
        "-L web1",
        "-LL web1 cpu2",
        "--list-sources",
        "--groupsources -q",
        "--list-sources -s shell",
        "--completion",
        "--completion -s shell",
        "--completion @web",
        "-r web[1-3] lb db1",
        "-r -s shell cpu[1-4]",
        "-r -s shell -G cpu[1-4] gpu1",
        "-r --autostep=3 web[1-3] n1 n3 n5",
        "-f -a",
        "-f -a -s shell",
        "-f -a -x @web",
        "-f @*",
        "-f web*",
        "-f @shell:gpu",
        "-f --autostep=3 a1 a3 a5",
        "-f --autostep=4 a1 a3 a5",
        "-f --autostep=auto a1 a3 a5 a7",
        "-f --autostep=auto a1 a3 a5 a8",
        "-f --autostep=50% a1 a3 a5 a8",
        "-f --autostep=3 --split=2 a[0-20/2]",
        "-f -O %s-ib a[1-3]",
        "-e -O <%s> a[1-3]",
        "-c -O %05d a[1-3]",
        "-r -O <%s> web[1-3]",
        "-f -O n%s --autostep=3 a[1,3,5]",
        "-f -I 0-8/2 a[1-9]",
        "-f -I 20 a[1-9]",
        "-e -I 1,3 b1 a[1-5]",
        "-f --split 3 a[1-10]",
        "-f --split 30 a[1-3]",
        "-c --split 3 a[1-10]",
        "-f --contiguous a[1-3,5-7,9]",
        "-f --axis 1 r[1-2]n[1-2]",
        "-f --axis 1,2 r[1-2]n[1-2]",
        "-f --axis -1 r[1-2]n[1-2]",
        "-c --pick 2 a[1-9]",
        "-f --pick 20 a[1-9]",
        "--index a3 a[1-9]",
        "-R -f 1 2 3 7",
        "-R -e 1-10/3",
        "-R -c 1-10/3",
        "-R -f --autostep 3 1 3 5",
        "-R -e -S , 01-03",
        "-R -f -I 0-1 5-9",
        "-R -f --split 2 5-9",
        "-R -f --contiguous 1-3,5",
        "-R -f 1-9 -x 3",
        "-R -q -f -s shell 1",
        "-d -f a1",
        "-c -f a1",
        "-f a[1-5",
        "-f --split 2 --contiguous a1",
    ],
)
def test_the_same_output_and_status(
    line: str,
    groups: Path,
    asynctask: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> None:
    """Byte for byte."""
    words = ["--groupsconf", str(groups), *line.split(" ")]
    nothing = tmp_path / "nothing"
    nothing.touch()

    theirs, ours = _both(asynctask, monkeypatch, capfdbinary, nothing, words)

    assert ours == theirs


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        ("-f", "a1 a2\na3,b\n"),
        ("-c", "a1 # a2\n# a3\na4\n"),
        ("-f -", "a1\n"),
        ("-f b - - a2", "a1\n"),
        ("-f a[1-3] -x -", "a1\n\na2\n"),
        ("-f -x a1", "a[1-3]\n"),
        ("-e -X a[3-4]", "a[1-3]\n"),
        ("-R -f", "1 3\n2\n"),
        ("-f", ""),
    ],
)
def test_the_same_from_standard_input(
    line: str,
    stdin: str,
    asynctask: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> None:
    """With a newline at its end: without one nodeset loses a character."""
    source = tmp_path / "stdin"
    source.write_text(stdin)

    theirs, ours = _both(asynctask, monkeypatch, capfdbinary, source, line.split())

    assert ours == theirs


@pytest.mark.parametrize(
    ("line", "stdin", "theirs", "ours"),
    [
        ("-f", "node12", (0, b"node1\n"), (0, b"node12\n")),
        ("-f a[1-5] --exclude=a2", "", (0, b"--exclude=a2,a[1-5]\n"), (0, b"a[1,3-5]\n")),
        ("-f -x a2 a[1-5]", "", (0, b"a[1-5]\n"), (0, b"a[1,3-5]\n")),
        ("-f -a -x web[1-2] -i web[2-3] -X @web", "", (0, b"web[1-2]\n"), (0, b"web[1-2]\n")),
        ("-f -a -X x9 -i web[1-2]", "", (0, b"web[1-2],x9\n"), (0, b"web[1-2]\n")),
        ("-f @nosuch", "", (0, b"\n"), (1, b"")),
        ("-e -S '''+a a[1-2]", "", (1, b""), (0, b"a1'''+aa2\n")),
        (
            "-LL -G",
            "",
            (
                0,
                b"@db db[1-2]\n@empty \n@front lb,web[1-3]\n@web web[1-3]\n@cpu \n@gpu \n",
            ),
            (
                0,
                b"@db db[1-2]\n@empty \n@front lb,web[1-3]\n@web web[1-3]\n@cpu cpu[1-4]\n@gpu gpu[1-2]\n",
            ),
        ),
    ],
)
def test_what_differs(
    line: str,
    stdin: str,
    theirs: object,
    ours: object,
    groups: Path,
    asynctask: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> None:
    """The differences that the guide lists."""
    source = tmp_path / "stdin"
    source.write_text(stdin)
    words = ["--groupsconf", str(groups), *line.split()]

    assert _both(asynctask, monkeypatch, capfdbinary, source, words) == (theirs, ours)
