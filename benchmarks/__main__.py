"""`python -m benchmarks [ROW ...]`: run rows beside their peers and print the table."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from benchmarks import machine, report
from benchmarks.measure import BenchmarkError
from benchmarks.rows import Results, measure

ROWS = {
    "P1": "p1_spawn",
    "P2": "p2_ssh",
    "P3": "p3_kept",
    "P4": "p4_identical",
    "P5": "p5_different",
    "P6": "p6_handler",
    "P7": "p7_held",
    "P8": "p8_simulated",
    "P9": "p9_startup",
    "P10": "p10_emitter",
    "P11": "p11_restart",
    "P12": "p12_pollers",
    "P13": "gather_command",
    "P14": "p14_supervise",
    "P15": "p15_logs",
}
_ROUNDS = 5


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", type=str.upper, help=f"{', '.join(ROWS)}; all when none"
    )
    parser.add_argument(
        "--rounds", type=int, help=f"measured rounds after the warm-up (default {_ROUNDS}, quick 2)"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything work?")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the page there, if it is whole: all rows, not quick"
    )
    chosen = parser.parse_args()
    unknown = [row for row in chosen.rows if row not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    return chosen


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _run(key: str, rounds: int, quick: bool) -> Results:
    module = importlib.import_module(f"benchmarks.{ROWS[key]}")
    neighbours = machine.Neighbours()
    with (
        tempfile.TemporaryDirectory(prefix="asynctask-bench-") as scratch,
        module.open_row(Path(scratch), quick) as row,
    ):
        results = measure(row, rounds, _say)
    results.neighbours = neighbours.share()
    return results


def _stop(number: int, frame: FrameType | None) -> None:
    """Leave through the context managers, so that the server and its account go."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run the chosen rows; 1 when the benchmark itself could not work, never because of a figure."""
    chosen = _arguments()
    signal.signal(signal.SIGTERM, _stop)
    rounds = chosen.rounds or (2 if chosen.quick else _ROUNDS)
    try:
        results = [_run(key, rounds, chosen.quick) for key in ROWS if not chosen.rows or key in chosen.rows]
    except BenchmarkError as error:
        _say(f"benchmarks: {error}")
        return 1
    page = report.page(results, machine.describe(), rounds, chosen.quick)
    sys.stdout.write(page)
    if chosen.write and (chosen.quick or len(results) < len(ROWS)):
        _say(f"{chosen.write} is left as it is: only a run of all rows at full size is written")
    elif chosen.write:
        chosen.write.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
