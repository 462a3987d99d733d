"""Which samples an iteration trains on, and the random streams of a run."""

import hashlib
from collections.abc import Iterator

import torch
from torch import Generator, Tensor


def batch_indices(samples: int, batch: int, streams: list[int]) -> Iterator[Tensor]:
    """Endless batches of sample indices, shape (streams, batch).

    Each stream walks through freshly shuffled epochs; a batch may reach over the end of an epoch,
    so every batch is full and every sample is used equally often.
    """
    generators = [Generator().manual_seed(stream + 1) for stream in streams]
    waiting = [torch.empty(0, dtype=torch.long) for _ in streams]
    while True:
        for i, generator in enumerate(generators):
            while len(waiting[i]) < batch:
                waiting[i] = torch.cat([waiting[i], torch.randperm(samples, generator=generator)])
        yield torch.stack([queue[:batch] for queue in waiting])
        waiting = [queue[batch:] for queue in waiting]


def stream(identity: str, seed: int) -> int:
    """Seed of a run's random stream, from the run's identity; even, so that stream + 1 is free."""
    digest = hashlib.sha256(f"{identity}/seed-{seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") * 2
