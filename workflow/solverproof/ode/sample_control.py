"""Adaptive solves in which every sample has its own step sizes, many samples at once.

An adaptive solver of torchdiffeq chooses one step size for all samples of a batch, so that what it
makes of one depends on the others. Here each sample gets the solution that it would get alone. The
methods, their steps and the rule of step sizes are torchdiffeq's; the loop over samples is ours.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchdiffeq._impl.rk_common import _runge_kutta_step

from solverproof.ode.integration import MOST_EVALUATIONS, Solution, VectorField
from solverproof.ode.solvers import Setting
from solverproof.ode.torchdiffeq_methods import method_in_torchdiffeq

# torchdiffeq's defaults: a step aims at 0.9 of the size that the error estimate allows, grows at
# most tenfold, and shrinks at most fivefold, after an accepted step not at all
SAFETY, GROWTH, SHRINKAGE = 0.9, 10.0, 0.2
TO_START = 2  # evaluations before the first step
SampleNorm = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Underway:
    """Samples that have not arrived, all after equally many attempted steps.

    Attributes:
        index: their places in the batch, shape (n,).
        z, slope: their states and slopes there, shape (n, features).
        t: their times, shape (n,).
        size: the step sizes to try next, shape (n,).
        steps: numbers of accepted steps, shape (n,).
    """

    index: Tensor
    z: Tensor
    slope: Tensor
    t: Tensor
    size: Tensor
    steps: Tensor

    def only(self, chosen: Tensor) -> "_Underway":
        """Those that a mask chooses."""
        return _Underway(*(values[chosen] for values in vars(self).values()))


def rms(errors: Tensor) -> Tensor:
    """Root mean square over the features of each sample, shape (n,) of (n, features)."""
    return errors.square().mean(1).sqrt()


@torch.no_grad()
def solve_samples(
    field: VectorField,
    state: Tensor,
    setting: Setting,
    *,
    horizon: float,
    norm: SampleNorm = rms,
) -> Solution:
    """Solve dz/dt = f(z) from t = 0 to t = `horizon`, with an adaptive solver for each sample.

    Every sample gets what `solve` gives for it as a batch of one, up to rounding. Gradients are not
    computed.

    Args:
        field: an autonomous right-hand side that maps every sample by itself. The samples are at
            different times when it is evaluated, so the time it is given means nothing.
        state: initial states, shape (batch, *shape).
        setting: an adaptive solver and its tolerance.
        horizon: length of the interval.
        norm: of each sample's relative errors.

    Returns:
        The final states, NaN for samples whose solver gave up. Evaluations and steps are the most
        that any sample took.

    Raises:
        ValueError: if the solver is not adaptive, or its tolerances differ.
    """
    if setting.tolerance is None:
        name = setting.solver.name
        raise ValueError(f"{name} takes equal steps, the same for every sample; use solve")
    if setting.atol is not None:
        raise ValueError(f"{setting.words}: one tolerance for both is all that is computed")
    method, tolerance = method_in_torchdiffeq(setting.solver), setting.tolerance
    tableau = method.tableau._make(_like(state, part) for part in method.tableau)
    stages, nfe = len(tableau.alpha), TO_START

    def slope(_time: object, z: Tensor, **_: object) -> Tensor:
        velocity: Tensor = field(state.new_zeros(()), z.view(-1, *state.shape[1:]))
        return velocity.flatten(1)

    ends = torch.full_like(state.flatten(1), math.nan)
    reached = torch.zeros(len(state), dtype=torch.float64, device=state.device)
    steps = torch.zeros(len(state), dtype=torch.int64, device=state.device)
    now = _started(slope, state.flatten(1), method.order, tolerance, norm)
    while nfe + stages <= MOST_EVALUATIONS:
        now = now.only(now.size.isfinite() & (now.t + now.size > now.t) & now.z.isfinite().all(1))
        if not len(now.index):
            break
        now = _stepped(now, slope, tableau, method.order, tolerance, horizon, norm)
        nfe += stages
        reached[now.index] = now.t
        arrived = now.only(now.t >= horizon)
        ends[arrived.index], steps[arrived.index] = arrived.z, arrived.steps
        now = now.only(now.t < horizon)
    return Solution(ends.view_as(state), nfe, int(steps.max()), reached=reached)


def _like(state: Tensor, part: Any) -> Any:
    """A part of a tableau, a tensor or a list of them, with the type and device of the state."""
    return part.to(state) if isinstance(part, Tensor) else [row.to(state) for row in part]


def _started(
    slope: Callable[..., Tensor], z: Tensor, order: int, tolerance: float, norm: SampleNorm
) -> _Underway:
    """All samples at t = 0, with Hairer's first step size for each (HNW II.4), as in torchdiffeq.

    The order is torchdiffeq's: the power of the step size with which the error estimate falls.
    """
    f, scale = slope(0, z), tolerance * (1 + z.abs())
    d0, d1 = norm(z / scale), norm(f / scale)
    h0 = torch.where(torch.minimum(d0, d1) < 1e-5, 1e-6, 0.01 * d0 / d1)
    d2 = norm((slope(0, z + h0.unsqueeze(1) * f) - f) / scale) / h0
    largest = torch.fmax(d1, d2)
    h1 = torch.where(largest <= 1e-15, (1e-3 * h0).clamp(min=1e-6), (0.01 / largest) ** (1 / order))
    # Times are in float64, as in torchdiffeq.
    size = torch.minimum(100 * h0, h1).double()
    index = torch.arange(len(z), device=z.device)
    return _Underway(index, z, f, torch.zeros_like(size), size, torch.zeros_like(index))


def _stepped(
    now: _Underway,
    slope: Callable[..., Tensor],
    tableau: Any,
    order: int,
    tolerance: float,
    horizon: float,
    norm: SampleNorm,
) -> _Underway:
    """All samples after each has tried a step, the last of which ends at the horizon."""
    is_last = now.t + now.size > horizon
    size = torch.where(is_last, horizon - now.t, now.size)
    end = torch.where(is_last, horizon, now.t + now.size)
    times = (values.view(-1, 1, 1) for values in (now.t, size, end))
    z, f, error, _ = _runge_kutta_step(slope, now.z, now.slope, *times, tableau)
    ratio = norm(error / (tolerance * (1 + torch.maximum(now.z.abs(), z.abs()))))
    accepted = ratio <= 1  # never of NaN, whose next step size is NaN as well: it gives up
    return _Underway(
        now.index,
        torch.where(accepted.unsqueeze(1), z, now.z),
        torch.where(accepted.unsqueeze(1), f, now.slope),
        torch.where(accepted, end, now.t),
        size * _factor(ratio, order),
        now.steps + accepted,
    )


def _factor(ratio: Tensor, order: int) -> Tensor:
    """By what the step size changes, given the error relative to the tolerance."""
    ratio = ratio.double()
    allowed = SAFETY / ratio ** (1 / order)
    least = torch.where(ratio < 1, 1.0, SHRINKAGE)
    return torch.maximum(allowed, least).clamp(max=GROWTH)
