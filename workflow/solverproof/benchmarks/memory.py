"""How much memory training takes, by where its gradients come from."""

import multiprocessing
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from solverproof.benchmarks.speed import IMAGES_BATCH, images, train_briefly
from solverproof.files import write_table
from solverproof.models.specifications import Gradient

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Peak:
    """A row of the table: memory that training with a number of steps adds to an idle process."""

    gradient: Gradient
    steps: int
    megabytes: float


def measure(table: Path, steps: Sequence[int] = STEPS) -> None:
    """Write a table of peak memory beyond that of an idle process.

    It is measured on the images of the benchmark, with Euler and one seed.

    Args:
        table: CSV to write, with rows `Peak`.
        steps: numbers of steps to measure.
    """
    # A new process for each measurement, because the peak of a process never falls. It is spawned,
    # because a forked one would start with its parent's memory.
    spawn = multiprocessing.get_context("spawn")
    rows = []
    for gradient in get_args(Gradient):
        for n in steps:
            with spawn.Pool(1) as pool:
                rows.append(Peak(gradient, n, pool.apply(_peak, (gradient, n))))
    write_table(table, Peak, rows)


def _peak(gradient: Gradient, steps: int) -> float:
    """Megabytes that training adds to the largest resident size of a new process."""
    data, before = images(), _largest_resident_size()
    train_briefly(data, steps=steps, batch=IMAGES_BATCH, gradient=gradient, iterations=2)
    return _largest_resident_size() - before


def _largest_resident_size() -> float:
    """Peak resident memory of this process, in megabytes; Linux only."""
    # Not `getrusage`, whose value starts with that of the parent process.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1024 / 1e6
