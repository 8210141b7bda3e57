"""Tests of the program that stays with a process, run by several shells."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from asynctask.manager.launching import Order
from asynctask.manager.remote.keeper import KEEPER
from asynctask.manager.remote.script import run_script
from asynctask.manager.template import ProcessTemplate
from tests.manager.remote.listening import PATIENCE, end_all
from tests.manager.remote.shells import SHELLS, path_of
from tests.sshd import runs

pytestmark = pytest.mark.one_loop("there is no loop in it")

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(params=SHELLS[:2])
def shell(request: pytest.FixtureRequest) -> str:
    """Those that differ most."""
    return str(request.param)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Path]:
    """The directory of a life, on a node on which nothing stays."""
    life = tmp_path / ".local/state/asynctask/tests/n1/web.0/0123"
    life.mkdir(parents=True)
    yield life
    end_all(tmp_path)


@pytest.fixture
def start(life: Path) -> Start:
    """Starts the keeper of a process: a text for the shell."""

    def begin(
        command: str,
        shell: str,
        *,
        lost: float = 60,
        reads: int = 1024,
        unread: int = 1 << 20,
        **settings: object,
    ) -> subprocess.Popen[bytes]:
        template = ProcessTemplate("web", command, shell=True, **settings)  # type: ignore[arg-type]
        (life / "run").write_bytes(run_script(Order(template, 1, 0)))
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        (life / "beat").write_text(f"{round(uptime * 100)}\n")
        (life.parent.parent / ".keeper.1").write_text(KEEPER)
        env = {"PATH": path_of(shell), "HOME": str(life.parents[6])}
        words = [
            lost * 100,
            "TERM",
            2,
            int(template.stdin),
            "pipe",
            "pipe",
            16384,
            reads,
            unread,
            "0022",
            "/",
        ]
        argv = [
            "sh",
            ".keeper.1",
            "web.0/0123",
            *(str(round(w) if isinstance(w, float) else w) for w in words),
        ]
        return subprocess.Popen(argv, env=env, cwd=life.parent.parent, start_new_session=True)

    return begin


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not become so"
        time.sleep(0.01)


def _output(life: Path, stream: str) -> bytes:
    pieces = [each for each in life.glob(f"{stream}.*") if each.suffix[1:].isdigit()]
    return b"".join(each.read_bytes() for each in sorted(pieces, key=lambda each: int(each.suffix[1:])))


@pytest.mark.parametrize("shell", SHELLS)
def test_it_writes_down_all_that_happens(life: Path, start: Start, shell: str) -> None:
    """Who runs, output and how much of it, input that was written, how it ended."""
    heard = f'while [ "$(cat {life}/fed)" != 2 ]; do sleep 0.01; done'
    told = 'echo $a.$b >&2; echo $(cut -d" " -f5 /proc/$$/stat) $$; umask'
    command = f'echo "$A"; read a; read b; {heard}; {told}; exit 9'
    keeper = start(command, shell, stdin=True, env={"A": "a'\nb"})
    _until((life / "proc").is_symlink)
    pid, born, boot = (life / "proc").readlink().name.split()
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == born
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() == boot
    for number, data in ((1, b"x"), (2, b"y\nz\n")):
        (life / f"in.{number}").write_bytes(data)
        with (life / "feed").open("w") as feed:
            feed.write(f"{number}\n")
    assert keeper.wait(PATIENCE) == 0
    assert (life / "exit").read_text() == "9 gone\n"
    assert _output(life, "o") == f"a'\nb\n{pid} {pid}\n0022\n".encode()
    assert _output(life, "e") == b"xy.z\n"
    assert (life / "end.o").read_text() == f"{len(_output(life, 'o'))}\n"
    assert (life / "fed").read_text() == "2\n"
    left = {each.name.split(".")[0] for each in life.iterdir()}
    assert left == {"proc", "keeper", "beat", "exit", "o", "e", "end", "feed", "fed"}


def test_output_that_nobody_takes_is_bounded(life: Path, start: Start, shell: str) -> None:
    """The oldest goes first; what is left is in order, and tells where it was."""
    keeper = start(
        "for n in 1 2 3 4 5 6 7 8 9; do printf %08192d $n; sleep 0.01; done", shell, reads=1, unread=20000
    )
    assert keeper.wait(PATIENCE) == 0
    assert (life / "end.o").read_text() == f"{9 * 8192}\n"
    offsets = sorted(int(each.suffix[1:]) for each in life.glob("o.*") if each.suffix[1:].isdigit())
    assert sum(each.stat().st_size for each in life.glob("o.*")) == 9 * 8192 - offsets[0] <= 20000
    assert _output(life, "o")[-1:] == b"9"


def test_it_ends_the_group_when_nobody_was_connected(life: Path, start: Start) -> None:
    """The stop signal, the grace, KILL."""
    command = "trap 'echo asked' TERM; sleep 60 & echo $!; while :; do wait; sleep 0.05; done"
    keeper = start(command, "busybox", lost=0.4)
    assert keeper.wait(PATIENCE) == 0
    assert (life / "exit").read_text() == "137 gone\n"
    child, asked = _output(life, "o").split()
    assert asked == b"asked"
    assert not runs(int(child))


def test_what_was_forestalled_never_runs(life: Path, start: Start, shell: str) -> None:
    """Somebody has made the link before the process could."""
    (life / "proc").symlink_to("revoked")
    keeper = start("echo ran > $HOME/ran", shell)
    assert keeper.wait(PATIENCE) == 0
    assert not (life.parents[6] / "ran").exists()
    assert _output(life, "o") == b""


def test_what_is_left_of_the_group_is_told_of(life: Path, start: Start) -> None:
    """First that the process ended, then that its group is gone; without its files, the rest is ended."""
    keeper = start("sleep 60 & echo $!; exit 1", "dash")
    _until((life / "exit").exists)
    assert (life / "exit").read_text() == "1 left\n"
    _until(partial(_output, life, "o"))
    child = int(_output(life, "o"))
    assert runs(child)
    assert not (life / "gone").exists()
    (life / "exit").unlink()
    assert keeper.wait(PATIENCE) == 0
    assert (life / "gone").exists()
    assert not runs(child)


def test_a_full_disk_stops_nobody(life: Path, start: Start) -> None:
    """What cannot be written is dropped, and the process goes on."""
    command = (
        "ulimit -f 8; trap '' XFSZ; exec sh ../.keeper.1 0123 100 TERM 2 0 pipe pipe 4096 1024 99999 022 /"
    )
    start("true", "dash").wait(PATIENCE)
    for each in (*life.glob("[oei].*"), life / "exit", life / "proc"):
        each.unlink()
    (life / "feed").unlink()
    template = ProcessTemplate("web", "head -c 100000 /dev/zero; echo done >&2", shell=True)
    (life / "run").write_bytes(run_script(Order(template, 1, 0)))
    assert os.spawnlp(os.P_WAIT, "sh", "sh", "-c", f"cd {life.parent}; {command}") == 0
    assert (life / "exit").read_text() == "0 gone\n"
    assert _output(life, "e") == b"done\n"
    assert 0 < len(_output(life, "o")) < 100_000
    assert signal.SIGXFSZ
