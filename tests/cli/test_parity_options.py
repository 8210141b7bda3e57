"""Options of ``asynctask run`` that clush has not, or not so: what each does to the real command."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from asynctask.cli.control import retrying
from tests.cli.conftest import CommandLine

pytestmark = [
    pytest.mark.one_loop("the command line runs on its own loop"),
    pytest.mark.usefixtures("node_sets_as_before"),
]

HERE = ("run", "-R", "exec")


def _block(nodes: str, text: str) -> str:
    return f"---------------\n{nodes}\n---------------\n{text}\n"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one."""
    monkeypatch.chdir(tmp_path)


# -- which nodes --------------------------------------------------------------------------------------


def test_some_nodes_at_random(asynctask: CommandLine) -> None:
    """``--pick``: so many of them, in their order; -v tells which."""
    _, stdout, stderr = asynctask(*HERE, "-f1", "-v", "-w", "n[1-9]", "--pick", "2", "echo %h")

    picked = [line.split(": ")[1] for line in stdout.decode().splitlines()]
    assert len(set(picked)) == 2
    assert picked == sorted(picked)
    assert stderr.decode().splitlines()[0] in {
        f"asynctask: picked n[{picked[0][1]}-{picked[1][1]}]",
        f"asynctask: picked n[{picked[0][1]},{picked[1][1]}]",
    }


@pytest.mark.parametrize(("option", "said"), [("-v", True), ("-q", False)])
def test_a_file_with_the_name_of_a_node(asynctask: CommandLine, option: str, said: bool) -> None:
    """A shell may have made it of a pattern; -q is quiet about it."""
    Path("n1").touch()

    stderr = asynctask(*HERE, option, "-w", "n1,n2", "-w", "n1", "-x", "n1", "true").stderr.decode()

    for word in ("-w", "-x"):
        told = f"asynctask: {word} n1: a file of that name is here; did the shell put it there for a pattern?"
        assert (told in stderr.splitlines()) is said


def test_nodes_from_a_file(asynctask: CommandLine) -> None:
    """With comments; ``-`` is standard input, of which commands then find the end."""
    Path("hosts").write_text("n1 n2  # the first\nn[8-9]\n")

    assert asynctask(*HERE, "-b", "--hostfile", "-", "cat; echo x", stdin=Path("hosts")) == (
        0,
        _block("n[1-2,8-9] (4)", "x").encode(),
        b"",
    )


# -- how it runs --------------------------------------------------------------------------------------


def test_variables(asynctask: CommandLine) -> None:
    """``--env``, several times."""
    stdout = asynctask(*HERE, "--env", "A=b c", "--env", "D=", "-w", "n", 'echo "$A$D"').stdout

    assert stdout == b"n: b c\n"


def test_a_prefix_of_a_mode(asynctask: CommandLine) -> None:
    """What was written beats the mode, and the mode the rest of its file."""
    Path("clush.conf").write_text(
        "[Main]\nnode_count: no\ncommand_timeout: 9\n"
        "[mode:slow]\ncommand_prefix: echo ran\ncommand_timeout: 5\nfanout: 2\n"
    )

    stdout = asynctask(
        *HERE, "--conf", "clush.conf", "-m", "slow", "-u", "7", "-w", "n", "--dry-run", "x"
    ).stdout

    lines = [line.split(" (")[0] for line in stdout.decode().splitlines()]
    assert {"command:          echo ran x", "command timeout:  7 s", "fanout:           2 at once"} <= set(
        lines
    )


@pytest.mark.parametrize("option", ["-E epoll", "--grooming 1", "--remote yes"])
def test_options_without_effect(asynctask: CommandLine, option: str) -> None:
    """What clush has for its engine and its gateways."""
    assert asynctask(*HERE, *option.split(), "-w", "n", "echo x") == (0, b"n: x\n", b"")


