"""``asynctask run`` with its output in pipes; terminals, signals and SSH have test files of their own."""

from __future__ import annotations

import os
import random
import select
import subprocess
from pathlib import Path

import pytest

from asynctask.cli.output.live import LiveView
from asynctask.cli.past.recorder import Recorder
from tests.cli.conftest import CommandLine
from tests.cli.programs import PROGRAM, run, until

HERE = ("run", "-R", "exec")


def _block(nodes: str, text: str) -> str:
    return f"---------------\n{nodes}\n---------------\n{text}\n"


# -- output -------------------------------------------------------------------------------------


def test_each_line_with_its_node(asynctask: CommandLine) -> None:
    """Standard error to standard error; who failed is said at the end, and is no error."""
    status, stdout, stderr = asynctask(*HERE, "-w", "n[1-3]", "echo out %h; echo err %h >&2; exit %n")

    assert status == 0
    assert sorted(stdout.splitlines()) == [b"n1: out n1", b"n2: out n2", b"n3: out n3"]
    lines = stderr.decode().splitlines()
    assert sorted(lines[:3]) == ["n1: err n1", "n2: err n2", "n3: err n3"]
    assert lines[3:] == [
        "asynctask: n2: failed with exit code 1",
        "asynctask: n3: failed with exit code 2",
        "asynctask: 1 ok, 1 failed (rc 1): n2, 1 failed (rc 2): n3",
    ]


@pytest.mark.parametrize(
    ("options", "command", "stdout"),
    [
        (["-N"], "echo %n; echo", "0\n\n1\n\n"),
        (["-q"], "echo %n", "b: 0\na: 1\n"),
        (["-b"], "echo x", _block("a,b (2)", "x")),
        (["-b"], "echo %h", _block("a", "a") + _block("b", "b")),
        (["-bq"], "echo x", _block("a,b", "x")),
        (["-bN"], "echo x", "x\n"),
        (["-b"], "echo %h; exit %n", _block("b", "b") + _block("a", "a")),
        (["-b"], "test %n = 1 || echo x", _block("b", "x")),
        (["-B"], "echo x; echo y >&2", _block("a,b (2)", "x\ny")),
        (["--outliers", "first"], "test %n = 1 || echo x", _block("b", "x")),
        (["-L"], "echo %n; echo x", "a: 1\na: x\nb: 0\nb: x\n"),
        (["-LN"], "echo %n", "1\n0\n"),
        (["-bL"], "echo %n", "a: 1\nb: 0\n"),
        (["-b", "-v"], "echo x", "b: x\na: x\n" + _block("a,b (2)", "x")),
        (["-L", "-v"], "echo x", "b: x\na: x\na: x\nb: x\n"),
        (["-b"], "true", ""),
    ],
)
def test_how_output_is_shown(asynctask: CommandLine, options: list[str], command: str, stdout: str) -> None:
    """Two nodes, one after the other: first b, then a, as ``-w`` has them."""
    assert asynctask(*HERE, "-f1", "-w", "b,a", *options, command).stdout.decode() == stdout


def test_gathered_standard_error(asynctask: CommandLine) -> None:
    """It goes to standard error, gathered as well."""
    status, stdout, stderr = asynctask(*HERE, "-b", "-w", "n[1-2]", "echo out; echo err >&2; exit 1")

    assert (status, stdout.decode()) == (0, _block("n[1-2] (2)", "out"))
    assert stderr.decode() == _block("n[1-2] (2)", "err") + "asynctask: n[1-2] (2): failed with exit code 1\n"


def test_the_order_of_gathered_output(asynctask: CommandLine) -> None:
    """By exit code, then the most nodes, then the first node; who timed out comes last and is shown, too."""
    command = (
        "case %h in n[12]) echo late; sleep 60;; n3) echo odd;; n4) echo bad; exit 2;; *) echo ok;; esac"
    )

    status, stdout, stderr = asynctask(*HERE, "-b", "-u", "1", "-w", "n[6,4,3,1-2,5]", command)

    assert status == 0
    assert stdout.decode() == (
        _block("n[5-6] (2)", "ok") + _block("n3", "odd") + _block("n4", "bad") + _block("n[1-2] (2)", "late")
    )
    assert stderr.decode().splitlines() == [
        "asynctask: n[1-2] (2): timed out",
        "asynctask: n4: failed with exit code 2",
        "asynctask: 3 ok, 1 failed (rc 2): n4, 2 timed out: n[1-2]",
    ]


