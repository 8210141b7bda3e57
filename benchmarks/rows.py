"""What a row is: contenders, figures, budgets; and the alternating rounds that fill it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.measure import BenchmarkError, Sample


@dataclass(frozen=True, slots=True)
class Contender:
    """One program of a row; `missing` says why it cannot run here, and the table repeats it."""

    name: str
    run: Callable[[], Sample]
    missing: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A number computed from a sample; `higher` tells which direction is better."""

    name: str
    of: Callable[[Sample], float]
    style: str = ".0f"
    higher: bool = True


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound on one of our figures, or on its ratio to a peer's in the same rounds."""

    text: str
    ours: str
    figure: Figure
    bound: float
    peer: str = ""
    at_least: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the performance table. The first figure is the one that is compared with the peers."""

    key: str
    title: str
    contenders: list[Contender]
    figures: list[Figure]
    budgets: list[Budget]
    notes: list[str] = field(default_factory=list)
    settle: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Results:
    """The samples of each contender in the order of the rounds, and the reasons where there are none."""

    row: Row
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    neighbours: float = 0.0
    """The part of the cores that other programs used meanwhile."""

    def value(self, name: str, figure: Figure) -> float | None:
        """Return the median of a figure, None when the contender did not run."""
        samples = self.samples.get(name)
        return median(figure.of(sample) for sample in samples) if samples else None

    def spread(self, name: str, figure: Figure) -> tuple[float, float]:
        """Return the smallest and the largest value of a figure."""
        values = [figure.of(sample) for sample in self.samples[name]]
        return min(values), max(values)

    def ratio(self, ours: str, peer: str, figure: Figure) -> float | None:
        """Return the median of the pair-wise ratios of a figure, round by round."""
        pairs = zip(self.samples.get(ours, ()), self.samples.get(peer, ()), strict=False)
        ratios = [figure.of(mine) / figure.of(theirs) for mine, theirs in pairs if figure.of(theirs)]
        return median(ratios) if ratios else None

    def measured(self, budget: Budget) -> float | None:
        """Return what a budget bounds, None when a side of it did not run."""
        if budget.peer:
            return self.ratio(budget.ours, budget.peer, budget.figure)
        return self.value(budget.ours, budget.figure)

    def why_not(self, budget: Budget) -> str:
        """Say which side of a budget did not run; the row itself says why."""
        absent = [name for name in (budget.ours, budget.peer) if name in self.absent]
        return f"{' and '.join(absent)} did not run"


def is_met(budget: Budget, measured: float) -> bool:
    """Tell whether a measured value keeps its budget."""
    return measured >= budget.bound if budget.at_least else measured <= budget.bound


def measure(row: Row, rounds: int, say: Callable[[str], None]) -> Results:
    """Run every contender in turn, once to warm up and then `rounds` times; a failure ends its part only."""
    results = Results(row)
    results.absent.update({one.name: f"missing: {one.missing}" for one in row.contenders if one.missing})
    for turn in range(rounds + 1):
        for contender in row.contenders:
            if contender.name in results.absent:
                continue
            row.settle()
            try:
                sample = contender.run()
            except BenchmarkError as error:
                results.samples.pop(contender.name, None)
                results.absent[contender.name] = f"failed: {error}"
                say(f"{row.key} {contender.name}: {error}")
                continue
            if turn:
                results.samples.setdefault(contender.name, []).append(sample)
            phase = f"round {turn}" if turn else "warm-up"
            say(f"{row.key} {phase} {contender.name}: {_shown(row.figures, sample)}")
    return results


def _shown(figures: list[Figure], sample: Sample) -> str:
    return ", ".join(f"{figure.of(sample):{figure.style}} {figure.name}" for figure in figures)


def no_module(*names: str) -> str:
    """Say which of these modules cannot be imported, empty when all can."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"no Python module {', '.join(absent)}" if absent else ""


def program(name: str) -> str:
    """Return the path of a command, beside this interpreter or on PATH; its bare name when absent."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name) or name


def no_program(*names: str) -> str:
    """Say which of these commands are not installed, empty when all are."""
    absent = [name for name in names if not Path(program(name)).is_absolute()]
    return f"no command {', '.join(absent)}" if absent else ""
