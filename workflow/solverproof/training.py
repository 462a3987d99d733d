"""Training a block of seeds together, each as if it were alone."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Generator, Tensor

from solverproof.networks import Classifier, Parameters, classifier


@dataclass(frozen=True)
class Batch:
    """What is at hand in an iteration: the model as it stands, and the batch.

    Attributes:
        model: the classifier.
        parameters: its stacked parameters.
        x: inputs, shape (seeds, batch, channels, *spatial).
        labels: shape (seeds, batch).
    """

    model: Classifier
    parameters: Parameters
    x: Tensor
    labels: Tensor


Schedule = Callable[[int, Batch], int]
"""Chooses the number of training steps of an iteration (counted from 1)."""


@dataclass(frozen=True)
class Training:
    """What training returns.

    Attributes:
        parameters: stacked parameters after the last iteration.
        history: one row per seed every `history_every` iterations, at the last one and where a
            seed diverges: iteration, seed, loss and accuracy on the batch, nfe of the forward
            pass, seconds since the start.
        failures: seed to reason, for the seeds whose loss became NaN or infinite.
    """

    parameters: Parameters
    history: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)


def train(spec: Mapping[str, Any], data: Mapping[str, np.ndarray], schedule: Schedule | None = None) -> Training:
    """Train the block of seeds that a training specification describes.

    Cross-entropy, Adam, gradients through the solver's operations (Ott et al. 2021, section 4).
    The loss is summed over seeds, whose gradients therefore never mix.

    A seed whose loss is not finite has diverged: it is reported in `failures`, its parameters
    are worthless, and training goes on for the others as long as there are any.

    Args:
        spec: a training specification.
        data: the task's data set; its training part is used.
        schedule: chooses the number of steps of each iteration; the specification's by default.
    """
    x, y = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    protocol, seeds = spec["protocol"], spec["seeds"]
    model = classifier(spec["model"], tuple(x.shape[1:]))
    streams = [_stream(spec["setting"], seed) for seed in seeds]
    parameters = {name: p.requires_grad_() for name, p in model.initial(streams).items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=protocol["learning_rate"], fused=True)
    training, started = Training(parameters), time.perf_counter()

    batches = islice(batch_indices(len(x), protocol["batch"], streams), protocol["iterations"])
    for iteration, index in enumerate(batches, start=1):
        batch = Batch(model, parameters, x[index], y[index])
        steps = schedule(iteration, batch) if schedule else spec["steps"]
        logits, solution = model(parameters, batch.x, solver=spec["solver"], steps=steps)
        losses = seed_losses(logits, batch.labels)
        running = [seed for seed in seeds if seed not in training.failures]
        diverged = _note_failures(training.failures, losses, seeds, iteration)
        if diverged or iteration % protocol["history_every"] == 0 or iteration == protocol["iterations"]:
            accuracies = (logits.argmax(2) == batch.labels).float().mean(1)
            rows = _history_rows(iteration, seeds, losses, accuracies, solution.nfe, time.perf_counter() - started)
            training.history.extend(row for row in rows if row["seed"] in running)
        if len(training.failures) == len(seeds):
            break
        optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    for p in parameters.values():
        p.detach_()
    return training


def seed_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each seed, shape (seeds,).

    Args:
        logits: shape (seeds, batch, classes).
        labels: shape (seeds, batch).
    """
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)


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


def _stream(setting: str, seed: int) -> int:
    """Seed of a run's random stream, from the run's identity; even, so that stream + 1 is free."""
    digest = hashlib.sha256(f"{setting}/seed-{seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") * 2


def _note_failures(failures: dict[int, str], losses: Tensor, seeds: list[int], iteration: int) -> bool:
    """Add the seeds that diverged in this iteration; tell whether there were any."""
    finite = losses.isfinite()
    if finite.all():
        return False
    new = [seed for seed, ok in zip(seeds, finite.tolist(), strict=True) if not ok and seed not in failures]
    failures.update(dict.fromkeys(new, f"loss not finite at iteration {iteration}"))
    return bool(new)


def _history_rows(
    iteration: int, seeds: list[int], losses: Tensor, accuracies: Tensor, nfe: int, seconds: float
) -> Iterator[dict[str, Any]]:
    for seed, loss, accuracy in zip(seeds, losses.tolist(), accuracies.tolist(), strict=True):
        row = {"iteration": iteration, "seed": seed, "loss": loss, "accuracy": accuracy}
        yield {**row, "nfe": nfe, "seconds": seconds}