def test_gateways(asynctask: CommandLine) -> None:
    """There are none yet, and it is said."""
    status, _, stderr = asynctask(*HERE, "--topology", "f", "-w", "n", "true")

    assert (status, stderr.splitlines()[-1]) == (
        2,
        b"Error: --topology: there are no gateways yet; -J goes by a jump host",
    )


def test_delay(asynctask: CommandLine) -> None:
    """``--delay`` is from one start to the next; three nodes take two of them."""
    stdout = asynctask(*HERE, "--json", "--delay", "0.05", "-w", "n[1-3]", "true").stdout

    *nodes, _summary = map(json.loads, stdout.splitlines())
    began = sorted(datetime.fromisoformat(node["times"]["began"]) for node in nodes)
    assert len(began) == 3
    assert (began[2] - began[0]).total_seconds() >= 0.09


# -- what is shown ------------------------------------------------------------------------------------

_OUTPUT = rb"printf 'a\377\nb'; echo e >&2".decode()


@pytest.mark.parametrize(
    "option", ["-b", "-B", "-L", "-bL", "--diff", "--similar", "--json", "--events", "-P"]
)
def test_files_besides(asynctask: CommandLine, option: str) -> None:
    """``--outdir`` and ``--errdir`` go with everything, byte for byte."""
    asynctask(*HERE, option, "--outdir", "out", "--errdir", "err", "-w", "n[1-2]", _OUTPUT)

    mixed = option == "-B"
    for node in ("n1", "n2"):
        written = Path("out", node).read_bytes()
        assert sorted(written) == sorted(b"a\xff\nbe\n") if mixed else written == b"a\xff\nb"
        assert mixed or Path("err", node).read_bytes() == b"e\n"


def test_similar_and_outliers(asynctask: CommandLine) -> None:
    """``--similar`` passes over names and numbers; ``--outliers`` says who stands first."""
    words = (*HERE, "-w", "n[1-4]", "test %h = n4 && echo odd || echo %h is up %n days")

    last = asynctask(*words[:3], "--similar", "--outliers", "last", *words[3:]).stdout.decode()
    first = asynctask(*words[:3], "--similar", "--outliers", "first", *words[3:]).stdout.decode()

    titles = [re.findall(r"^n.* \(\d\)$|^n4$", text, re.MULTILINE) for text in (last, first)]
    assert titles == [["n[1-3] (3)", "n4"], ["n4", "n[1-3] (3)"]]


def test_objects(asynctask: CommandLine) -> None:
    """``--json`` is one for each node, ``--events`` one for each thing that happens."""
    nodes = asynctask(*HERE, "--json", "-w", "n[1-2]", "echo x; exit 2")
    events = asynctask(*HERE, "--events", "-w", "n1", "echo x; exit 2")

    found = [each for each in map(json.loads, nodes.stdout.splitlines()) if each.get("node")]
    assert {(each["node"], each["rc"]) for each in found} == {("n1", 2), ("n2", 2)}
    assert nodes.stderr == b"asynctask: n[1-2] (2): failed with exit code 2\n"
    kinds = [json.loads(line)["type"] for line in events.stdout.splitlines()]
    assert kinds == [
        "run_started",
        "node_started",
        "output",
        "node_exited",
        "attempt_ended",
        "node_ended",
        "run_ended",
    ]


def test_colours(asynctask: CommandLine) -> None:
    """``--color`` and the configuration's; into a pipe there are none by themselves."""
    words = ("-w", "n", "echo x")

    assert asynctask(*HERE, *words).stdout == b"n: x\n"
    coloured = asynctask(*HERE, "--color", "always", *words).stdout
    assert coloured == b"\x1b[94mn: \x1b[0mx\n"
    assert asynctask(*HERE, "-O", "color=always", *words).stdout == coloured
    assert asynctask(*HERE, "-O", "color=always", "--color=never", *words).stdout == b"n: x\n"


