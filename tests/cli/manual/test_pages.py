"""The manual page of each sub-command."""

from __future__ import annotations

import shutil
import subprocess

import click
import pytest

from asynctask.cli import _COMMANDS
from asynctask.cli.group import group
from asynctask.cli.manual.pages import pages
from tests.support import unable

pytestmark = pytest.mark.one_loop("no loop is used")


@click.group(help="A tool. It does things.")
def tool() -> None:
    """Not this."""


@tool.command(epilog="\b\nExamples:\n  tool copy a b\n")
@click.option("-w", "--nodes", metavar="NODES", help="On these - or 'those'.")
@click.option("--log/--no-log", default=None, help="Keep it?")
@click.option("-f", type=click.IntRange(min=1), default=64, show_default=True, metavar="N|N%", help="Fan.")
@click.option("--secret", hidden=True)
@click.argument("files", nargs=-1, metavar="FILE...")
def copy(**_: object) -> None:
    """Copy FILE to nodes.

    .All of it.
    """


def test_the_page_of_a_command() -> None:
    """What --help says, and nothing that is hidden."""
    assert isinstance(tool, click.Group)
    page = pages(tool, "1.2")["asynctask-copy.1"]

    assert page == (
        '.TH ASYNCTASK\\-COPY 1 "" "asynctask 1.2" "asynctask manual"\n.nh\n.ad l\n'
        ".SH NAME\nasynctask\\-copy \\- Copy FILE to nodes\n"
        ".SH SYNOPSIS\n\\fBasynctask copy\\fR [\\fIOPTIONS\\fR] \\fIFILE\\fR\\&...\n"
        ".SH DESCRIPTION\n.PP\nCopy FILE to nodes.\n.PP\n\\&.All of it.\n"
        ".SH OPTIONS\n"
        ".TP\n\\fB\\-w\\fR, \\fB\\-\\-nodes\\fR \\fINODES\\fR\nOn these \\- or \\(aqthose\\(aq.\n"
        ".TP\n\\fB\\-\\-log\\fR / \\fB\\-\\-no\\-log\\fR\nKeep it?\n"
        ".TP\n\\fB\\-f\\fR \\fIN\\fR|\\fIN%\\fR\nFan. [default: 64; x>=1]\n"
        ".TP\n\\fB\\-\\-help\\fR\nShow this message and exit.\n"
        ".SH EXAMPLES\n.PP\n.nf\ntool copy a b\n.fi\n"
        ".SH SEE ALSO\n\\fBasynctask\\fR(1)\n"
    )


def test_headings_of_options() -> None:
    """As --help has them."""
    page = pages(group(_COMMANDS), "1.2")["asynctask-run.1"]

    assert ".SH OPTIONS\n.SS Which nodes\n.TP\n\\fB\\-w\\fR, " in page
    assert ".SS How it runs\n.TP\n\\fB\\-f\\fR, " in page


def test_the_page_of_the_program() -> None:
    """All sub-commands, each with its summary, and its page to go on with."""
    page = pages(group(_COMMANDS), "1.2")["asynctask.1"]

    assert ".SH COMMANDS\n" in page
    for name, summary in _COMMANDS.items():
        assert f".TP\n\\fB{name}\\fR\n{summary.split(',')[0]}" in page
        assert f"\\fBasynctask\\-{name}\\fR(1)" in page


def test_there_is_one_for_each() -> None:
    """Named as man wants it."""
    assert sorted(pages(group(_COMMANDS), "1")) == sorted(
        ["asynctask.1", *(f"asynctask-{name}.1" for name in _COMMANDS)]
    )


def test_groff_has_nothing_to_say() -> None:
    """No warning of any kind, for any page."""
    if shutil.which("groff") is None:
        unable("groff is not installed")
    text = "".join(pages(group(_COMMANDS), "1").values())

    found = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", "-z"],
        input=text.encode(), check=False, capture_output=True, timeout=30,
    )  # fmt: skip

    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
