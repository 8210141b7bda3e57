"""The options of ``asynctask run``."""

from __future__ import annotations

import math
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asynctask.cli import runner
from asynctask.cli.run import command
from asynctask.cli.runner import Request


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would have been run; it ends with exit status 7."""
    made: list[Request] = []

    def execute(request: Request) -> int:
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
        (["-q"], {"quiet": True}),
        (["--quiet"], {"quiet": True}),
        (["-v"], {"verbose": True}),
        (["--verbose"], {"verbose": True}),
        (["-bqS"], {"gather": True, "quiet": True, "maxrc": True}),
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


def test_at_end() -> None:
    """Output waits for the end with three options."""
    fields = ("gather", "gather_both", "by_node", "verbose")
    made: list[dict[str, Any]] = [{"command": "x", "targets": ("n",), field: True} for field in fields]

    assert [Request(**each).at_end for each in made] == [True, True, True, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-w", "n"], "no command to run"),
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
        (["-w", "n", "-k", "true"], "No such option"),
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
