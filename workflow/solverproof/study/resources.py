"""Memory and time of jobs, estimated from their cells, because schedulers ask before a job runs.

The constants come from recorded jobs of the default study (`results/benchmarks/`) and are meant as
upper bounds; a job that exceeds them is retried with twice as much. Only `sizing` is meant to be
near the truth.
"""

import math
from collections.abc import Sequence

from solverproof.study.cells import Cell, Task
from solverproof.study.workload import (
    evaluation_work,
    expected_nfe,
    probing_work,
    state_shape,
    training_work,
)

BASE_MB = 1000  # Python with torch, the data set, and the two Snakemakes around a Slurm job
# Per hidden unit and evaluation: four float32 tensors, kept for the backward pass.
SAVED_BYTES = 16
RECOMPUTED_BYTES = 20  # per unit of the state instead, where activations are recomputed
# Multiply-adds of forward passes: the slowest rate recorded, on a machine under twice its load.
WORK_PER_MINUTE = 1.2e11
# Floating-point operations per multiply-add of a forward pass: two forward, four backward.
TRAINING, EVALUATION = 6, 2
OPERATIONS_PER_SECOND = 7e10  # recorded over all jobs, on one core of an idle machine
START_MINUTES = 5  # loading torch from a busy file system
SHORT_MINUTES = 5  # of work; below it queueing and starting cost more than the job
AUDIT_SECONDS = 5  # of a model, as recorded: 1 on the spheres, 10 on the digits
START_SECONDS = 2  # of every job on an idle machine: loading torch, or what draws figures


def memory_mb(cell: Cell, attempt: int = 1) -> int:
    """Megabytes for any job of a cell; training needs most, for what the backward pass needs.

    Args:
        cell: the cell.
        attempt: counted from 1; each doubles the estimate.
    """
    shape, protocol = state_shape(cell), cell.task.protocol
    hidden, nfe = cell.task.model.network.hidden_units(shape), expected_nfe(cell)
    samples = protocol.batch * len(cell.seeds)
    if protocol.gradient == "backpropagation":
        kept = SAVED_BYTES * hidden * nfe
    else:
        # The activations of one evaluation at a time, and all states. For the adjoint, which keeps
        # fewer states, it is an upper bound.
        kept = SAVED_BYTES * hidden + RECOMPUTED_BYTES * math.prod(shape) * nfe
    return math.ceil(BASE_MB + samples * kept / 1e6) << (attempt - 1)


def training_minutes(cell: Cell, attempt: int = 1) -> int:
    """Wall-time limit of training a cell, in minutes; arguments as for `memory_mb`."""
    return _minutes(training_work(cell) + probing_work(cell), attempt)


def evaluation_minutes(cell: Cell, attempt: int = 1) -> int:
    """Wall-time limit of evaluating, auditing or tracing a cell, in minutes, as `memory_mb`."""
    # At the rate of training, which is slower for its backward passes: an upper bound.
    return _minutes(evaluation_work(cell), attempt)


def _minutes(work: int, attempt: int) -> int:
    return math.ceil(START_MINUTES + work / WORK_PER_MINUTE) << (attempt - 1)


def gpus(cell: Cell) -> int:
    """GPUs of any job of a cell: one if its task asks for one by name, otherwise none."""
    return int(wants_gpu(cell.task))


def wants_gpu(task: Task) -> bool:
    """Whether a task asks for a GPU by name; with device `auto` it takes what is available."""
    return task.device == "cuda"


def group(cell: Cell) -> str:
    """The group of a cell's jobs: `short`, many of which a profile bundles into one, or `long`."""
    work = training_work(cell) + probing_work(cell) + evaluation_work(cell)
    return "short" if work <= SHORT_MINUTES * WORK_PER_MINUTE else "long"


def training_seconds(cell: Cell) -> float:
    """Expected time of training a cell on an idle core, without starting."""
    operations = TRAINING * training_work(cell) + EVALUATION * probing_work(cell)
    return operations / OPERATIONS_PER_SECOND


def evaluation_seconds(cell: Cell) -> float:
    """Expected time of evaluating a cell on an idle core, without starting."""
    return EVALUATION * evaluation_work(cell) / OPERATIONS_PER_SECOND


def audit_seconds(cell: Cell) -> float:
    """Expected time of auditing a cell on an idle core, without starting."""
    return AUDIT_SECONDS * len(cell.seeds)


def sizing(cells: Sequence[Cell]) -> str:
    """What the cells need in total, on one line."""
    seconds = [training_seconds(cell) + evaluation_seconds(cell) for cell in cells]
    total, longest = sum(seconds), max(seconds, default=0)
    gigabytes = max((memory_mb(cell) for cell in cells), default=0) / 1000
    return (
        f"about {total * OPERATIONS_PER_SECOND:.1e} floating-point operations, "
        f"{total / 3600:,.1f} core hours, "
        f"{longest / 3600:,.1f} in the longest cell; "
        f"memory limit {gigabytes:.1f} GB"
    )
