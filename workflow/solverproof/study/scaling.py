"""How a study scales with cores, simulated from the recorded times of its jobs.

Snakemake records them in `results/benchmarks/`. A cell is a training and then its evaluation and
audit, each on one core. The simulation leaves out the light jobs before and after, which take
seconds, and whatever a scheduler adds.
"""

import csv
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from solverproof.errors import InputError

CORES = (1, 2, 8, 64, 512)
# How much longer a seed takes alone than its share of a block of five, at most: measured with a
# small network (`make bench`), where stacking saves most.
ALONE = 2.0


@dataclass(frozen=True)
class Recorded:
    """Seconds that the jobs of a cell took; its audit counts with its evaluation."""

    cell: str
    training: float
    evaluation: float

    @property
    def total(self) -> float:
        """Seconds of both, one after the other."""
        return self.training + self.evaluation


def recorded(results: Path) -> list[Recorded]:
    """The cells of a study that were trained.

    Raises:
        InputError: if there are none, or a file is not one of Snakemake's benchmarks.
    """
    benchmarks = results / "benchmarks"
    trainings = _seconds(benchmarks / "train") | _seconds(benchmarks / "adapt")
    evaluations, audits = _seconds(benchmarks / "evaluate"), _seconds(benchmarks / "audit")
    if not trainings:
        raise InputError(
            f"{benchmarks}: no times of trainings; run the study first, "
            "or name the folder of its results"
        )
    # A cell whose evaluation has not run yet still counts with its training.
    return [
        Recorded(cell, seconds, evaluations.get(cell, 0) + audits.get(cell, 0))
        for cell, seconds in trainings.items()
    ]


def _seconds(folder: Path) -> dict[str, float]:
    """Recorded seconds by the cell's path."""
    files = sorted(folder.glob("*/*/*/seeds-*.tsv"))
    return {str(file.relative_to(folder).with_suffix("")): _time(file) for file in files}


def _time(file: Path) -> float:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            (row,) = csv.DictReader(lines, delimiter="\t")
        return float(row["s"])
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{file}: not a benchmark of Snakemake: one row, with seconds in column 's'"
        ) from error


def wall_time(cells: Sequence[Recorded], cores: int) -> float:
    """Seconds until all cells are done on a number of cores.

    A free core always takes the longest waiting training, and evaluations only after all trainings,
    as the priorities of the rules order them.
    """
    # Entries (0 for a training or 1 for an evaluation, negative seconds, seconds of the evaluation
    # that may follow), so that the smallest entry of the heap is the next job.
    waiting = [(0, -cell.training, cell.evaluation) for cell in cells]
    heapq.heapify(waiting)
    # When a job ends, and the seconds of the evaluation that may start then.
    running: list[tuple[float, float]] = []
    now = 0.0
    while waiting or running:
        if waiting and len(running) < cores:
            _, negative, evaluation = heapq.heappop(waiting)
            heapq.heappush(running, (now - negative, evaluation))
        else:
            now, evaluation = heapq.heappop(running)
            if evaluation:
                heapq.heappush(waiting, (1, -evaluation, 0.0))
    return now


def split(cells: Sequence[Recorded], factor: float) -> list[Recorded]:
    """Every seed as a cell of its own.

    Args:
        cells: cells, most of them blocks of seeds.
        factor: time of a seed alone relative to its share of the block; it is capped at the time of
            the whole block.
    """
    return [part for cell in cells for part in _parts(cell, factor)]


def _parts(cell: Recorded, factor: float) -> list[Recorded]:
    identity, _, block = cell.cell.rpartition("/seeds-")
    first, last = map(int, block.split("-"))
    seeds = range(first, last + 1)
    share = min(1.0, factor / len(seeds))
    return [
        Recorded(f"{identity}/seeds-{n}-{n}", share * cell.training, share * cell.evaluation)
        for n in seeds
    ]


def report(results: Path) -> str:
    """Wall time, speed-up and efficiency by number of cores, as Markdown, and what bounds them."""
    cells = recorded(results)
    fast, slow = split(cells, 1), split(cells, ALONE)
    return "\n".join(
        [
            "| cores | wall time, min | speed-up | efficiency, % | one job per seed, min |",
            "|---:|---:|---:|---:|---:|",
            *(
                f"{_row(cells, cores)} {_range(wall_time(fast, cores), wall_time(slow, cores))} |"
                for cores in CORES
            ),
            "",
            f"Critical path: {_critical(cells)}.",
            f"One job per seed, if it takes the seed's share of its block: {_critical(fast)}.",
            f"One job per seed, if it takes {ALONE:g} times that share: {_critical(slow)}.",
        ]
    )


def _row(cells: Sequence[Recorded], cores: int) -> str:
    # One core takes the sum of all jobs, so speed-up is relative to that.
    wall = wall_time(cells, cores)
    speedup = sum(cell.total for cell in cells) / wall
    return f"| {cores} | {_minutes(wall)} | {speedup:.1f} | {100 * speedup / cores:.0f} |"


def _critical(cells: Sequence[Recorded]) -> str:
    # Cells do not depend on each other, so the longest one is the critical path.
    longest = max(cells, key=lambda cell: cell.total)
    return (
        f"{_minutes(longest.total)} min, "
        f"of which training `{longest.cell}` takes {_minutes(longest.training)}"
    )


def _range(least: float, most: float) -> str:
    return f"{_minutes(least)}–{_minutes(most)}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"
