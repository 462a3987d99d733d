"""The flow of a trained model, as closely as two unlike solvers agree on it.

Whether a model is an ODE is a question about its flow. Any one solver, however fine, may be wrong
about it; two that share nothing, one that chooses its steps and one that takes equal ones, hardly
are in the same way.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from solverproof.errors import InputError
from solverproof.models.ends import LinearHead
from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import Forward, NeuralODE
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import SOLVERS, Setting

STEPS, TOLERANCE = 64, 1e-5  # of the coarsest pair of solves
FINER = 8  # division of the tolerance where the steps are doubled; errors then fall about alike
REFINEMENTS = 7
AGREEMENT = 0.01  # of what is measured, the end-state error
CERTAINTY = 0.1  # of the margin: ten times the estimated error changes no prediction
ROUNDING = 1e-8  # of the state: a hundredth of what float32, in which models run, can tell
FURTHER = 2
SHARE = 0.01  # of samples that may stay unresolved
IN_CACHE = 8192  # numbers of the states that a CPU solves at once: what a field makes of more does
# not fit into its cache, and takes up to four times as long (MNIST, 16 channels)
Solve = Callable[[Setting, Tensor], Solution]
"""Solves the flow in float64 from the samples that a mask chooses, shape (chosen, features)."""
SolveAgain = Callable[[Setting, Tensor, Tensor], Solution]
"""The same, given what the other solver made of them."""
Alike = Callable[[Tensor, Tensor], Tensor]
"""Whether two end states of each sample differ by no more than rounding, shape (samples,)."""
Head = Callable[[Tensor], Tensor]
"""From end states (samples, features) to outputs (samples, ...)."""
Sure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Whether each sample's prediction would stay if the end state were ten times as far off as the
two solvers are apart, from their end states and the outputs of the first; shape (samples,)."""


@dataclass(frozen=True)
class Reference:
    """The flow from every sample, in float64.

    Attributes:
        state: final states, shape (samples, ...).
        outputs: what the head makes of them, shape (samples, ...).
        distance: that of the two solvers' final states, shape (samples,): an estimate of the
            reference's own error, not a bound.
        resolved: whether that is small enough, shape (samples,).
        nfe: evaluations of both solvers, at every level those of the samples that took most.
        status: `ok`, or `unresolved`.
        reason: why it is not resolved; None if it is.
        sure: whether the two solvers' outputs are the same for what is judged by a wide margin,
            shape (samples,). Not where the flow ends at a tie, which no solver resolves. None if
            that is not known.
    """

    state: Tensor
    outputs: Tensor
    distance: Tensor
    resolved: Tensor
    nfe: int
    status: str = "ok"
    reason: str | None = None
    sure: Tensor | None = None

    @property
    def decided(self) -> Tensor:
        """Whether what is judged of each sample is known, shape (samples,).

        Its end state need not be: predictions that are sure are the same for all states near it.
        """
        if self.sure is None:
            return self.resolved
        return self.resolved | (self.sure & self.distance.isfinite())


def alike_near_one(ours: Tensor, theirs: Tensor) -> Tensor:
    """Whether end states are alike, of features of about 1."""
    return norms_of(theirs - ours) <= ROUNDING * (1 + norms_of(ours))


