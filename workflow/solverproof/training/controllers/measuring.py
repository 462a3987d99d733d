"""What a controller measures: the model on the batch of an iteration, under some setting."""

from __future__ import annotations  # planning imports controllers and must not load torch

import math
from typing import TYPE_CHECKING

from solverproof.control.measurement import Measurement

if TYPE_CHECKING:
    from solverproof.ode.solvers import Setting, Solver
    from solverproof.training.batches import Batch


def measure(batch: Batch, setting: Setting) -> Measurement:
    """The score of the only seed of a batch, without a gradient."""
    import torch

    from solverproof.models.losses import seed_scores

    with torch.no_grad():
        forward = batch.model(batch.parameters, batch.x, setting)
    (solution,) = forward.solutions
    gave_up = solution.steps is None
    score = math.nan if gave_up else seed_scores(forward.outputs, batch.targets).item()
    return Measurement(setting, score, solution.nfe)


def first_size(batch: Batch, solver: Solver) -> tuple[float, int]:
    """Hairer's first step size for a batch (see `initial_step`), and its cost in evaluations.

    It is a fraction of the horizon, so that bounds on it do not depend on that; it may be above 1.
    """
    from solverproof.ode.initial_step import initial_step

    model = batch.model
    state = model.field.pack(model.start(batch.parameters, batch.x).detach())
    step, nfe = initial_step(model.vector_field(batch.parameters), state, solver.order)
    return step / model.horizon, nfe
