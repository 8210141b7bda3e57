"""Text for ``man``."""

from __future__ import annotations

import pytest

from asynctask.cli.manual.roff import bold, escaped, italic, paragraphs, section, subsection, tagged, title

pytestmark = pytest.mark.one_loop("no loop is used")


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        ("plain words", "plain words"),
        ("-w", r"\-w"),
        (r"\n", r"\en"),
        ("it's `x` ~ ^", r"it\(aqs \(gax\(ga \(ti \(ha"),
        (".so file\n'x", "\\&.so file\n\\(aqx"),
        ("a.b", "a.b"),
        ('"q"', r"\(dqq\(dq"),
        ("…", r"\[u2026]"),
    ],
)
def test_text_means_itself(text: str, roff: str) -> None:
    """No request of roff, no other sign for one that is to be typed."""
    assert escaped(text) == roff


def test_pieces() -> None:
    """Of a page."""
    assert (bold("-w"), italic("NODES")) == (r"\fB\-w\fR", r"\fINODES\fR")
    assert (
        title("asynctask-run", "1.0")
        == '.TH ASYNCTASK\\-RUN 1 "" "asynctask 1.0" "asynctask manual"\n.nh\n.ad l\n'
    )
    assert section("see also") == ".SH SEE ALSO\n"
    assert subsection("Which nodes") == ".SS Which nodes\n"
    assert tagged(bold("-w"), "on these\n nodes") == ".TP\n\\fB\\-w\\fR\non these nodes\n"


def test_paragraphs() -> None:
    """Of a help text: filled, or as they are behind click's mark; examples are a section."""
    text = "One\n    line.\n\n    Two.\n\n\b\nExamples:\n  run  -w\n    more\n\n\b\nas  it\n is\n"

    assert list(paragraphs(text)) == [
        ("", ".PP\nOne line.\n"),
        ("", ".PP\nTwo.\n"),
        ("Examples", ".PP\n.nf\nrun  \\-w\n  more\n.fi\n"),
        ("", ".PP\n.nf\nas  it\n is\n.fi\n"),
    ]


def test_no_text() -> None:
    """No paragraph."""
    assert list(paragraphs("")) == []
