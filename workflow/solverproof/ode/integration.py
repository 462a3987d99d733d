"""The flow of a vector field, approximated by a numerical solver."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

from solverproof.ode.solvers import Setting
from solverproof.ode.torchdiffeq_methods import register

VectorField = Callable[[Tensor], Tensor]
MOST_EVALUATIONS = 20_000  # of one solve; a field that needs more is not solved in any useful sense
NOT_FINITE = "state or slope not finite"


@dataclass(frozen=True)
class Solution:
    """What a solver returns.

    Attributes:
        state: shape of the initial state; for a trajectory with the time axis (steps + 1) in front.
        nfe: evaluations of the vector field that were really made.
        steps: steps that were really taken (of an adaptive solver: accepted).
        rejected: steps that an adaptive solver tried and took back.
    """

    state: Tensor
    nfe: int
    steps: int
    rejected: int = 0


class SolverError(Exception):
    """A solver gave up.

    Attributes:
        status: `underflow` (the step became too small to move on), `nonfinite` (the state or its slope
            is NaN or infinite) or `budget` (more than `MOST_EVALUATIONS` evaluations).
        reason: what happened, in one line.
        nfe: evaluations made until then.
        steps, rejected: None; so that it stands where a `Solution` may.
    """

    steps = rejected = None

    def __init__(self, status: str, reason: str, nfe: int) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason, self.nfe = status, reason, nfe


def solve(
    field: VectorField, state: Tensor, setting: Setting, *, horizon: float, adjoint: Sequence[Tensor] | None = None
) -> Solution:
    """Carry a state from t = 0 to t = `horizon` along an autonomous field.

    A fixed-step solver takes `setting.steps` equal steps. An adaptive one controls the root mean
    square, over the whole state, of the error relative to tolerance * (1 + |state|); its last step
    ends at `horizon`.

    Args:
        field: right-hand side of dz/dt = f(z); takes and returns tensors of the state's shape.
        state: initial state, any shape.
        setting: the solver and its number of steps or tolerance.
        horizon: length of the interval.
        adjoint: the parameters of the field, to get gradients by solving the adjoint equation
            backwards (Chen et al. 2018, algorithm 1) instead of through the solver's operations; they
            are NaN where that equation cannot be solved.

    Raises:
        SolverError: if an adaptive solver cannot go on.
    """
    if setting.solver.tableau:
        register(setting.solver.name, setting.solver.tableau)
    counted = (_CountedAdaptive if setting.solver.is_adaptive else _Counted)(field)
    ends = _ends(horizon, state)
    how = _options(setting, ends)
    integrate = odeint
    if adjoint is not None:
        # backwards an adaptive solver would have to step onto the start, not the end
        backwards = {} if setting.solver.is_adaptive else how["options"]
        integrate = partial(odeint_adjoint, adjoint_params=tuple(adjoint), adjoint_options=backwards)
    try:
        states = integrate(counted, state, ends, method=setting.solver.name, **how)
    except AssertionError as error:
        status, reason = _complaint(str(error))
        raise SolverError(status, reason, counted.evaluations) from error
    end = states[-1] if adjoint is None else _guarded(states[-1], state, *adjoint)
    return Solution(end, counted.evaluations, counted.steps - counted.rejected, counted.rejected)


def _guarded(result: Tensor, *inputs: Tensor) -> Tensor:
    """The result, with gradients that are NaN where they cannot be computed: an error would end all seeds' training."""
    guarded: Tensor = _Guarded.apply([result], *inputs)  # type: ignore[no-untyped-call]
    return guarded


class _Guarded(torch.autograd.Function):
    """Takes the result in a list, which hides its own graph."""

    @staticmethod
    def forward(ctx: Any, result: list[Tensor], *inputs: Tensor) -> Tensor:
        """The result without its graph."""
        (ctx.result,), ctx.inputs = result, inputs
        return result[0].detach()

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the result, or NaN."""
        wanted = [tensor for tensor in ctx.inputs if tensor.requires_grad]
        try:
            found = iter(torch.autograd.grad(ctx.result, wanted, gradient))
        except (AssertionError, SolverError):
            found = iter([torch.full_like(tensor, math.nan) for tensor in wanted])
        return None, *(next(found) if tensor.requires_grad else None for tensor in ctx.inputs)


def _options(setting: Setting, ends: Tensor) -> dict[str, Any]:
    """Arguments of torchdiffeq's `odeint`."""
    if setting.solver.is_adaptive:
        return {"rtol": setting.fineness, "atol": setting.fineness, "options": {"step_t": ends[1:]}}
    return {"options": {"grid_constructor": _grid(int(setting.fineness))}}


def _complaint(message: str) -> tuple[str, str]:
    """Status and reason of torchdiffeq's assertions on the step size and the state."""
    if "underflow" in message:
        return "underflow", "step size too small to move on"
    return "nonfinite", NOT_FINITE


def trajectory(field: VectorField, state: Tensor, setting: Setting, *, horizon: float) -> Solution:
    """Like `solve` with a fixed-step solver, but the solution's state holds all steps + 1 states along the way."""
    if setting.solver.tableau:
        register(setting.solver.name, setting.solver.tableau)
    counted = _Counted(field)
    grid = _grid(int(setting.fineness))(None, None, _ends(horizon, state))
    states = odeint(counted, state, grid, method=setting.solver.name)
    return Solution(states, counted.evaluations, counted.steps)


def _ends(horizon: float, state: Tensor) -> Tensor:
    """The interval, where the state is; in float64 whatever the state is: h = 1/49 must not carry float32's rounding.

    Apple's GPUs (mps) have no float64.
    """
    dtype = torch.float32 if state.device.type == "mps" else torch.float64
    return torch.tensor([0.0, horizon], dtype=dtype, device=state.device)


def _grid(steps: int) -> Callable[..., Tensor]:
    """Makes the times of all steps, from fractions rather than sums, so that the last is the end itself."""

    def times(_field: object, _state: object, ends: Tensor) -> Tensor:
        return torch.lerp(ends[0], ends[-1], torch.arange(steps + 1).to(ends) / steps)

    return times


class _Counted:
    """A field that counts; torchdiffeq calls `callback_step` at the start of every step."""

    def __init__(self, field: VectorField) -> None:
        self.field = field
        self.evaluations = self.steps = self.rejected = 0

    def __call__(self, _: Tensor, state: Tensor) -> Tensor:
        if self.evaluations == MOST_EVALUATIONS:
            raise SolverError("budget", f"more than {MOST_EVALUATIONS} evaluations", self.evaluations)
        self.evaluations += 1
        return self.field(state)

    def callback_step(self, *_: Tensor) -> None:
        self.steps += 1


class _CountedAdaptive(_Counted):
    """Likewise, for adaptive methods, the only ones that call `callback_reject_step`."""

    def callback_step(self, *now: Tensor) -> None:
        _, _, size = now
        if size == 0:  # which torchdiffeq makes of a size that is NaN, as it is where the state or its slope is
            raise SolverError("nonfinite", NOT_FINITE, self.evaluations)
        super().callback_step(*now)

    def callback_reject_step(self, *_: Tensor) -> None:
        self.rejected += 1
