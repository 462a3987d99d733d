"""What a job needs of a machine, estimated from its cell, for schedulers that want to know before it runs.

The constants are from recorded jobs of the default study (`results/benchmarks/`) and are meant as upper
bounds; what they miss, the next attempt gets, with twice as much. `sizing` alone is meant to be near.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from solverproof.study.cells import (
    UNKNOWN_WIDTHS,
    Cell,
    evaluation_work,
    expected_nfe,
    probing_work,
    state_shape,
    training_work,
)

BASE_MB = 1000  # Python with torch, the data set, and the two Snakemakes around a job of Slurm
SAVED_BYTES = 16  # per hidden unit of an evaluation: four float32 tensors, kept for the backward pass
RECOMPUTED_BYTES = 20  # per unit of the state instead, where activations are computed again
WORK_PER_MINUTE = 1.2e11  # multiply-adds of forward passes, the slowest recorded, on a machine busy twice over
TRAINING, EVALUATION = 6, 2  # floating-point operations to a multiply-add forward: two there, four backward
OPERATIONS_PER_HOUR = 7e10 * 3600  # as recorded for all jobs together, on one core of an idle machine
START_MINUTES = 5  # loading torch from a busy file system
SHORT_MINUTES = 5  # of work; below it queueing and starting cost more than the job


def memory_mb(config: Mapping[str, Any], cell: Cell, attempt: int = 1) -> int:
    """Megabytes for any job of a cell: training needs most, as it keeps much for the backward pass.

    Args:
        config: a validated configuration.
        cell: one of its cells.
        attempt: counted from 1; each doubles the estimate.
    """
    task = config["tasks"][cell.task]
    shape = state_shape(config, cell.task)
    hidden = _hidden_units(config["networks"][task["network"]], shape)
    protocol, nfe = config["protocols"][task["protocol"]], expected_nfe(config, cell)
    samples = int(protocol["batch"]) * len(cell.seeds)
    if protocol["gradient"] == "backpropagation":
        kept = SAVED_BYTES * hidden * nfe
    else:  # one evaluation, and all states
        kept = SAVED_BYTES * hidden + RECOMPUTED_BYTES * math.prod(shape) * nfe
    return math.ceil(BASE_MB + samples * kept / 1e6) << (attempt - 1)


def training_minutes(config: Mapping[str, Any], cell: Cell, attempt: int = 1) -> int:
    """Minutes after which training a cell may be given up; arguments as for `memory_mb`."""
    return _minutes(training_work(config, cell) + probing_work(config, cell), attempt)


def evaluation_minutes(config: Mapping[str, Any], cell: Cell, attempt: int = 1) -> int:
    """Minutes after which evaluating or tracing a cell may be given up; arguments as for `memory_mb`.

    They are reckoned as for training, though nothing goes backward.
    """
    return _minutes(evaluation_work(config, cell), attempt)


def _minutes(work: int, attempt: int) -> int:
    return math.ceil(START_MINUTES + work / WORK_PER_MINUTE) << (attempt - 1)


def gpus(config: Mapping[str, Any], cell: Cell) -> int:
    """GPUs of any job of a cell: one where its task asks for it by name, none where it takes what is there."""
    return int(config["tasks"][cell.task]["device"] == "cuda")


def wants_gpus(config: Mapping[str, Any]) -> bool:
    """Whether any task asks for a GPU by name."""
    return any(task["device"] == "cuda" for task in config["tasks"].values())


def group(config: Mapping[str, Any], cell: Cell) -> str:
    """The group of a cell's jobs: `short`, of which a profile sends many to the queue as one, or `long`."""
    work = training_work(config, cell) + probing_work(config, cell) + evaluation_work(config, cell)
    return "short" if work <= SHORT_MINUTES * WORK_PER_MINUTE else "long"


def sizing(config: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """What cells of a configuration need, in one line."""
    operations = [
        TRAINING * training_work(config, cell)
        + EVALUATION * (probing_work(config, cell) + evaluation_work(config, cell))
        for cell in cells
    ]
    total, longest = sum(operations), max(operations, default=0)
    gigabytes = max((memory_mb(config, cell) for cell in cells), default=0) / 1000
    return (
        f"about {total:.1e} floating-point operations, {total / OPERATIONS_PER_HOUR:,.1f} core hours, "
        f"{longest / OPERATIONS_PER_HOUR:,.1f} in the longest cell; memory limit {gigabytes:.1f} GB"
    )


def _hidden_units(network: Mapping[str, Any], shape: tuple[int, ...]) -> int:
    """Hidden units per sample, of the layers that hold most of them."""
    if network["family"] == "conv":
        return math.prod(shape[1:]) * int(network["channels"])
    return int(max(network.get("widths", UNKNOWN_WIDTHS)))
