"""The flow of a trained model, as closely as two unlike solvers agree on it.

Whether a model is an ODE is a question about its flow. Any one solver, however fine, may be wrong
about it; two that share nothing, one that chooses its steps and one that takes equal ones, hardly
are in the same way.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from solverproof.errors import InputError
from solverproof.models.ends import LinearHead
from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import Forward, NeuralODE
from solverproof.ode.solvers import SOLVERS, Setting

STEPS, TOLERANCE = 64, 1e-5  # of the coarsest pair of solves
FINER = 8  # division of the tolerance where the steps are doubled; errors then fall about alike
REFINEMENTS = 7
AGREEMENT = 0.01  # of what is measured, the end-state error
CERTAINTY = 0.1  # of the margin: ten times the estimated error changes no prediction
ROUNDING = 1e-8  # of the state: a hundredth of what float32, in which models run, can tell
SHARE = 0.01  # of samples that may stay unresolved


@dataclass(frozen=True)
class Reference:
    """The flow from every input, in float64.

    Attributes:
        state: final states, shape (batch, channels, *spatial).
        outputs: shape (batch, outputs); of no use where the reference is not resolved.
        distance: that of the two solvers' final states, shape (batch,): an estimate of the
            reference's own error, not a bound.
        nfe: evaluations of both solvers.
        status: `ok`, or `unresolved`.
        reason: why it is not resolved; None if it is.
    """

    state: Tensor
    outputs: Tensor
    distance: Tensor
    nfe: int
    status: str = "ok"
    reason: str | None = None


@torch.no_grad()
def reference(
    model: NeuralODE, parameters: Parameters, x: Tensor, measured: Tensor, *, classes: bool = True
) -> Reference:
    """Solve the flow of one model with RK4 and with Dopri 5, ever finer, until they agree.

    Dopri 5 solves every sample alone, and takes a step only if every component's error is within
    the tolerance: in the mean over a batch a few samples could be far off. Both begin coarse, with
    64 steps and at 1e-5, and are refined together up to 8,192 steps and 5e-12. Starting tighter
    would cost more for nothing: where the field has kinks the evaluations of an adaptive solver
    grow with the root of the tolerance whatever its order (docs/methods.md).

    A sample is resolved when the distance of both final states is at most a hundredth of its error
    under the setting that is judged and a tenth of its margin (`margins`), or is rounding. Without
    a linear head, or without classes, there is no margin. The reference is resolved when at most
    1 % of the samples are not.

    Args:
        model: the Neural ODE.
        parameters: those of one seed, as a stack of one; of any precision.
        x: inputs, shape (batch, channels, *spatial).
        measured: final states of the setting that is judged, shape (batch, channels, *spatial).
        classes: whether the outputs are logits of classes, and not real values.

    Returns:
        The finest solution of RK4, which is the more accurate of the two.
    """
    where = "cpu" if x.device.type == "mps" else x.device  # Apple's GPUs have no float64
    parameters = {name: p.to(where).double() for name, p in parameters.items()}
    x, measured, nfe = x.to(where).double().unsqueeze(0), measured.to(where).double(), 0
    for level in range(REFINEMENTS + 1):
        equal = Setting(SOLVERS["rk4"], steps=STEPS * 2**level)
        adaptive = Setting(SOLVERS["dopri5"], tolerance=TOLERANCE / FINER**level)
        try:
            ours, theirs = model(parameters, x, equal), _adaptively(model, parameters, x, adaptive)
        except InputError as error:  # a user's own network may hold constants in float32
            nothing = torch.full_like(measured, math.nan)
            reason = f"not computed in float64: {error}"
            return Reference(nothing, nothing, norms_of(nothing), 0, "unresolved", reason)
        nfe += ours.solutions[0].nfe + theirs.solutions[0].nfe
        state, outputs = ours.state[0], ours.outputs[0]
        distance = norms_of(theirs.state[0] - state)
        margin = torch.full_like(distance, math.inf)
        if classes and isinstance(model.head, LinearHead):
            margin = margins(parameters["head.weight"][0], outputs)
        share = _share_unresolved(distance, state, measured, margin)
        if share <= SHARE:
            return Reference(state, outputs, distance, nfe)
        lost = float((~distance.isfinite()).double().mean())
        if lost > SHARE:  # finer ones would not get further
            reason = f"Dopri 5 at {adaptive.tolerance:.1e} gave up on {lost:.1%} of the samples"
            return Reference(state, outputs, distance, nfe, "unresolved", reason)
    reason = f"{equal.steps} steps of RK4 and Dopri 5 disagree on {share:.1%} of the samples"
    return Reference(state, outputs, distance, nfe, "unresolved", reason)


def _share_unresolved(distance: Tensor, state: Tensor, measured: Tensor, margin: Tensor) -> float:
    error = norms_of(measured - state)
    # A setting that diverged has an error that is not a number: its margin alone counts then.
    error = error.nan_to_num(nan=math.inf, posinf=math.inf)
    needed = torch.minimum(AGREEMENT * error, CERTAINTY * margin)
    needed = needed.maximum(ROUNDING * (1 + norms_of(state)))
    # `not <=`, so that a distance that is not a number counts as unresolved
    return float((~(distance <= needed)).double().mean())


def margins(weights: Tensor, logits: Tensor) -> Tensor:
    """How far a final state may move before its prediction can change, shape (batch,).

    With c the predicted class and g_k the lead of its logit over that of class k, the distance to
    the border with k is g_k / |w_c - w_k| for a linear head with rows w, and the margin is the
    least of these. Classes with equal rows never change places.

    Args:
        weights: of the head, shape (classes, features).
        logits: shape (batch, classes).
    """
    predicted = logits.argmax(1)
    leads = logits.gather(1, predicted.unsqueeze(1)) - logits
    # Not by products, as is the default for more than 25 classes: rounding would part equal rows.
    exactly = "donot_use_mm_for_euclid_dist"
    apart = torch.cdist(weights, weights, compute_mode=exactly)[predicted]
    # The class itself has lead 0 and distance 0, which is no border.
    return torch.where(apart > 0, leads / apart, math.inf).amin(1)


def _adaptively(model: NeuralODE, parameters: Parameters, x: Tensor, setting: Setting) -> Forward:
    """Every sample alone; where the field depends on the time, by the largest error of all."""
    if model.field.autonomous:
        return model.alone(parameters, x, setting, norm=lambda errors: errors.abs().amax(1))
    # Sample by sample it would take too long.
    return model(parameters, x, setting, norm=lambda errors: errors.abs().max())


def norms_of(states: Tensor) -> Tensor:
    """Euclidean norm of each sample's state, shape (batch,)."""
    norms: Tensor = torch.linalg.vector_norm(states.flatten(1), dim=1)
    return norms
