"""What may keep a trained model an ODE, whatever chooses its steps: each by a key of the protocol.

Weight decay, which knows nothing of solvers, is what to compare them with.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import Forward, NeuralODE
from solverproof.ode.integration import VectorField, solve
from solverproof.ode.solvers import Setting
from solverproof.training.batches import Batch, run_seed
from solverproof.training.specifications import Training

Penalty = tuple[Tensor, int]
"""What is added to the loss of each seed, shape (seeds,), and the evaluations it took."""


class Remedies:
    """Those that a training asks for.

    What each draws follows from task and iteration alone: seeds are solved together, so they share
    it.
    """

    def __init__(self, spec: Training) -> None:
        self.protocol, self.task = spec.protocol, spec.task

    def changed(self, model: NeuralODE, iteration: int) -> NeuralODE:
        """The model to train in an iteration."""
        share = self.protocol.random_end
        return random_end(model, share, self._random("random_end", iteration)) if share else model

    def penalty(
        self, model: NeuralODE, batch: Batch, setting: Setting, forward: Forward
    ) -> Penalty:
        """What is added to the losses of a batch.

        Args:
            model: as it was changed.
            batch: the batch.
            setting: with which the batch was solved.
            forward: what came of that.
        """
        values, nfe = torch.zeros(len(batch.x), device=batch.x.device), 0
        for more, evaluations in self._weighted(model, batch, setting, forward):
            values, nfe = values + more, nfe + evaluations
        return values, nfe

    def _weighted(
        self, model: NeuralODE, batch: Batch, setting: Setting, forward: Forward
    ) -> Iterator[Penalty]:
        if weight := self.protocol.consistency:
            values, nfe = consistency(model, batch.parameters, batch.x, setting, forward.state)
            yield weight * values, nfe
        if weight := self.protocol.local_error:
            random = self._random("local_error", batch.iteration)
            values, nfe = local_error(model, batch.parameters, batch.x, setting, random)
            yield weight * values, nfe

    def _random(
        self, remedy: Literal["random_end", "local_error"], iteration: int
    ) -> np.random.Generator:
        return np.random.default_rng([run_seed(self.task, 0, remedy), iteration])


def random_end(model: NeuralODE, share: float, random: np.random.Generator) -> NeuralODE:
    """The model with its horizon T drawn uniformly from T (1 - share) to T (1 + share).

    Ghosh et al. 2020 (STEER), algorithm 1: so the flow is smooth around the end, where it is used.
    """
    return replace(model, horizon=model.horizon * (1 + share * random.uniform(-1, 1)))


def consistency(
    model: NeuralODE, parameters: Parameters, x: Tensor, setting: Setting, end: Tensor
) -> Penalty:
    """Mean square by which end states change with half as many steps, or ten times the tolerance.

    A single step is compared with two.

    Args:
        model: the Neural ODE.
        parameters: stacked parameters.
        x: inputs, shape (seeds, batch, channels, *spatial).
        setting: with which `end` was solved.
        end: final states, shape (seeds, batch, channels, *spatial).
    """
    forward = model(parameters, x, setting.coarser())
    return _mean_square(forward.state - end), max(s.nfe for s in forward.solutions)


def local_error(
    model: NeuralODE,
    parameters: Parameters,
    x: Tensor,
    setting: Setting,
    random: np.random.Generator,
) -> Penalty:
    """Mean square of the error of one step, over its length: one step against two of half of it.

    The step is drawn from those that the solver takes, and begins where the solver comes to it;
    gradients are those of the step alone. Pal et al. 2021 (Opening the blackbox) penalise the
    estimates of an adaptive solver instead, and all of them.

    Args:
        model: the Neural ODE.
        parameters: stacked parameters.
        x: inputs, shape (seeds, batch, channels, *spatial).
        setting: a solver of equal steps, and their number.
        random: draws the step.
    """
    assert setting.steps is not None  # as the configuration is checked for
    before, size = int(random.integers(setting.steps)), model.horizon / setting.steps
    field, first = model.vector_field(parameters), model.horizon * before / setting.steps
    with torch.no_grad():
        state = model.field.pack(model.start(parameters, x))
        if before:
            so_far = replace(setting, steps=before)
            state = solve(field, state, so_far, horizon=first).state
    one, two = (
        solve(_from(field, first), state, replace(setting, steps=n), horizon=size) for n in (1, 2)
    )
    error = model.field.unpack(two.state - one.state) / size
    return _mean_square(error), before * setting.solver.stages + one.nfe + two.nfe


def _from(field: VectorField, first: float) -> VectorField:
    """The field with its time counted from another one."""
    return lambda t, state: field(t + first, state)


def _mean_square(values: Tensor) -> Tensor:
    """Of each seed, shape (seeds,)."""
    return values.square().flatten(1).mean(1)