def resolve(
    equal: Solve,
    adaptive: SolveAgain,
    head: Head,
    measured: Tensor,
    sure: Sure,
    *,
    alike: Alike = alike_near_one,
    level: int = 0,
) -> Reference:
    """Solve a flow with RK4 and with Dopri 5, ever finer, until they agree.

    Both begin coarse, with 64 steps and at 1e-5, and are refined together up to 8,192 steps and
    5e-12. Starting tighter would cost more for nothing: where the field has kinks the evaluations
    of an adaptive solver grow with the root of the tolerance whatever its order (docs/methods.md).
    Where RK4 has to begin finer, it waits for the tolerance to come up to it.

    A sample is resolved when the distance of both final states is at most a hundredth of its error
    under the setting that is judged, or of the state where that error is greater than the state or
    not finite, and surely changes no prediction; or is rounding. Only samples that are not are
    solved again: the last levels are the dearest, and few samples need them. The reference is
    resolved when at most 1 % of the samples are not. Those of them whose predictions are not sure
    are refined, twice more at most; the others wait.

    Args:
        equal: solves with equal steps.
        adaptive: solves with an adaptive solver, every sample under its own control; samples whose
            solver gives up are NaN.
        head: makes outputs of final states.
        measured: final states of the setting that is judged, shape (samples, features).
        sure: whether predictions are.
        alike: whether final states differ by rounding.
        level: the first number of doublings of 64 steps.

    Returns:
        Of each sample the finest solution of RK4, which is the more accurate of the two.
    """
    nfe = good = 0
    ours = theirs = torch.full_like(measured, math.nan)
    rest = torch.ones(len(measured), dtype=torch.bool, device=measured.device)
    for doublings in range(REFINEMENTS + 1):
        if doublings == 0 or doublings > level:
            one = equal(Setting(SOLVERS["rk4"], steps=STEPS * 2 ** max(level, doublings)), rest)
            ours, nfe = ours.index_put((rest,), one.state), nfe + one.nfe
        tolerance = Setting(SOLVERS["dopri5"], tolerance=TOLERANCE / FINER**doublings)
        other = adaptive(tolerance, rest, ours[rest])
        nfe += other.nfe
        # Where it gives up, what it made at a looser tolerance is all that is known.
        followed = other.state.isfinite().all(1, keepdim=True)
        theirs = theirs.index_put((rest,), other.state.where(followed, theirs[rest]))
        outputs, distance = head(ours), norms_of(theirs - ours)
        # Where a setting diverged its error is not a number, or so great that it asks for nothing.
        error = torch.fmin(norms_of(measured - ours), norms_of(ours))
        certain = sure(ours, theirs, outputs)
        small = (distance <= AGREEMENT * error) & certain
        # A distance that is not a number is never small; an infinite one is no less than itself.
        known = distance.isfinite() & outputs.isfinite().reshape(len(outputs), -1).all(1)
        resolved = known & (small | alike(ours, theirs))
        found = Reference(ours, outputs, distance, resolved, nfe, sure=certain)
        share = float((~resolved).double().mean())
        good += share <= SHARE
        doubtful = ~(resolved | certain)
        if share <= SHARE and (good > FURTHER or not doubtful.any()):
            return found
        # Finer ones would not get further. RK4 may: unstable steps overflow, shorter ones do not.
        if int((~followed).sum()) > SHARE * len(measured):
            reason = _lost(other, tolerance, len(measured))
            return replace(found, status="unresolved", reason=reason)
        rest = doubtful if share <= SHARE else ~resolved
    if share <= SHARE:
        return found
    reason = f"{one.steps} steps of RK4 and Dopri 5 disagree on {share:.1%} of the samples"
    if not known.all():
        reason += f", where {float((~known).double().mean()):.1%} overflow"
    return replace(found, status="unresolved", reason=reason)


def _lost(theirs: Solution, tolerance: Setting, samples: int) -> str:
    """How many of all samples could not be followed, and how far."""
    lost = ~theirs.state.isfinite().all(1)
    share = int(lost.sum()) / samples
    told = f"Dopri 5 at {tolerance.tolerance:.1e} gave up on {share:.1%} of the samples"
    if theirs.reached is None:
        return f"{told}, after {theirs.nfe:,} evaluations"
    end = float(theirs.reached[lost].median())
    return f"{told}, half of them by t = {end:.3g}, after at most {theirs.nfe:,} evaluations"


