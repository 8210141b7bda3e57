"""The options of ``asynctask run``."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asynctask.cli import runner
from asynctask.cli.request import Copying, Request
from asynctask.cli.run import command


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would have been run; it ends with exit status 7."""
    made: list[Request] = []

    def execute(request: Request, **_origin: object) -> int:
        made.append(request)
        return 7

    monkeypatch.setattr(runner, "execute", execute)
    return made


def _invoke(*words: str) -> Result:
    return CliRunner().invoke(command, words, prog_name="asynctask run")


def test_a_command_line_without_options(requests: list[Request]) -> None:
    """ClusterShell's defaults; the exit status is that of the run."""
    result = _invoke("-w", "web[1-2]", "uname", "-r")

    assert (result.exit_code, result.output) == (7, "")
    assert requests == [
        Request(
            command="uname -r",
            targets=("web1", "web2"),
            fanout=64,
            connect_timeout=None,
            command_timeout=math.inf,
            worker="ssh",
        )
    ]


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["-f", "3"], {"fanout": 3}),
        (["--fanout=3"], {"fanout": 3}),
        (["-t", "0.5"], {"connect_timeout": 0.5}),
        (["-t", "0"], {"connect_timeout": math.inf}),
        (["--connect-timeout", "2"], {"connect_timeout": 2}),
        (["--connect_timeout", "2"], {"connect_timeout": 2}),
        (["-u", "60"], {"command_timeout": 60}),
        (["-u0"], {"command_timeout": math.inf}),
        (["--command-timeout=9"], {"command_timeout": 9}),
        (["--command_timeout=9"], {"command_timeout": 9}),
        (["-l", "root"], {"user": "root"}),
        (["--user", "root"], {"user": "root"}),
        (["-R", "exec"], {"worker": "exec"}),
        (["--worker", "exec"], {"worker": "exec"}),
        (["-n"], {"nostdin": True}),
        (["--nostdin"], {"nostdin": True}),
        (["-F", "f"], {"ssh_config": "f"}),
        (["--ssh-config", "f"], {"ssh_config": "f"}),
        (["--host-keys", "off"], {"host_keys": "off"}),
        (["-b"], {"gather": True}),
        (["--dshbak"], {"gather": True}),
        (["-B"], {"gather_both": True}),
        (["-L"], {"by_node": True}),
        (["-N"], {"no_label": True}),
        (["-S"], {"maxrc": True}),
        (["--maxrc"], {"maxrc": True}),
        (["-q"], {"verbosity": 0}),
        (["--quiet"], {"verbosity": 0}),
        (["-v"], {"verbosity": 2}),
        (["--verbose"], {"verbosity": 2}),
        (["-d"], {"verbosity": 3}),
        (["--debug"], {"verbosity": 3}),
        (["-bqS"], {"gather": True, "verbosity": 0, "maxrc": True}),
        (["-r"], {"regroup": True}),
        (["--regroup"], {"regroup": True}),
        (["-rG"], {"regroup": True, "groupbase": True}),
        (["--groupbase"], {"groupbase": True}),
        (["--diff"], {"diff": True}),
        (["--similar"], {"similar": True}),
        (["--outliers", "first"], {"outliers": "first", "gather": True}),
        (["--outdir", "o", "--errdir", "e"], {"outdir": "o", "errdir": "e"}),
        (["--json"], {"json": True}),
        (["--events"], {"events": True}),
        (["--color", "never"], {"color": "never"}),
        (["-P"], {"progress": True}),
        (["--progress"], {"progress": True}),
        (["-J", "gate"], {"jump": "gate"}),
        (["-o", "-p 22"], {"ssh_options": "-p 22"}),
        (["--options", "-p 22"], {"ssh_options": "-p 22"}),
        (["-k"], {"ask_login": True}),
        (["--env", "A=b", "--env", "C="], {"env": (("A", "b"), ("C", ""))}),
        (["--retries", "2"], {"retries": 2}),
        (["--halt", "soon,fail=10%"], {"halt": "soon,fail=10%"}),
        (["--batch", "10%", "--canary", "1"], {"batch": "10%", "canary": 1}),
        (["--canary", "2", "--check", "true"], {"canary": 2, "check": "true"}),
        (["--deadline", "9"], {"deadline": 9}),
        (["--quorum", "95%"], {"quorum": "95%"}),
        (["--delay", "0.5"], {"delay": 0.5}),
        (["--no-history"], {"history": False}),
        (["--remote", "no"], {"worker": "exec"}),
        (["--remote", "yes"], {}),
        (["-E", "epoll"], {}),
        (["--grooming", "1"], {}),
        (["-m", "sudo"], {"sudo": "root"}),
        (["--mode", "sudo"], {"sudo": "root"}),
        (["-O", "fanout=3"], {"fanout": 3}),
        (["--option", "fanout=3", "-f", "4"], {"fanout": 4}),
        (["-x", "n2"], {"targets": ("n1", "n3")}),
        (["-w", "a"], {"targets": ("n1", "n2", "n3", "a")}),
    ],
)
def test_options(requests: list[Request], words: list[str], fields: dict[str, Any]) -> None:
    """Each in all its spellings; those of clush are among them."""
    result = _invoke("-w", "n[1-3]", *words, "true")

    assert (result.exit_code, result.output) == (7, "")
    expected = {"command": "true", "targets": ("n1", "n2", "n3"), **fields}
    assert requests == [Request(**expected)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["echo", "-b", "-w"], "echo -b -w"),
        (["--", "-x", "y"], "-x y"),
        (["echo a  b"], "echo a  b"),
        (["kill", "-9", "%1"], "kill -9 %1"),
        (["echo", ""], "echo "),
    ],
)
def test_options_end_at_the_command(requests: list[Request], words: list[str], text: str) -> None:
    """Its words are joined with blanks; the shell of the node sees them as they are."""
    _invoke("-w", "n", *words)

    assert requests == [Request(command=text, targets=("n",))]


