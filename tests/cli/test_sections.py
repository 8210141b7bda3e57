"""Options below headings."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from asynctask.cli.sections import Option, Sectioned, sections

pytestmark = pytest.mark.one_loop("no loop at all")


@click.command(cls=Sectioned)
@click.option("-w", cls=Option, heading="Which nodes", metavar="NODES", help="On these.")
@click.option(
    "-t", "--connect-timeout", "--connect_timeout", cls=Option, heading="Times", type=float, help="S."
)
@click.option("-x", cls=Option, heading="Which nodes", metavar="NODES", help="Not on these.")
@click.option("-n", cls=Option, heading="Times", metavar="N", type=click.IntRange(min=1), help="So often.")
@click.option("--secret", cls=Option, heading="Secrets", hidden=True)
def _all_below_headings(**_: object) -> None:
    """Do it."""


@click.command(cls=Sectioned)
@click.option("--plain", is_flag=True, help="Plain.")
@click.option("-w", cls=Option, heading="Which nodes", metavar="NODES", help="On these.")
def _plain_ones_first(**_: object) -> None:
    """Do it."""


def test_help_has_headings() -> None:
    """As they come first; spellings of old and bounds that go without saying are left out."""
    assert CliRunner().invoke(_all_below_headings, ["--help"]).output.partition("Do it.\n\n")[2] == (
        "Which nodes:\n  -w NODES  On these.\n  -x NODES  Not on these.\n\n"
        "Times:\n  -t, --connect-timeout FLOAT  S.\n  -n N                         So often.\n\n"
        "Other options:\n  --help  Show this message and exit.\n"
    )


def test_options_without_a_heading() -> None:
    """Come first where the first option is one, and all together."""
    ctx = click.Context(_plain_ones_first)

    found = [
        (heading, [names for names, _ in records]) for heading, records in sections(_plain_ones_first, ctx)
    ]

    assert found == [("Options", ["--plain", "--help"]), ("Which nodes", ["-w NODES"])]


def test_spellings_of_old() -> None:
    """Are understood, and messages do not name them."""
    result = CliRunner().invoke(_all_below_headings, ["--connect_timeout", "soon"])

    assert result.output.splitlines()[-1] == (
        "Error: Invalid value for '-t' / '--connect-timeout': 'soon' is not a valid float."
    )
