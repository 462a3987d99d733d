"""Training a block of seeds together, with the result that each would have alone."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.models.devices import chosen_device
from solverproof.models.fields import Parameters
from solverproof.models.losses import loss_named, seed_scores
from solverproof.models.neural_ode import Forward, NeuralODE, neural_ode
from solverproof.models.samples import samples
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import Setting
from solverproof.training.batches import Batch, Ending, batch_indices, run_seed
from solverproof.training.optimizers import clip, learning_rate, optimizer, set_rate
from solverproof.training.remedies import Remedies
from solverproof.training.specifications import Protocol, Training
from solverproof.training.stateful import CheckpointStore, Stateful


@dataclass(frozen=True)
class HistoryRow:
    """A row of `history.csv`: one iteration of one seed.

    Attributes:
        iteration: counted from 1.
        seed: the seed.
        loss: on the batch.
        accuracy, error: on the batch, the one of labels, the other of real values; see
            `seed_scores`. The other is NaN.
        nfe: function evaluations in the forward pass.
        steps: steps taken; None where the solver gave up.
        rejected: steps that an adaptive solver rejected; None where it gave up.
        total_nfe: function evaluations in all forward passes so far, those of penalties included.
        seconds: since the start of training.
    """

    iteration: int
    seed: int
    loss: float
    accuracy: float
    error: float
    nfe: int
    steps: int | None
    rejected: int | None
    total_nfe: int
    seconds: float


Schedule = Callable[[Batch], Setting]
"""Chooses the setting of an iteration."""
More = Callable[[Ending], int]
"""Asked where training would end: for how many iterations it goes on; 0 ends it."""
Report = Callable[[int, Sequence[HistoryRow]], None]
"""Receives the number of an iteration and one row per seed that is still trained."""


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
class Trained:
    """What training returns.

    Attributes:
        parameters: stacked parameters after the last iteration.
        history: one row per seed every `history_every` iterations, at the last one and where a
            seed fails.
        iterations: those that were run: fewer than asked for where all seeds failed, more where
            training was made longer.
        mean_nfe: mean function evaluations of each seed's forward passes.
        failures: the failures, by seed.
        seconds: time of training, including that before it was resumed.
        device: where it was computed.
    """

    parameters: Parameters
    history: list[HistoryRow]
    iterations: int
    mean_nfe: dict[int, float]
    failures: dict[int, Failure]
    seconds: float
    device: str


def train(
    spec: Training,
    data: Mapping[str, np.ndarray],
    schedule: Schedule,
    *,
    more: More | None = None,
    checkpoint: CheckpointStore | None = None,
    report: Report | None = None,
) -> Trained:
    """Train the block of seeds that a training specification describes.

    By default cross-entropy, Adam, and gradients through the solver's operations (Ott et al. 2021,
    section 4), whose activations are kept or recomputed, or from the adjoint equation. The loss is
    summed over seeds, so their gradients never mix.

    A seed whose solver gives up or whose loss is not finite has failed: its parameters are
    worthless, and training continues for the others as long as there are any.

    Args:
        spec: what is trained, and how.
        data: the task's data set; its training part is used.
        schedule: chooses the setting of each iteration.
        more: whether training goes on after its last iteration, and again after the last of those;
            not asked where all seeds have failed.
        checkpoint: where the state is saved every few minutes, and from which training is resumed;
            a resumed training ends with the same bits as an uninterrupted one.
        report: called after every iteration.

    Raises:
        InputError: if the task's device is not available, or code of the user's own cannot be
            used.
    """
    where = chosen_device(spec.device)
    train_set = samples(data, "train", where)
    protocol, seeds = spec.protocol, spec.seeds
    model, loss_of = neural_ode(spec.model, train_set.shape), loss_named(protocol.loss)
    weights = [run_seed(spec.task, seed, "weights") for seed in seeds]
    orders = [run_seed(spec.task, seed, "batches") for seed in seeds]
    # Drawn on the CPU and then moved, so that the device does not change the initial weights.
    parameters = {name: p.to(where).requires_grad_() for name, p in model.initial(weights).items()}
    updates, remedies = optimizer(protocol, parameters), Remedies(spec)
    record = _Record(seeds, protocol)
    parts: dict[str, Stateful] = {
        "parameters": _Weights(parameters),
        "optimizer": updates,
        "record": record,
        "random": _GlobalRandom(),
    }
    if checkpoint:
        checkpoint.load(parts)

    # When resuming, the batches of the iterations that are done are drawn again and skipped, so the
    # checkpoint needs no state of their generators.
    batches = batch_indices(len(train_set), protocol.batch, orders)
    ahead = islice(batches, record.iterations, None)
    while record.goes_on(more, model, parameters):
        iteration, index = record.iterations + 1, next(ahead)
        batch = Batch(
            iteration,
            model,
            parameters,
            train_set.inputs(index),
            train_set.targets[index],
            record.total_nfe,
        )
        setting, changed = schedule(batch), remedies.changed(model, iteration)
        forward = changed(parameters, batch.x, setting, gradient=protocol.gradient)
        losses = loss_of(forward.outputs, batch.targets)
        penalty, nfe = remedies.penalty(changed, batch, setting, forward)
        # Failures are found before the update, from the loss of the current parameters.
        rows = record.add(batch, forward, losses, nfe)
        # Once all seeds have failed there is no gradient left to follow.
        if not record.running:
            break
        updates.zero_grad()
        # A sum, not a mean: a seed's gradient must not depend on the size of its block.
        (losses + penalty).sum().backward()  # type: ignore[no-untyped-call]
        if protocol.clip is not None:
            clip(parameters, protocol.clip)
        set_rate(updates, learning_rate(protocol, iteration))
        updates.step()
        if record.failures:
            _give_up(parameters, [seeds.index(seed) for seed in record.failures])
        if report:
            report(iteration, rows)
        # After the update, so that parameters, optimiser and record are of the same iteration.
        if checkpoint and checkpoint.due:
            checkpoint.save(parts)

    # The result is for evaluating and saving, which must not record gradients.
    for p in parameters.values():
        p.detach_()
    return Trained(
        parameters,
        record.history,
        record.iterations,
        record.mean_nfe,
        record.failures,
        record.seconds,
        where.type,
    )


class _Weights:
    """Parameters, restored in place because the optimiser holds references to them."""

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

    # Only the CPU's: results are the same to the last bit on CPUs alone.

    def state_dict(self) -> dict[str, Any]:
        return {"cpu": torch.get_rng_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["cpu"])


@torch.no_grad()
def _give_up(parameters: Parameters, failed: Sequence[int]) -> None:
    """Set the parameters of failed seeds to NaN."""
    # On NaN an adaptive solver gives up at once, instead of spending its budget in each iteration.
    for p in parameters.values():
        p[list(failed)] = math.nan


class _Record:
    """History and failures of a training so far."""

    def __init__(self, seeds: Sequence[int], protocol: Protocol) -> None:
        self.seeds, self.protocol = seeds, protocol
        self.iterations, self.wanted = 0, protocol.iterations
        self.total_nfe = [0] * len(seeds)
        self.history: list[HistoryRow] = []
        self.failures: dict[int, Failure] = {}
        self.started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        # Plain values instead of dataclasses, because a checkpoint is loaded without running code.
        return {
            "iterations": self.iterations,
            "wanted": self.wanted,
            "total_nfe": self.total_nfe,
            "history": [asdict(row) for row in self.history],
            "failures": {seed: asdict(failure) for seed, failure in self.failures.items()},
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.iterations, self.wanted = state["iterations"], state["wanted"]
        self.total_nfe = state["total_nfe"]
        self.history = [HistoryRow(**row) for row in state["history"]]
        self.failures = {seed: Failure(**failure) for seed, failure in state["failures"].items()}
        # As if it had started earlier, by the time it took before it was stopped.
        self.started = time.perf_counter() - state["seconds"]

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    @property
    def running(self) -> bool:
        return len(self.failures) < len(self.seeds)

    @property
    def mean_nfe(self) -> dict[int, float]:
        return {
            seed: nfe / max(1, self.iterations)
            for seed, nfe in zip(self.seeds, self.total_nfe, strict=True)
        }

    def goes_on(self, more: More | None, model: NeuralODE, parameters: Parameters) -> bool:
        """Whether there is another iteration: of those that are wanted, or of more."""
        if more and self.running and self.iterations == self.wanted:
            batch = self.protocol.batch
            self.wanted += more(Ending(self.iterations, model, parameters, self.total_nfe, batch))
        return self.running and self.iterations < self.wanted

    def add(
        self, batch: Batch, forward: Forward, losses: Tensor, penalty_nfe: int
    ) -> list[HistoryRow]:
        """The rows of an iteration, one per seed that had not failed before.

        Rows that are due, and those of new failures, are added to the history.
        """
        self.iterations = batch.iteration
        last = batch.iteration == self.wanted
        due = last or batch.iteration % self.protocol.history_every == 0
        scores = seed_scores(forward.outputs.detach(), batch.targets).tolist()
        real = batch.targets.is_floating_point()
        # Failed seeds are counted as well, because their solves still run.
        self.total_nfe = [
            total + s.nfe + penalty_nfe
            for total, s in zip(self.total_nfe, forward.solutions, strict=True)
        ]
        results = zip(
            self.seeds, losses.tolist(), scores, forward.solutions, self.total_nfe, strict=True
        )
        rows = []
        for seed, loss, score, solution, total_nfe in results:
            # Only the first failure is recorded; later ones follow from its NaN parameters.
            if seed in self.failures:
                continue
            rows.append(
                HistoryRow(
                    iteration=batch.iteration,
                    seed=seed,
                    loss=loss,
                    accuracy=math.nan if real else score,
                    error=score if real else math.nan,
                    nfe=solution.nfe,
                    steps=solution.steps,
                    rejected=solution.rejected,
                    total_nfe=total_nfe,
                    seconds=self.seconds,
                )
            )
            if failure := _failure(solution, loss, batch.iteration):
                self.failures[seed] = failure
            if due or failure:
                self.history.append(rows[-1])
        return rows


def _failure(solution: Solution | SolverError, loss: float, iteration: int) -> Failure | None:
    # The solver's reason first: after it gives up the loss is NaN as well, which explains nothing.
    if isinstance(solution, SolverError):
        return Failure(solution.status, f"{solution.reason} at iteration {iteration}")
    return (
        None
        if math.isfinite(loss)
        else Failure("diverged", f"loss not finite at iteration {iteration}")
    )