def test_verbose_ends_with_a_summary(asynctask: CommandLine) -> None:
    """How many ended how."""
    stderr = asynctask(*HERE, "-v", "-w", "n[1-3]", "exit %n").stderr

    assert stderr.decode().splitlines()[-1] == "asynctask: 1 ok, 1 failed (rc 1): n2, 1 failed (rc 2): n3"


DATA = b"\x1b[31m\r\x9b\xff\xc2\x9b\xe2\x80\xae\0\tx"


@pytest.mark.parametrize("options", [["-N"], ["-bN"], ["-LN"], ["-BN"]])
def test_bytes_are_not_touched(asynctask: CommandLine, tmp_path: Path, options: list[str]) -> None:
    """Control sequences and what is no UTF-8 go into a pipe as they are."""
    (tmp_path / "data").write_bytes(DATA)

    finished = asynctask(*HERE, "-w", "n", *options, f"cat {tmp_path}/data; echo; cat {tmp_path}/data")

    assert finished == (0, DATA + b"\n" + DATA + b"\n", b"")


def test_a_long_line_stays_whole(asynctask: CommandLine) -> None:
    """However long, it is one line."""
    command = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo y"

    assert asynctask(*HERE, "-w", "n", command).stdout == b"n: " + b"x" * 3000000 + b"\nn: y\n"


def test_names_of_any_bytes() -> None:
    """A name that is no UTF-8 is shown as it came."""
    finished = run(*HERE, "-w", "n\udcff", "echo %h; exit 1")

    assert finished == (0, b"n\xff: n\xff\n", "asynctask: n\ufffd: failed with exit code 1\n".encode())


# -- exit status ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command", "status"),
    [
        ([], "exit 3", 0),
        (["-S"], "true", 0),
        (["-S"], "exit %n", 2),
        (["-S"], "kill -9 $$", 137),
        (["-S", "-u", "0.1"], "test %n = 1 || sleep 60", 255),
    ],
)
def test_exit_status(asynctask: CommandLine, options: list[str], command: str, status: int) -> None:
    """0, or with -S the largest exit code."""
    assert asynctask(*HERE, *options, "-w", "n[1-3]", command).status == status


def test_a_script_wants_the_status_alone(asynctask: CommandLine) -> None:
    """``-qS`` leaves out who failed."""
    assert asynctask(*HERE, "-qS", "-w", "n", "echo x; exit 3") == (3, b"n: x\n", b"")


def test_a_fault_of_the_program(asynctask: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what and where; what all nodes did is shown all the same."""

    async def faulty(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(LiveView, "_ev_lines", faulty)

    status, stdout, stderr = asynctask(*HERE, "-vb", "-w", "n", "echo x; exit 2")

    assert (status, stdout.decode()) == (1, _block("n", "x"))
    assert stderr.decode().splitlines() == [
        "asynctask: n: failed with exit code 2",
        "asynctask: 1 failed (rc 2): n",
        "asynctask: a fault of this program, please report it: KeyError('x'); raised in ev_read for n",
    ]


def test_a_run_that_cannot_be_gone_on_with_on_record(
    asynctask: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left alone: the next one would run the command on the same nodes again."""

    async def begin(recorder: Recorder) -> None:
        """As with a full disk."""

    asynctask(
        *HERE, "--batch", "1", "--halt", "soon,fail=1", "-w", "n[1-2]", f"echo x >> {tmp_path}/ran; false"
    )
    monkeypatch.setattr(Recorder, "begin", begin)

    assert asynctask("resume").stderr.splitlines()[-1] == (
        b"asynctask: the history cannot be written, and without it a run is not gone on with"
    )
    assert (tmp_path / "ran").read_text() == "x\n"


# -- targets --------------------------------------------------------------------------------------


def test_groups_of_a_site(tmp_path: Path) -> None:
    """From the groups.conf in ``CLUSTERSHELL_CFGDIR``; -x and -X take away."""
    (tmp_path / "groups.conf").write_text("[Main]\ndefault: site\nautodir: $CFGDIR\n")
    (tmp_path / "site.yaml").write_text("site:\n  all: n[1-9]\n  odd: n[1,3,5,7,9]\n  two: n2\n")
    (tmp_path / "hosts").write_text("n9 # the last\n@two\n")

    words = ["-g", "odd", "-X", "two", "-x", "n7", "--hostfile", str(tmp_path / "hosts"), "-a"]

    finished = run(*HERE, "-f1", *words, "echo", env={"CLUSTERSHELL_CFGDIR": str(tmp_path)})

    assert finished == (0, b"n1: \nn3: \nn5: \nn9: \nn4: \nn6: \nn8: \n", b"")


def test_more_nodes_than_descriptors() -> None:
    """500 at once with 256 descriptors: those that find none wait for the others."""
    words = [*PROGRAM, *HERE, "-f500", "-b", "-S", "-w", "n[1-500]", "read x; echo $x"]

    argv = ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *words]
    done = subprocess.run(argv, check=False, input=b"y\n", capture_output=True, timeout=60)

    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, _block("n[1-500] (500)", "y"), b"")


