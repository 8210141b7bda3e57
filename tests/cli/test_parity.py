"""The same command lines by ``clush`` and by ``asynctask run``: the same standard output and exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.clush import Clush
from tests.cli.conftest import CommandLine

pytestmark = [
    pytest.mark.one_loop("the command line runs on its own loop"),
    pytest.mark.usefixtures("node_sets_as_before"),
]

#: The same, another, none, blank lines, no last newline, other exit codes, standard error.
MIXED = (
    r"case %n in 0|4) printf 'a\nb\n';; 1) printf 'a\n\nb'; exit 3;; 2) exit 3;; 3) printf 'b\n\n'; exit 3;;"
    r" 5) ;; 6) printf 'a\nb';; *) printf '\n';; esac; echo gone >&2"
)


@pytest.fixture
def both(clush: Clush, asynctask: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Runs a command line by both, on this machine."""
    monkeypatch.chdir(tmp_path)
    return Both(clush, asynctask)


class Both:
    """What the fixture ``both`` is."""

    def __init__(self, clush: Clush, asynctask: CommandLine) -> None:
        self._clush = clush
        self._asynctask = asynctask

    def same(self, *words: str, stdin: Path | None = None) -> bytes:
        """What both write to standard output; they end the same, too."""
        words = ("-R", "exec", *(() if stdin else ("-n",)), *words)
        theirs = self._clush(*words, stdin=stdin)
        ours = self._asynctask("run", *words, stdin=stdin)
        assert (ours.status, ours.stdout.decode()) == (theirs.status, theirs.stdout.decode())
        return ours.stdout


# -- how output is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ("-b", MIXED),
        ("-b -N", MIXED),
        ("-B -q", "echo %n >&2; echo x"),
        ("-L", MIXED),
        ("-L -N", MIXED),
        ("--diff", MIXED),
        ("--diff --color=always", r"printf 'x\n%h\n'; test %n != 0"),
        ("-b -L --color=always", MIXED),
        ("-b -O node_count=no", MIXED),
        ("-L -O command_prefix=echo", "it is %h"),
        ("-L -P --grooming 1 -E auto --remote=no -l nobody -t 9 -u 9 -f 3", "echo %h"),
    ],
)
def test_the_same_output(both: Both, options: str, command: str) -> None:
    """Byte for byte."""
    assert both.same(*options.split(), "-w", "n[1-8]", command)


@pytest.mark.parametrize("options", ["-N", "-q", "--color=always"])
def test_the_same_line_by_line(both: Both, options: str) -> None:
    """As it comes; which node is first is a matter of chance, so it is one."""
    assert both.same(
        *options.split(), "-w", "n", MIXED.replace("0|4)", "0) printf 'x\\n\\nx\\n'; exit 3;; 4)")
    )


@pytest.mark.parametrize("option", ["-q", "-b"])
def test_the_same_files(clush: Clush, asynctask: CommandLine, tmp_path: Path, option: str) -> None:
    """``--outdir`` and ``--errdir``; beside ``-b`` clush makes none."""
    words = ["-n", "-R", "exec", option, "-w", "n[1-2]", "echo %h; echo x >&2"]
    wanted = {"out/n1": "n1\n", "out/n2": "n2\n", "err/n1": "x\n", "err/n2": "x\n"}

    def written(run: Clush | CommandLine, *first: str) -> dict[str, str]:
        place = tmp_path / (first or ("clush",))[0]
        run(*first, "--outdir", f"{place}/out", "--errdir", f"{place}/err", *words)
        return {str(file.relative_to(place)): file.read_text() for file in place.glob("*/*")}

    assert written(asynctask, "run") == wanted
    assert written(clush) == (wanted if option == "-q" else {})


def test_the_same_input(both: Both, tmp_path: Path) -> None:
    """Every node gets all of it; without a command it is one for the shell."""
    (tmp_path / "input").write_text("one\ntwo\n")
    (tmp_path / "script").write_text("echo $((6 * 7))\n")

    assert b"\none\ntwo\n" in both.same("-b", "-w", "n[1-3]", "cat", stdin=tmp_path / "input")
    assert both.same("-b", "-w", "n[1-3]", "sh", stdin=tmp_path / "script").endswith(b"\n42\n")


def test_the_same_mode(both: Both, tmp_path: Path) -> None:
    """``--conf`` and ``-m``: a mode's prefix stands in front of the command."""
    (tmp_path / "clush.conf").write_text(
        "[Main]\nnode_count: no\n[mode:loud]\ncommand_prefix: echo loudly\n[mode:mute]\ncommand_prefix: :\n"
    )

    shown = both.same("--conf", "clush.conf", "-m", "loud", "-b", "-w", "n[1-2]", "hello")

    assert shown == b"---------------\nn[1-2]\n---------------\nloudly hello\n"


# -- which nodes --------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> None:
    """Groups, and files of nodes."""
    (tmp_path / "groups.conf").write_text(f"[Main]\ndefault: file\nautodir: {tmp_path}\n")
    (tmp_path / "groups.yaml").write_text(
        "file:\n  web: web[1-3]\n  db: db[1-2]\n  front: '@web,lb'\n  all: web[1-3],db[1-2],lb\n"
        "gpu:\n  a: web1\n  v: db[1-2]\n"
    )
    (tmp_path / "hosts").write_text("web1 web2\n@db\n")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "options",
    [
        "-w web[1-3] -w db1,n01 -x web2 -x n[00-09]",
        "-w web[1-9]&web[2-20/2]!web4^x",
        "-a -x @db",
        "-g web,db -X db -w n1,@gpu:*",
        "--hostfile hosts --machinefile hosts",
        "-a -r",
        "-s gpu -a -r",
        "-s gpu -a -r -G",
        "-w web[1-3],db1 -r -L",
        "-w n[1-2]-ib[0-1] --axis 1",
        "-w n[1-2]-ib[0-1] --axis=-1",
        "-w web1 --pick 9",
    ],
)
def test_the_same_nodes(both: Both, options: str) -> None:
    """And the same headers."""
    assert both.same("--groupsconf", "groups.conf", "-b", *options.split(), "echo x")
