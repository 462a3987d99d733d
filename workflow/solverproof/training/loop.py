"""Training a block of seeds together, each as if it were alone."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.models.classifier import Classifier, Forward, classifier
from solverproof.models.devices import device
from solverproof.models.fields import Parameters
from solverproof.models.losses import seed_losses
from solverproof.models.samples import samples
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import Setting
from solverproof.training.batches import batch_indices, stream
from solverproof.training.stateful import Keeper, Stateful

HISTORY_COLUMNS = ("iteration", "seed", "loss", "accuracy", "nfe", "steps", "rejected", "total_nfe", "seconds")


@dataclass(frozen=True)
class Batch:
    """What is at hand in an iteration: the model as it stands, and the batch.

    Attributes:
        iteration: counted from 1.
        model: the classifier.
        parameters: its stacked parameters.
        x: inputs, shape (seeds, batch, channels, *spatial).
        labels: shape (seeds, batch).
        total_nfe: evaluations of each seed's field in all forward passes of training so far.
    """

    iteration: int
    model: Classifier
    parameters: Parameters
    x: Tensor
    labels: Tensor
    total_nfe: list[int]


Schedule = Callable[[Batch], Setting]
"""Chooses the setting of an iteration."""
Progress = Callable[[int, Sequence[Mapping[str, Any]]], None]
"""Is told how an iteration went: its number, and rows as those of the history, one per seed."""


@dataclass(frozen=True)
class Failure:
    """Why a seed failed to train.

    Attributes:
        status: `diverged` (loss NaN or infinite), or why its solver gave up (see `SolverError`).
        reason: what happened and when, in one line.
    """

    status: str
    reason: str


@dataclass(frozen=True)
class Training:
    """What training returns.

    Attributes:
        parameters: stacked parameters after the last iteration.
        history: one row per seed every `history_every` iterations, at the last one and where a
            seed fails: iteration, seed, loss and accuracy on the batch; nfe, steps and rejected
            steps of the forward pass; total_nfe of all forward passes; seconds since the start.
        mean_nfe: mean evaluations of each seed's forward passes.
        failures: why each seed that failed did.
        seconds: of training, those before it was stopped and taken up again included.
        device: where it was computed.
    """

    parameters: Parameters
    history: list[dict[str, Any]]
    mean_nfe: dict[int, float]
    failures: dict[int, Failure]
    seconds: float
    device: str


def train(
    spec: Mapping[str, Any],
    data: Mapping[str, np.ndarray],
    schedule: Schedule,
    *,
    checkpoint: Keeper | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train the block of seeds that a training specification describes.

    Cross-entropy, Adam, gradients through the solver's operations (Ott et al. 2021, section 4),
    whose activations are kept or computed again, or from the adjoint equation. The loss is summed over
    seeds, whose gradients therefore never mix.

    A seed whose solver gives up or whose loss is not finite has failed: its parameters are
    worthless, and training goes on for the others as long as there are any.

    Args:
        spec: a training specification.
        data: the task's data set; its training part is used.
        schedule: chooses the setting of each iteration.
        checkpoint: where the state is saved every few minutes, and from where training goes on if it
            was stopped; it then ends with the same bits as one that was not.
        progress: told of every iteration.

    Raises:
        InputError: if the task's device is not there.
    """
    where = device(spec["device"])
    train_set = samples(data, "train", where)
    protocol, seeds = spec["protocol"], spec["seeds"]
    model = classifier(spec["model"], train_set.shape)
    streams = [stream(spec["identity"], seed) for seed in seeds]
    parameters = {name: p.to(where).requires_grad_() for name, p in model.initial(streams).items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=protocol["learning_rate"], fused=True)
    record = _Record(seeds, protocol)
    parts: dict[str, Stateful] = {
        "parameters": _Weights(parameters),
        "optimizer": optimizer,
        "record": record,
        "random": _GlobalRandom(),
    }
    if checkpoint:
        checkpoint.load(parts)

    batches = batch_indices(len(train_set), protocol["batch"], streams)
    ahead = islice(batches, record.iterations, protocol["iterations"])
    for iteration, index in enumerate(ahead, start=record.iterations + 1):
        batch = Batch(iteration, model, parameters, train_set.inputs(index), train_set.labels[index], record.total_nfe)
        forward = model(parameters, batch.x, schedule(batch), gradient=protocol["gradient"])
        losses = seed_losses(forward.logits, batch.labels)
        rows = record.add(batch, forward, losses)
        if not record.running:
            break
        optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if record.failures:
            _give_up(parameters, [seeds.index(seed) for seed in record.failures])
        if progress:
            progress(iteration, rows)
        if checkpoint and checkpoint.due:
            checkpoint.save(parts)

    for p in parameters.values():
        p.detach_()
    return Training(parameters, record.history, record.mean_nfe, record.failures, record.seconds, where.type)


