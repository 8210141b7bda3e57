"""The table: as Markdown, the same on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from benchmarks.rows import Budget, Results, is_met

_INTRODUCTION = """\
# Benchmarks

asynctask beside its peers, in one run on one machine. Written by `python -m benchmarks`; do not edit.
Absolute figures move with the machine: what counts is the ratio to a peer in the same run.

Every program runs in a process of its own, in alternating order, once to warm up and then {rounds} times.
A figure is the median of the rounds, a ratio the median of the ratios of each round. Imports do not count in
library rows; command lines count from start to exit. Output is checked: a run that loses some is no result.
"""
_QUICK = (
    "**A quick run with small sizes: it shows that everything works, its figures are not for comparing.**\n"
)
_REPEAT = """\
## How to repeat it

```sh
pip install --group bench uvloop                  # the peers from PyPI, beside asynctask itself
apt-get install openssh-server pdsh               # the peers from Debian, and the server
python -m benchmarks --write docs/benchmarks.md   # all rows; `python -m benchmarks P1 P4` runs two
```

`nox -s bench` does the same. As root, P2, P3 and P7 make an account `asynctask-bench` for their server and
delete it again; otherwise they use the current user. What is not installed is named in the tables.
"""


def page(
    results: Sequence[Results],
    machine: Iterable[tuple[str, str]],
    rounds: int,
    quick: bool,
) -> str:
    """Return the whole page: budgets first, then each row, the machine, and how to repeat it."""
    parts = [_INTRODUCTION.format(rounds=rounds)]
    if quick:
        parts.append(_QUICK)
    parts.append("## Budgets\n\n" + _budgets(results, judged=not quick))
    parts += [row_section(result) for result in results]
    parts.append("## The machine\n\n" + _table(("part", "version"), machine))
    parts.append(_REPEAT)
    return "\n".join(parts)


def row_section(results: Results) -> str:
    """Return one row: every contender with its figures, and why some have none."""
    row = results.row
    ours = [one.name for one in row.contenders if one.ours]
    first = row.figures[0]
    compare = first.higher and len(ours) < len(row.contenders)
    compared = [name for name in ours if name in results.samples] if compare else []
    heads = ["", *(figure.name for figure in row.figures), f"{first.name}, min to max"]
    heads += [f"{name} ÷ it" for name in compared]
    lines = []
    for one in row.contenders:
        name = f"**{one.name}**" if one.ours else one.name
        if one.name in results.absent:
            lines.append([name, results.absent[one.name], *[""] * (len(heads) - 2)])
            continue
        low, high = results.spread(one.name, first)
        values = [_number(results.value(one.name, figure), figure.style) for figure in row.figures]
        ratios = ["" if one.ours else _ratio(results, mine, one.name) for mine in compared]
        spread = "-" if isnan(low) else f"{low:{first.style}} to {high:{first.style}}"
        lines.append([name, *values, spread, *ratios])
    meanwhile = f"Other programs used {results.neighbours:.0%} of the cores meanwhile."
    notes = "".join(f"- {note}\n" for note in (*row.notes, meanwhile))
    return f"## {row.key}: {row.title}\n\n{_table(heads, lines)}\n{notes}"


def _number(value: float | None, style: str) -> str:
    return "-" if value is None or isnan(value) else f"{value:{style}}"


def _ratio(results: Results, mine: str, other: str) -> str:
    value = results.ratio(mine, other, results.row.figures[0])
    return "" if value is None else f"{value:.2f}x"


def _budgets(results: Sequence[Results], judged: bool) -> str:
    lines = [
        [result.row.key, budget.text, *_verdict(result, budget, judged)]
        for result in results
        for budget in result.row.budgets
    ]
    return _table(("row", "budget", "measured", "verdict"), lines)


def _verdict(results: Results, budget: Budget, judged: bool) -> tuple[str, str]:
    measured = results.measured(budget)
    if measured is None:
        return "not measured", results.why_not(budget)
    unit = "x" if budget.peer else f" {budget.figure.name}"
    style = ".2f" if budget.peer else budget.figure.style
    verdict = "met" if is_met(budget, measured) else "**missed**"
    return f"{measured:{style}}{unit}", verdict if judged else "not judged: quick"


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