def test_saying_more(asynctask: CommandLine) -> None:
    """``-v`` ends with a summary, ``-q`` has no progress, ``-d`` says at least what ``-v`` does."""
    verbose, debug, quiet = (
        asynctask(*HERE, option, "-w", "n", "true").stderr for option in ("-v", "-d", "-q")
    )

    assert verbose == b"asynctask: 1 ok\n"
    assert debug.endswith(verbose)
    assert quiet == b""


# -- how far it goes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command", "status", "ran", "said"),
    [
        ("-f1 --halt now,fail=1", "test %n != 1", 3, "n1 n2", "1 of 4 nodes failed: --halt now,fail=1"),
        ("-f1 --halt soon,fail=25% -S", "exit 5", 255, "n1", "1 of 4 nodes failed: --halt soon,fail=25%"),
        ("--halt never", "false", 0, "n1 n2 n3 n4", None),
        ("--batch 50%", "true", 0, "n1 n2 n3 n4", None),
        ("--canary 1", "false", 3, "n1", "batch 1 of 2: n1 did not end well"),
        ("--canary 1 --batch 2", "test %h != n3", 3, "n1 n2 n3", "batch 2 of 3: n3 did not end well"),
        ("--batch 2 --check false", "true", 3, "n1 n2", "--check"),
        ("--batch 2 --check true", "true", 0, "n1 n2 n3 n4", None),
        (
            "-f1 --deadline 0.2",
            "test %n = 0 || exec sleep 60",
            3,
            "n1 n2",
            "the deadline of 0.2 s was reached",
        ),
        ("-f1 --quorum 50%", "true", 0, "n1 n2", "--quorum 50%"),
        ("-f1 --quorum 4", "false", 3, "n1", "--quorum 4"),
    ],
)
def test_run_control(
    asynctask: CommandLine, options: str, command: str, status: int, ran: str, said: str | None
) -> None:
    """Which nodes begin, the exit status, and why."""
    finished = asynctask(*HERE, *options.split(), "-w", "n[1-4]", f"touch %h; {command}")

    began = sorted(path.name for path in Path().glob("n?"))
    assert (finished.status, began) == (status, ran.split())
    assert said is None or said in finished.stderr.decode()


def test_retries(asynctask: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--retries``: once more where it failed, after a pause."""
    monkeypatch.setattr(retrying, "_FIRST", 0.01)

    finished = asynctask(
        *HERE, "-S", "--retries", "2", "-v", "-w", "n[1-2]", "test -e %h || { touch %h; exit 7; }"
    )

    assert finished.status == 0
    assert finished.stderr.endswith(b"asynctask: 2 ok (2 only when tried again)\n")


def test_a_dry_run(asynctask: CommandLine) -> None:
    """``--dry-run`` shows it, and runs nothing."""
    status, stdout, _ = asynctask(*HERE, "--dry-run", "--batch", "1", "-w", "n[1-2]", "touch %h")

    assert status == 0
    assert stdout.startswith(
        b"nothing is run\nnodes:            n[1-2] (2)\ncommand:          n1: touch n1\n"
    )
    assert not Path("n1").exists()


def test_consent(asynctask: CommandLine) -> None:
    """``--confirm`` needs somebody to ask; ``--yes`` is for scripts."""
    refused = asynctask(*HERE, "--confirm", "1", "-w", "n[1-2]", "touch %h")
    assert (refused.status, Path("n1").exists()) == (2, False)
    assert b"--yes" in refused.stderr

    assert asynctask(*HERE, "--confirm", "1", "--yes", "-w", "n[1-2]", "touch %h").status == 0
    assert asynctask(*HERE, "--confirm", "2", "-w", "n[1-2]", "touch %h").status == 0
    assert Path("n1").exists()


def test_history(asynctask: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--no-history`` leaves a run out; ``--history`` takes it in whatever the configuration says."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    asynctask(*HERE, "--no-history", "-w", "n1", "true")
    asynctask(*HERE, "-O", "history=no", "--history", "-w", "n2", "true")

    listed = asynctask("history").stdout.decode().splitlines()
    assert len(listed) == 2
    assert " n2 " in listed[1]