@torch.no_grad()
def reference(
    model: NeuralODE, parameters: Parameters, x: Tensor, measured: Tensor, *, classes: bool = True
) -> Reference:
    """The flow of one model of the study, see `resolve`.

    Dopri 5 solves every sample alone, and takes a step only if every component's error is within
    the tolerance: in the mean over a batch a few samples could be far off. Predictions are sure
    when the distance is at most a tenth of the margin (`margins`); without a linear head, or
    without classes, there is no margin, and all are.

    Args:
        model: the Neural ODE.
        parameters: those of one seed, as a stack of one; of any precision.
        x: inputs, shape (batch, channels, *spatial).
        measured: final states of the setting that is judged, shape (batch, channels, *spatial).
        classes: whether the outputs are logits of classes, and not real values.
    """
    where = "cpu" if x.device.type == "mps" else x.device  # Apple's GPUs have no float64
    parameters = {name: p.to(where).double() for name, p in parameters.items()}
    x, measured = x.to(where).double().unsqueeze(0), measured.to(where).double()

    def head(states: Tensor) -> Tensor:
        return model.outputs(parameters, states.view_as(measured).unsqueeze(0))[0]

    adaptively = partial(_adaptively, model)
    at_once = max(1, IN_CACHE // measured[0].numel()) if x.device.type == "cpu" else len(measured)

    def solved(way: Callable[..., Forward], setting: Setting, some: Tensor) -> Solution:
        parts = torch.split(x[:, some], at_once, dim=1)
        return _joined([_solution(way(parameters, part, setting)) for part in parts])

    def sure(ours: Tensor, theirs: Tensor, outputs: Tensor) -> Tensor:
        if not classes or not isinstance(model.head, LinearHead):
            return torch.ones(len(ours), dtype=torch.bool, device=ours.device)
        margin = margins(parameters["head.weight"][0], outputs)
        return norms_of(theirs - ours) <= CERTAINTY * margin

    try:
        found = resolve(
            partial(solved, model),
            lambda setting, some, _: solved(adaptively, setting, some),
            head,
            measured.flatten(1),
            sure,
        )
    except InputError as error:  # a user's own network may hold constants in float32
        nothing = torch.full_like(measured, math.nan)
        reason = f"not computed in float64: {error}"
        unknown = norms_of(nothing)
        return Reference(nothing, nothing, unknown, unknown.isfinite(), 0, "unresolved", reason)
    return replace(found, state=found.state.view_as(measured))


def _solution(forward: Forward) -> Solution:
    """The solution of a stack of one, of states (batch, features)."""
    (solution,) = forward.solutions
    state = forward.state[0].flatten(1)
    if isinstance(solution, SolverError):
        return Solution(state, solution.nfe, 0)
    return replace(solution, state=state)


def _joined(parts: Sequence[Solution]) -> Solution:
    """The solutions of parts of the samples as one, with the work of the part that took most."""
    reached = [part.reached for part in parts if part.reached is not None]
    return Solution(
        torch.cat([part.state for part in parts]),
        nfe=max(part.nfe for part in parts),
        steps=max(part.steps for part in parts),
        reached=torch.cat(reached) if len(reached) == len(parts) else None,
    )


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
    """Every sample alone; where the field depends on the time, by the largest error in `x`."""
    if model.field.autonomous:
        return model.alone(parameters, x, setting, norm=lambda errors: errors.abs().amax(1))
    # Sample by sample it would take too long.
    return model(parameters, x, setting, norm=lambda errors: errors.abs().max())


def norms_of(states: Tensor) -> Tensor:
    """Euclidean norm of each sample's state, shape (batch,); squares neither over- nor underflow.

    A power of two is taken out before, which rounds nothing.
    """
    flat = states.flatten(1)
    _, exponent = torch.frexp(flat.abs().amax(1).clamp(min=torch.finfo(flat.dtype).tiny))
    # twice, because the inverse of the largest power overflows
    half = torch.exp2((exponent // 2).to(flat.dtype))
    rest = torch.exp2((exponent - exponent // 2).to(flat.dtype))
    norms: Tensor = torch.linalg.vector_norm(flat / half.unsqueeze(1) / rest.unsqueeze(1), dim=1)
    return norms * half * rest
