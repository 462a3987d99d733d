"""Which samples an iteration trains on, and the random streams of a run."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import NeuralODE

Purpose = Literal["weights", "batches", "controller", "held_out", "random_end", "local_error"]


@dataclass(frozen=True)
class Batch:
    """The input of a schedule in an iteration: the current model and the batch.

    Attributes:
        iteration: counted from 1.
        model: the Neural ODE.
        parameters: its stacked parameters.
        x: inputs, shape (seeds, batch, channels, *spatial).
        targets: labels, shape (seeds, batch); or real values, shape (seeds, batch, outputs).
        total_nfe: each seed's function evaluations in all forward passes of training so far.
    """

    iteration: int
    model: NeuralODE
    parameters: Parameters
    x: Tensor
    targets: Tensor
    total_nfe: list[int]


@dataclass(frozen=True)
class Ending:
    """A training where it would end.

    Attributes:
        iteration: the last one.
        model, parameters, total_nfe: as of a batch, after that iteration.
        batch: samples of an iteration.
    """

    iteration: int
    model: NeuralODE
    parameters: Parameters
    total_nfe: list[int]
    batch: int


def batch_indices(samples: int, batch: int, streams: Sequence[int]) -> Iterator[Tensor]:
    """Endless batches of sample indices, shape (streams, batch), from the seeds of streams.

    Each stream walks through freshly shuffled epochs; a batch may reach over the end of an epoch,
    so every batch is full and every sample is used equally often.
    """
    generators = [Generator().manual_seed(stream) for stream in streams]
    waiting = [torch.empty(0, dtype=torch.long) for _ in streams]
    while True:
        for i, generator in enumerate(generators):
            # A loop, because a batch may be larger than the data set.
            while len(waiting[i]) < batch:
                waiting[i] = torch.cat([waiting[i], torch.randperm(samples, generator=generator)])
        yield torch.stack([queue[:batch] for queue in waiting])
        waiting = [queue[batch:] for queue in waiting]


def run_seed(task: str, seed: int, purpose: Purpose) -> int:
    """Seed of the random numbers that a run draws for one purpose.

    It follows from task and seed alone, so a seed has the same initial weights and the same batches
    with every solver, setting and controller (common random numbers): what differs between two of
    its runs is due to them, and differences over seeds are paired.
    """
    # Not Python's `hash`, which differs between processes. Six bytes stay below 2^48, which is
    # within the range of PyTorch's seeds.
    digest = hashlib.sha256(f"{task}/seed-{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
