"""P13: gather labelled lines of many nodes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import BenchmarkError, Sample, run_command
from benchmarks.rows import Budget, Contender, Figure, Row, no_program, program

_NODES = 64
_RULES = (b"---------------\n", b"----------------\n")


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Write the two inputs: lines of all nodes in turn, in each turn in another order."""
    lines = 1000 if quick else 20_000
    count = _NODES * lines
    same, different = scratch / "same", scratch / "different"
    _write(same, lines, lambda node, number: b"line %d of the output of a command" % number)
    _write(different, lines, lambda node, number: b"line %d of the output of node %d" % (number, node))
    wall = Figure("s", lambda sample: sample.wall, ".2f", higher=False)
    rate = Figure("ns a line", lambda sample: sample.wall / count * 1e9, ".0f", higher=False)

    def contender(name: str, words: list[str], kind: str, source: Path, texts: int) -> Contender:
        argv = [program(words[0]), *words[1:]]
        expected = lines * texts

        def run() -> Sample:
            return run_command(argv, stdin=source, check=lambda output: _check(output, expected, texts))

        return Contender(f"{name}, {kind}", run, no_program(words[0]), ours=words[0] == "asynctask")

    contenders = [
        contender(name, words, kind, source, texts)
        for kind, source, texts in (("identical", same, 1), ("all different", different, _NODES))
        for name, words in (
            ("asynctask gather -b", ["asynctask", "gather", "-b"]),
            ("clubak -b", ["clubak", "-b", "-S", ": "]),
            ("dshbak -c", ["dshbak", "-c"]),
        )
    ]
    yield Row(
        key="P13",
        title=f"gather {_NODES} nodes x {lines} lines",
        contenders=contenders,
        figures=[rate, wall],
        budgets=[
            Budget(
                f"{kind}: ≤ 1/{factor} of {peer}",
                f"asynctask gather -b, {kind}",
                wall,
                1 / factor,
                peer=f"{peer}, {kind}",
                at_least=False,
            )
            for kind in ("identical", "all different")
            for peer, factor in (("clubak -b", 10), ("dshbak -c", 3))
        ],
        notes=[
            "Start-up is part of the time, and so is writing the output to a file.",
            "The output is checked: how many headers and lines, and with identical lines what they are.",
        ],
    )


def _write(path: Path, lines: int, text: Callable[[int, int], bytes]) -> None:
    order = list(range(_NODES))
    shuffle = random.Random(0).shuffle
    with path.open("wb") as file:
        for number in range(lines):
            shuffle(order)
            file.writelines(b"node%d: %s\n" % (node, text(node, number)) for node in order)


def _check(output: Path, expected: int, texts: int) -> None:
    digest = hashlib.sha256()
    headers = found = 0
    with output.open("rb") as lines:
        for line in lines:
            if line in _RULES:
                headers += 1
            elif line.startswith(b"line "):
                found += 1
                digest.update(line)
    if (headers, found) != (2 * texts, expected):
        raise BenchmarkError(f"{headers // 2} headers and {found} lines, not {texts} and {expected}")
    if texts == 1 and digest.digest() != _expected_digest(expected):
        raise BenchmarkError("the lines are not in order")


def _expected_digest(lines: int) -> bytes:
    digest = hashlib.sha256()
    for number in range(lines):
        digest.update(b"line %d of the output of a command\n" % number)
    return digest.digest()