class _Weights:
    """Parameters, which a checkpoint restores in place."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def state_dict(self) -> dict[str, Any]:
        return dict(self.parameters)

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, p in self.parameters.items():
            p.copy_(state[name])


class _GlobalRandom:
    """PyTorch's global random numbers, which a user's own network may draw from."""

    def state_dict(self) -> dict[str, Any]:
        return {"cpu": torch.get_rng_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["cpu"])


@torch.no_grad()
def _give_up(parameters: Parameters, failed: Sequence[int]) -> None:
    """Make failed seeds NaN, on which an adaptive solver gives up at once, not after all its evaluations again."""
    for p in parameters.values():
        p[list(failed)] = math.nan


class _Record:
    """History and failures of a training, as it goes."""

    def __init__(self, seeds: Sequence[int], protocol: Mapping[str, Any]) -> None:
        self.seeds, self.protocol = seeds, protocol
        self.iterations, self.total_nfe = 0, [0] * len(seeds)
        self.history: list[dict[str, Any]] = []
        self.failures: dict[int, Failure] = {}
        self.started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {
            "iterations": self.iterations,
            "total_nfe": self.total_nfe,
            "history": self.history,
            "failures": {seed: asdict(failure) for seed, failure in self.failures.items()},
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.iterations, self.total_nfe, self.history = state["iterations"], state["total_nfe"], state["history"]
        self.failures = {seed: Failure(**failure) for seed, failure in state["failures"].items()}
        self.started = time.perf_counter() - state["seconds"]

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    @property
    def running(self) -> bool:
        return len(self.failures) < len(self.seeds)

    @property
    def mean_nfe(self) -> dict[int, float]:
        return {seed: nfe / max(1, self.iterations) for seed, nfe in zip(self.seeds, self.total_nfe, strict=True)}

    def add(self, batch: Batch, forward: Forward, losses: Tensor) -> list[dict[str, Any]]:
        """The rows of an iteration, one per seed that had not failed before; some of them enter the history."""
        self.iterations = batch.iteration
        due = batch.iteration % self.protocol["history_every"] == 0 or batch.iteration == self.protocol["iterations"]
        accuracies = (forward.logits.argmax(2) == batch.labels).float().mean(1).tolist()
        self.total_nfe = [n + s.nfe for n, s in zip(self.total_nfe, forward.solutions, strict=True)]
        results = zip(self.seeds, losses.tolist(), accuracies, forward.solutions, self.total_nfe, strict=True)
        rows = []
        for seed, loss, accuracy, solution, total_nfe in results:
            if seed in self.failures:
                continue
            effort = (solution.nfe, solution.steps, solution.rejected, total_nfe)
            values = (batch.iteration, seed, loss, accuracy, *effort, self.seconds)
            rows.append(dict(zip(HISTORY_COLUMNS, values, strict=True)))
            if failure := _failure(solution, loss, batch.iteration):
                self.failures[seed] = failure
            if due or failure:
                self.history.append(rows[-1])
        return rows


def _failure(solution: Solution | SolverError, loss: float, iteration: int) -> Failure | None:
    if isinstance(solution, SolverError):
        return Failure(solution.status, f"{solution.reason} at iteration {iteration}")
    return None if math.isfinite(loss) else Failure("diverged", f"loss not finite at iteration {iteration}")
