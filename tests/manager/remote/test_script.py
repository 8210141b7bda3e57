"""Tests of what a node is to execute, with a shell that does it."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.launching import Order
from asynctask.manager.remote.script import check_script, run_script
from asynctask.manager.template import ProcessTemplate
from tests.manager.remote.shells import SHELLS, path_of

pytestmark = pytest.mark.one_loop("there is no loop in it")

AWKWARD = ["'", '"', "\\", "\n", "a b", "*", "$(id)", "`id`", "-n", "!", "%s", "\udcff", "é", "~", ""]


def _run(life: Path, template: ProcessTemplate, shell: str = "dash", **env: str) -> tuple[int, bytes, str]:
    """Exit code, output, and why it could not be."""
    for name in ("proc", "failed"):
        (life / name).unlink(missing_ok=True)
    (life / "run").write_bytes(run_script(Order(template, 1, 0, "n1", env)))
    done = subprocess.run(
        ["sh", "-c", 'exec sh ./run 0022 "$PWD" 5> up'],
        cwd=life,
        env={"PATH": path_of(shell), "HOME": str(life), "LEFT": "over"},
        capture_output=True,
        check=False,
    )
    why = (life / "failed").read_text() if (life / "failed").exists() else ""
    assert (life / "proc").is_symlink() is not bool(why)
    assert ((life / "up").read_text() == "up\n") is not bool(why)
    assert not (life / "run").exists()
    return done.returncode, done.stdout, why


def _template(*command: str, **settings: Any) -> ProcessTemplate:
    return ProcessTemplate("web", [each.replace("$", "$$") for each in command], **settings)


@pytest.mark.parametrize("shell", SHELLS)
def test_words_and_variables_arrive_as_they_are(tmp_path: Path, shell: str) -> None:
    """Whatever is in them; those of the order come before those of the template."""
    words = "".join(f"<{each}>" for each in AWKWARD).encode(errors="surrogateescape")
    variables = {f"V{number}": each for number, each in enumerate(AWKWARD)}
    show = "".join(
        f'<"$V{number}">'.replace("<", "'<'").replace(">", "'>'") for number in range(len(AWKWARD))
    )
    command = (
        "sh",
        "-c",
        'printf "<%s>" "$@"; printf %s ' + show + '"$TWO$ASYNCTASK_INDEX$LEFT"',
        "x",
        *AWKWARD,
    )
    template = _template(*command, env={**variables, "TWO": "1", "IFS": "abc"})
    assert _run(tmp_path, template, shell, TWO="2") == (0, words + words + b"20over", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_inherited_unless_it_is_wanted(tmp_path: Path, shell: str) -> None:
    """The program is found all the same."""
    code, output, why = _run(
        tmp_path, _template("env", inherit_env=False, env={"A": "x\nexport B='y'"}), shell
    )
    assert (code, why) == (0, "")
    names = {line.split(b"=")[0] for line in output.splitlines() if b"=" in line}
    assert names - {b"PWD", b"_", b"SHLVL", b"OLDPWD"} == {
        b"A",
        b"export B",
        b"ASYNCTASK_NAME",
        b"ASYNCTASK_INDEX",
    }


def test_a_text_that_was_cut_off_does_nothing(tmp_path: Path) -> None:
    """Wherever that was."""
    script = run_script(Order(_template("touch", str(tmp_path / "ran")), 1, 0))
    for end in range(10, len(script) - 3, 97):
        subprocess.run(["sh"], input=script[:end], cwd=tmp_path, capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_is_not_set_is_told(tmp_path: Path) -> None:
    """By its name; one that is set on the node is known there."""
    for shell in SHELLS:
        _, _, why = _run(tmp_path, ProcessTemplate("web", "echo ${NOBODY}/x"), shell)
        assert why == "$NOBODY is in its command, and is not set: set it in env\n"
    assert _run(tmp_path, ProcessTemplate("web", "echo $LEFT/x")) == (0, b"over/x\n", "")


@pytest.mark.parametrize("path", ["prlimit", "ulimit"])
def test_limits_in_bytes(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tool, and without."""
    template = _template(
        "sh",
        "-c",
        "ulimit -c; ulimit -S -v; ulimit -H -n; umask",
        rlimits={"core": -1, "as": (1 << 30, -1)},
        umask=0o77,
    )
    if path == "ulimit":
        monkeypatch.setattr("asynctask.manager.remote.script._PRLIMIT", "no-such-program")
    code, output, why = _run(tmp_path, template)
    assert (code, output.split()[:2], output.split()[3], why) == (0, [b"unlimited", b"1048576"], b"0077", "")
    if os.geteuid() != 0:
        return
    refused = _template("true", rlimits={"nofile": 1 << 40})
    assert (
        _run(tmp_path, refused)[2]
        == f"limit nofile={1 << 40}: not permitted: only root may raise a hard limit\n"
    )


def test_somebody_else_is_for_root_alone(tmp_path: Path) -> None:
    """Who logged in may always be named; whom root names, it is."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert _run(tmp_path, _template("id", "-u", user=me)) == (0, b"%d\n" % os.geteuid(), "")
    code, output, why = _run(tmp_path, _template("sh", "-c", "id -u; id -g", user="nobody", group=1))
    if os.geteuid() == 0:
        assert (code, output, why) == (0, b"%d\n1\n" % pwd.getpwnam("nobody").pw_uid, "")
    else:
        assert why == "user 'nobody', group 1: not permitted: the login is not root's\n"


def test_a_check_runs_as_its_process_does(tmp_path: Path) -> None:
    """Where, with what, and gives the exit code."""
    it = Order(_template("false", env={"A": "b c"}, cwd=str(tmp_path)), 1, 2)
    script = tmp_path / "script"
    script.write_bytes(
        check_script(
            it, ["sh", "-c", '[ "$A$ASYNCTASK_INDEX" = "b c2" ] && echo "$PWD" && exit $1', "x", "7"]
        )
    )
    done = subprocess.run(["sh", str(script), "0022", "/"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (7, f"{tmp_path}\n".encode())


def test_what_a_node_cannot_have_is_refused_here() -> None:
    """Custom streams, and names of variables that no shell can set."""
    with pytest.raises(LaunchError, match="web: a process on a node has no custom streams"):
        run_script(Order(_template("true", custom_streams=["more"]), 1, 0))
    with pytest.raises(LaunchError, match="web: env 'a-b': the shell of a node knows letters"):
        run_script(Order(_template("true"), 1, 0, "n1", {"a-b": "x"}))
