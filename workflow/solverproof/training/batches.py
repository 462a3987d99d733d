"""Which samples an iteration trains on, and the random streams of a run."""

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor


def batch_indices(samples: int, batch: int, streams: Sequence[int]) -> Iterator[Tensor]:
    """Endless batches of sample indices, shape (streams, batch).

    Each stream walks through freshly shuffled epochs; a batch may reach over the end of an epoch,
    so every batch is full and every sample is used equally often.
    """
    # The stream's own number seeds the initial weights; the next one is free (see `run_seed`).
    generators = [Generator().manual_seed(stream + 1) for stream in streams]
    waiting = [torch.empty(0, dtype=torch.long) for _ in streams]
    while True:
        for i, generator in enumerate(generators):
            # A loop, because a batch may be larger than the data set.
            while len(waiting[i]) < batch:
                waiting[i] = torch.cat([waiting[i], torch.randperm(samples, generator=generator)])
        yield torch.stack([queue[:batch] for queue in waiting])
        waiting = [queue[batch:] for queue in waiting]


def run_seed(identity: str, seed: int) -> int:
    """Seed of a run's random numbers, from the run's identity; even, so that the next is free."""
    # Not Python's `hash`, which differs between processes. Six bytes, doubled, stay below 2^49,
    # which is within the range of PyTorch's seeds.
    digest = hashlib.sha256(f"{identity}/seed-{seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") * 2
