"""The flow of an audited model: its reference, as `reference` finds it, on the user's states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchdiffeq import odeint

from solverproof.auditing.measures import Standard, control_ratios
from solverproof.auditing.problem import Problem, device_of
from solverproof.auditing.reference import (
    CERTAINTY,
    ROUNDING,
    SHARE,
    STEPS,
    Reference,
    norms_of,
    resolve,
)
from solverproof.ode.integration import Solution, SolverError, VectorField, counted, solve
from solverproof.ode.sample_control import solve_samples
from solverproof.ode.solvers import SOLVERS, Setting

SINGLE_ROUNDING = 1e-5  # of the state, where the field is evaluated in float32
TIMED_STEPS = 256  # at least, where the field depends on the time: a pulse may be short
FEW = 16  # samples whose velocity tells whether the field depends on the time
LEAST = 1e-30  # of its size at the start, down to which a sample is followed relative to its size


@dataclass(frozen=True)
class Flow:
    """The reference of an audited model.

    Attributes:
        problem: the model in float64.
        reference: its end states (samples, features), and how far two solvers agree on them.
        timed: whether the field may depend on the time.
    """

    problem: Problem
    reference: Reference
    timed: bool = True


@torch.no_grad()
def flow(
    double: Problem, measured: Tensor, standard: Standard, looked_at: Sequence[float] = ()
) -> Flow:
    """The flow from every sample, resolved as finely as the deployed setting needs.

    Two solvers may step over the same pulse, which the deployed one happens to see. So where the
    field depends on the time RK4 stops at every time at which the deployed solver looked.

    Args:
        double: the model in float64.
        measured: end states of the deployed setting, shape (samples, features).
        standard: when a sample misses.
        looked_at: times at which the deployed solver evaluated the field.
    """
    grid = _grid(double, looked_at)
    timed = not double.autonomous and _depends_on_time(double, grid)
    found = _resolved(double, measured.double(), standard, grid if timed else None)
    if found.status != "ok" and not (timed or double.autonomous):
        # it may depend on the time in places that were not looked at
        again = _resolved(double, measured.double(), standard, grid)
        timed, found = (True, again) if again.status == "ok" else (False, found)
    return Flow(double, found, timed)


def _resolved(
    double: Problem, measured: Tensor, standard: Standard, grid: Tensor | None
) -> Reference:
    start = double.flat_start()

    def equal(setting: Setting, chosen: Tensor) -> Solution:
        some = double.chosen(chosen)
        if grid is None:
            return solve(some.flat_field(), some.flat_start(), setting, horizon=1.0)
        return _on_grid(some.flat_field(), some.flat_start(), _halved(grid, setting.value))

    def adaptive(setting: Setting, chosen: Tensor, ours: Tensor) -> Solution:
        some = double.chosen(chosen)
        found = adaptively(some, setting, ours, timed=grid is not None)
        # Of a high order where the flow is smooth and goes far; at kinks it would cost much more.
        more = ours.isfinite().all(1) & ~found.state.isfinite().all(1)
        if not more.any():
            return found
        finer = Setting(SOLVERS["dopri8"], tolerance=setting.value)
        again = adaptively(some.chosen(more), finer, ours[more], timed=grid is not None)
        assert found.reached is not None
        assert again.reached is not None
        state = found.state.index_put((more,), again.state)
        reached = found.reached.index_put((more,), again.reached)
        return Solution(state, found.nfe + again.nfe, again.steps, reached=reached)

    def sure(_: Tensor, theirs: Tensor, outputs: Tensor) -> Tensor:
        others = double.outputs(theirs)
        # Ten times the difference that both solvers make would not change what is judged.
        if standard.classes:
            return control_ratios(others, outputs) <= CERTAINTY
        return standard.errors(others, outputs) <= CERTAINTY * standard.accept

    rounding = ROUNDING if double.exact else SINGLE_ROUNDING

    def alike(ours: Tensor, theirs: Tensor) -> Tensor:
        units = _units(start, ours)
        return norms_of((theirs - ours) / units) <= rounding * norms_of(ours / units)

    level = 0 if grid is None else max(0, math.ceil(math.log2((len(grid) - 1) / STEPS)))
    found = resolve(
        equal,
        adaptive,
        double.outputs,
        measured,
        sure,
        alike=alike,
        level=level,
    )
    # Verdicts need no more; errors below the distance are then told as that.
    if float((~found.decided).double().mean()) <= SHARE:
        return replace(found, status="ok", reason=None, resolved=found.decided)
    return found


def adaptively(problem: Problem, setting: Setting, ours: Tensor, *, timed: bool) -> Solution:
    """End states by an adaptive solver, every sample under its own control; NaN where it gives up.

    Args:
        problem: the model in float64.
        setting: an adaptive solver and its tolerance.
        ours: about what the end states are, shape (samples, features); not finite where not known.
        timed: whether the field depends on the time.
    """
    first, last = problem.interval
    scaled = _Scaled(problem.flat_field(), problem.flat_start(), ours)
    found = scaled.solve(setting, alone=not timed, lost=~ours.isfinite().all(1))
    assert found.reached is not None
    times = first + (last - first) * found.reached
    return Solution(found.state, found.nfe, found.steps, reached=times)


class _Scaled:
    """A flow in units of its own, so that a tolerance means the same for states of any size.

    Every feature is divided by its largest value among the samples, and every sample by its own
    size, at the start or the end, whichever is the smaller. That size goes along as a further
    feature, because an adaptive solver evaluates ever fewer of the samples.
    """

    def __init__(self, field: VectorField, start: Tensor, end: Tensor) -> None:
        end = end.nan_to_num(0.0, 0.0, 0.0)
        self.units = _units(start, end)
        self.size = _smaller(*(norms_of(states / self.units) for states in (start, end)))[:, None]
        self.field = field
        self.start = torch.cat([start / self.units / self.size, self.size], 1)

    def velocity(self, t: Tensor, states: Tensor) -> Tensor:
        """The field in those units; of the size, nothing."""
        unit = states[:, -1:] * self.units
        return torch.cat(
            [self.field(t, states[:, :-1] * unit) / unit, torch.zeros_like(states[:, -1:])], 1
        )

    def solve(self, setting: Setting, *, alone: bool, lost: Tensor) -> Solution:
        """With steps of each sample's own, or with steps at which no sample's error is too large.

        Args:
            setting: an adaptive solver and its tolerance.
            alone: whether each has its own; then the field is told no time.
            lost: samples that RK4 could not follow: left out if all cannot be solved together.
        """
        if alone:
            found = solve_samples(
                self.velocity, self.start, setting, horizon=1.0, norm=_largest_of_each
            )
            return self._unscaled(found, found.state)
        every = torch.ones_like(lost)
        found = self._together(setting, every)
        if found.state.isnan().all() and lost.any() and not lost.all():
            found = self._together(setting, ~lost)
        return self._unscaled(found, found.state)

    def _together(self, setting: Setting, chosen: Tensor) -> Solution:
        ends, reached = torch.full_like(self.start, math.nan), self.start.new_zeros(len(chosen))
        until = reached[:1]

        def field(t: Tensor, states: Tensor) -> Tensor:
            until[:] = torch.maximum(until, t)
            return self.velocity(t, states)

        try:
            found = solve(field, self.start[chosen], setting, horizon=1.0, norm=_largest)
        except SolverError as failure:
            return Solution(ends, failure.nfe, 0, reached=until.expand(len(chosen)))
        ends[chosen] = found.state
        return Solution(ends, found.nfe, found.steps, reached=reached + chosen)

    def _unscaled(self, found: Solution, states: Tensor) -> Solution:
        end = states[:, :-1] * self.units * self.size
        return Solution(end, found.nfe, found.steps, reached=found.reached)


def _units(start: Tensor, end: Tensor) -> Tensor:
    """A size of each feature, shape (features,)."""
    return _smaller(start.abs().amax(0), end.nan_to_num(0.0, 0.0, 0.0).abs().amax(0))


def _smaller(first: Tensor, last: Tensor) -> Tensor:
    """About the smaller of two sizes, of those that are not zero; 1 where both are.

    It is a power of two, so that nothing is rounded where it is taken out: a feature may be a
    label, which the field makes a whole number of.
    """
    one, other = (sizes.where(sizes > 0, math.inf) for sizes in (first, last))
    least = torch.minimum(one, other).maximum(LEAST * first)
    known = least.where(least.isfinite(), 1.0)
    return known / torch.frexp(known).mantissa


def _grid(problem: Problem, looked_at: Sequence[float]) -> Tensor:
    """Times from 0 to 1: equal steps, and wherever the deployed solver looked."""
    first, last = problem.interval
    scaled = {min(max((time - first) / (last - first), 0.0), 1.0) for time in looked_at}
    equal = {i / TIMED_STEPS for i in range(TIMED_STEPS + 1)}
    times = torch.tensor(sorted(equal | scaled), dtype=torch.float64)
    return times.to(device_of(problem.start))


def _halved(grid: Tensor, steps: float) -> Tensor:
    """The grid with every step cut in equal parts, until there are about so many."""
    parts = max(1, round(steps / (len(grid) - 1)))
    fractions = torch.arange(parts).to(grid) / parts
    within = grid[:-1, None] + grid.diff()[:, None] * fractions
    return torch.cat([within.flatten(), grid[-1:]])


def _on_grid(field: VectorField, start: Tensor, grid: Tensor) -> Solution:
    """RK4 with the steps of a grid."""
    setting = Setting(SOLVERS["rk4"], steps=len(grid) - 1)
    counter = counted(field, setting)
    ends = torch.stack([grid[0], grid[-1]])
    states = odeint(
        counter, start, ends, method="rk4", options={"grid_constructor": lambda *_: grid}
    )
    return Solution(states[-1], counter.evaluations, counter.steps)


def _depends_on_time(problem: Problem, grid: Tensor) -> bool:
    """Whether the velocity of some samples, where they start, is another at any of the times."""
    some = problem.chosen(slice(FEW))
    field, start = some.flat_field(), some.flat_start()
    now = field(grid[0], start).nan_to_num()
    return any(not torch.equal(field(t, start).nan_to_num(), now) for t in grid)


def _largest_of_each(errors: Tensor) -> Tensor:
    return errors.abs().amax(1)


def _largest(errors: Tensor) -> Tensor:
    return errors.abs().max()