@pytest.mark.parametrize(
    ("words", "copying"),
    [
        (["-c", "a", "b"], Copying(sources=("a", "b"))),
        (["-c", "a", "--dest", "/d", "b", "-p"], Copying(sources=("a", "b"), dest="/d", preserve=True)),
        (["--copy", "a", "-w", "m"], Copying(sources=("a",))),
        (["--rcopy", "a", "--dest", "d"], Copying(sources=("a",), dest="d", back=True)),
    ],
)
def test_files_to_copy(requests: list[Request], words: list[str], copying: Copying) -> None:
    """Options may stand behind them."""
    result = _invoke("-w", "n", *words)

    assert (result.exit_code, result.output) == (7, "")
    assert requests == [Request(targets=("n", "m") if "-w" in words else ("n",), copying=copying)]


def test_some_nodes_at_random(requests: list[Request], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the targets; -v tells which; more than there are is all."""
    monkeypatch.setattr(random, "sample", lambda population, k: [7, 2, 5])

    result = _invoke("-w", "n[0-9]", "--pick", "3", "-v", "true")
    _invoke("-w", "n[0-9]", "--pick", "10", "true")

    assert result.stderr == "asynctask: picked n[2,5,7]\n"
    assert [len(request.targets) for request in requests] == [3, 10]
    assert requests[0].targets == ("n2", "n5", "n7")


def test_a_name_that_a_shell_has_expanded(requests: list[Request], tmp_path: Path) -> None:
    """``-w n[1-2]`` is ``n1`` where such a file is: it is said, for it is seldom what was meant."""
    name = str(tmp_path)

    result = _invoke("-w", name, "true")

    assert (
        result.stderr
        == f"asynctask: -w {name}: a file of that name is here; did the shell put it there for a pattern?\n"
    )
    assert requests == [Request(targets=(name,), command="true")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-w", "n"], "no command to run: write it after the options"),
        (["-w", "n", "-n"], "no command to run: write it after the options"),
        (["-w", "n", ""], "no command to run"),
        (["-w", "n", " ", " "], "no command to run"),
        (["true"], "no nodes: name them with -w, -g, -a or --hostfile"),
        (["-w", "", "true"], "-w has no nodes"),
        (["-w", "n", "-x", "n", "true"], "no nodes are left: all that were named are excluded with -x or -X"),
        (["-w", "n", "-f", "0", "true"], "Invalid value for '-f' / '--fanout': 0 is not in the range"),
        (["-w", "n", "-f", "x", "true"], "Invalid value for '-f' / '--fanout': 'x' is not a valid integer"),
        (
            ["-w", "n", "--host-keys", "x", "true"],
            "Invalid value for '--host-keys': 'x' is not one of",
        ),
        (["-w", "n", "--nosuch", "true"], "No such option"),
        (["-w", "n", "-qv", "true"], "-q and -v exclude each other: choose one"),
        (["-w", "n", "-L", "--diff", "true"], "-L and --diff exclude each other: choose one"),
        (["-w", "n", "-b", "--json", "true"], "-b and --json exclude each other: choose one"),
        (["-w", "n", "-c", "--rcopy", "f"], "--copy and --rcopy exclude each other: choose one"),
        (["-w", "n", "-c"], "no files to copy: name them after the options"),
        (["-w", "n", "--dest", "d", "true"], "--dest goes with --copy or --rcopy"),
        (["-w", "n", "-p", "true"], "-p goes with --copy or --rcopy"),
        (
            ["-w", "n", "--topology", "f", "true"],
            "--topology: there are no gateways yet; -J goes by a jump host",
        ),
        (["-w", "n", "--halt", "x", "true"], "Invalid value for '--halt': 'x': never, or now|soon,fail"),
        (
            ["-w", "n", "--batch", "0", "true"],
            "Invalid value for '--batch': '0': a number of nodes, 1 or more",
        ),
        (
            ["-w", "n", "--quorum", "x", "true"],
            "Invalid value for '--quorum': 'x': a number of nodes, 1 or more",
        ),
        (["-w", "n", "--env", "A", "true"], "Invalid value for '--env': 'A': NAME=VALUE is expected"),
        (["-w", "n", "-m", "nosuch", "true"], "-m nosuch: there is no such mode; known are sudo"),
        (["-w", "n", "-f"], "Option '-f' requires an argument."),
    ],
)
def test_wrong_usage(requests: list[Request], words: list[str], message: str) -> None:
    """Exit status 2, one line that says what is wrong, and nothing is run."""
    result = _invoke(*words)

    assert (result.exit_code, requests) == (2, [])
    assert result.output.splitlines()[-1].startswith(f"Error: {message}")


@pytest.mark.parametrize("option", ["-t", "-u"])
@pytest.mark.parametrize("value", ["abc", "-1", "", "nan"])
def test_a_time_that_is_none(requests: list[Request], option: str, value: str) -> None:
    """Is wrong usage, too."""
    result = _invoke("-w", "n", option, value, "true")

    assert (result.exit_code, requests) == (2, [])
    assert result.output.splitlines()[-1].startswith(f"Error: Invalid value for '{option}' / ")


@pytest.mark.parametrize("spelling", ["-h", "--help"])
def test_help(requests: list[Request], spelling: str) -> None:
    """It needs neither nodes nor a command, and has examples."""
    result = _invoke(spelling)

    assert (result.exit_code, requests) == (0, [])
    assert "  asynctask run -w web[1-20] uptime             as it comes, a label" in result.stdout