# -- input ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ten_megabytes() -> bytes:
    """Lines of random bytes."""
    lines = random.Random(1).randbytes(10_000_000).replace(b"\r\n", b"\n")
    return lines + b"\n"


@pytest.mark.parametrize("options", [["-N"], ["-bN"]])
def test_ten_megabytes_through_a_pipe(ten_megabytes: bytes, options: list[str]) -> None:
    """Byte for byte."""
    status, stdout, stderr = run(*HERE, *options, "-w", "n", "cat", stdin=ten_megabytes)

    assert (status, stdout == ten_megabytes, stderr) == (0, True, b"")


def test_every_node_gets_all_of_the_input() -> None:
    """Also those that start later."""
    finished = run(*HERE, "-f1", "-w", "n[1-3]", "wc -c", stdin=b"x" * 300_000)

    assert finished == (0, b"n1: 300000\nn2: 300000\nn3: 300000\n", b"")


def test_a_file_as_input(asynctask: CommandLine, tmp_path: Path) -> None:
    """All nodes read all of it."""
    (tmp_path / "file").write_bytes(b"x" * 300_000)

    finished = asynctask(*HERE, "-f1", "-w", "n[1-2]", "wc -c", stdin=tmp_path / "file")

    assert finished == (0, b"n1: 300000\nn2: 300000\n", b"")


@pytest.mark.parametrize("options", [["-n"], ["--nostdin"]])
def test_input_is_left_alone(asynctask: CommandLine, tmp_path: Path, options: list[str]) -> None:
    """Nodes find the end at once."""
    (tmp_path / "file").write_bytes(b"x")

    assert asynctask(*HERE, *options, "-w", "n", "wc -c", stdin=tmp_path / "file").stdout == b"n: 0\n"


def test_no_input(asynctask: CommandLine) -> None:
    """/dev/null is nothing to read."""
    assert asynctask(*HERE, "-w", "n", "wc -c", stdin=Path(os.devnull)).stdout == b"n: 0\n"


def test_input_that_nobody_reads() -> None:
    """An endless one does not keep a run alive, and the pipe is left as it was found."""
    reader, writer = os.pipe()
    os.write(writer, b"x" * 1000)

    finished = run(*HERE, "-w", "n[1-2]", "head -c1; echo", stdin=reader)

    assert os.get_blocking(reader)
    os.close(reader)
    os.close(writer)
    assert sorted(finished.stdout.splitlines()) == [b"n1: x", b"n2: x"]


# -- readers --------------------------------------------------------------------------------------


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def _megabytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_a_reader_that_has_enough() -> None:
    """As ``| head -1``: quiet, exit status 1, and the commands are gone."""
    process = subprocess.Popen(
        [*PROGRAM, *HERE, "-w", "n[1-3]", "yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()

    assert (process.wait(30), stderr) == (1, b"")
    assert first.endswith(b": y\n")


def test_a_reader_that_does_not_read() -> None:
    """The loop goes on, so commands time out meanwhile; memory stays bounded; nothing is lost."""
    process = subprocess.Popen(
        [*PROGRAM, *HERE, "-N", "-u", "0.5", "-w", "n[1-4]", "yes"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 30)[0]
    until(lambda: not _children(process.pid))

    megabytes = _megabytes(process.pid)
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stderr) == (0, b"asynctask: n[1-4] (4): timed out\n")
    assert megabytes < 100
    assert set(stdout.split(b"\n")) == {b"y", b""}


@pytest.mark.parametrize("options", [[], ["-b"]])
def test_a_pipe_that_does_not_block(options: list[str]) -> None:
    """Whoever made it so, all is written."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [*PROGRAM, *HERE, *options, "-N", "-w", "n", "head -c 1000000 /dev/zero | tr '\\0' '\\n'; echo x"],
        stdout=writer, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)

    stdout = b""
    while chunk := os.read(reader, 65536):
        stdout += chunk
    os.close(reader)
    _, stderr = process.communicate(timeout=30)

    assert (process.returncode, stderr) == (0, b"")
    assert stdout == b"\n" * 1_000_000 + b"x\n"
