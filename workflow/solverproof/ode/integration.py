"""The flow of a vector field, approximated by a numerical solver."""

import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

from solverproof.ode.solvers import Setting
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq

VectorField = Callable[[Tensor, Tensor], Tensor]
"""The right-hand side f(t, z) of dz/dt = f(t, z).

t is a tensor without dimensions, z a state; an autonomous field ignores the time.
"""
# Per solve. torchdiffeq's own limit, 2^31 steps, ends no solve in practice, and a field that needs
# more evaluations than this is not solved in any useful sense.
Norm = Callable[[Tensor], Tensor]
MOST_EVALUATIONS = 20_000
NOT_FINITE = "state or slope not finite"


@dataclass(frozen=True)
class Solution:
    """What a solver returns.

    Attributes:
        state: shape of the initial state; for a trajectory with the time axis (steps + 1) in front.
        nfe: number of evaluations of the vector field, as counted.
        steps: number of steps, as counted (of an adaptive solver: accepted steps).
        rejected: steps that an adaptive solver rejected.
        reached: where each sample has its own steps, the last time it reached, shape (batch,); None
            where all samples share their steps.
    """

    state: Tensor
    nfe: int
    steps: int
    rejected: int = 0
    reached: Tensor | None = None


class SolverError(Exception):
    """A solver gave up.

    Attributes:
        status: `underflow` (the step size became too small to advance the time), `nonfinite` (the
            state or its slope is NaN or infinite) or `budget` (more than `MOST_EVALUATIONS`
            evaluations).
        reason: what happened, in one line.
        nfe: evaluations until then.
        steps, rejected: None, so that it can replace a `Solution`.
    """

    steps = rejected = None

    def __init__(self, status: str, reason: str, nfe: int) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason, self.nfe = status, reason, nfe


def solve(
    field: VectorField,
    state: Tensor,
    setting: Setting,
    *,
    horizon: float,
    adjoint: Sequence[Tensor] | None = None,
    norm: Norm | None = None,
) -> Solution:
    """Solve dz/dt = f(t, z) from t = 0 to t = `horizon`.

    A fixed-step solver takes `setting.steps` equal steps. An adaptive one controls a norm of the
    error relative to atol + rtol * |state|; its last step ends at `horizon`.

    Args:
        field: the right-hand side f(t, z); its values have the state's shape.
        state: initial state, any shape.
        setting: the solver and its number of steps or tolerance.
        horizon: length of the interval.
        adjoint: the parameters of the field, to get gradients by solving the adjoint equation
            backwards in time (Chen et al. 2018, algorithm 1) instead of through the solver's
            operations; gradients are NaN where that equation cannot be solved.
        norm: of the relative error over the whole state, for adaptive solvers; by default the root
            mean square.

    Raises:
        SolverError: if the solver gives up.
        ValueError: if the horizon is 0 or not finite.
    """
    counter = counted(field, setting)
    ends = _ends(horizon, state)
    how = _options(setting, ends, norm)
    integrate = odeint
    if adjoint is not None:
        # An adaptive solver does not get its forward options: backwards in time the solve starts at
        # the horizon, so a step that must end there makes no sense.
        backwards = {} if setting.solver.is_adaptive else how["options"]
        integrate = partial(
            odeint_adjoint, adjoint_params=tuple(adjoint), adjoint_options=backwards
        )
    try:
        states = integrate(counter, state, ends, method=name_in_torchdiffeq(setting.solver), **how)
    # torchdiffeq reports numerical failures as assertions.
    except AssertionError as error:
        if _is_of_the_field(error):
            raise
        status, reason = complaint(str(error))
        raise SolverError(status, reason, counter.evaluations) from error
    # torchdiffeq calls `callback_step` for every attempt, so rejected steps are among `steps`.
    end = states[-1] if adjoint is None else _guarded(states[-1], state, *adjoint)
    return Solution(end, counter.evaluations, counter.steps - counter.rejected, counter.rejected)


def _guarded(result: Tensor, *inputs: Tensor) -> Tensor:
    """The result, with gradients that are NaN where they cannot be computed.

    One backward pass serves all seeds, so an exception in it would end the training of every seed.
    """
    guarded: Tensor = _Guarded.apply([result], *inputs)  # type: ignore[no-untyped-call]
    return guarded


class _Guarded(torch.autograd.Function):
    """Identity whose backward pass calls autograd itself, to catch errors of the adjoint solve.

    The result comes in a list, so that autograd does not see its graph and calls this class.
    """

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


def _options(setting: Setting, ends: Tensor, norm: Norm | None) -> dict[str, Any]:
    """Arguments of torchdiffeq's `odeint`."""
    if setting.steps is None:
        # Without `step_t` torchdiffeq steps past the horizon and interpolates back to it, and the
        # interpolant may be less accurate than the method.
        controls = {"step_t": ends[1:]} | ({"norm": norm} if norm else {})
        rtol, atol = setting.tolerances
        return {"rtol": rtol, "atol": atol, "options": controls}
    return {"options": {"grid_constructor": equal_steps(setting.steps)}}


def _is_of_the_field(error: AssertionError) -> bool:
    """Whether an assertion failed while the field was evaluated."""
    calls = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is Counted.__call__.__code__ for frame, _ in calls)


def complaint(message: str) -> tuple[str, str]:
    """Status and reason of torchdiffeq's assertions on the step size and the state."""
    if "underflow" in message:
        return "underflow", "step size too small to move on"
    return "nonfinite", NOT_FINITE


def trajectory(field: VectorField, state: Tensor, setting: Setting, *, horizon: float) -> Solution:
    """Like `solve` with a solver of equal steps, but returns the states at all steps + 1 times.

    Raises:
        ValueError: if the solver is adaptive.
    """
    if setting.steps is None:
        name = setting.solver.name
        raise ValueError(f"{name} chooses its own steps; give trajectory a solver of equal steps")
    counter = counted(field, setting)
    # The output times are the grid itself, so no state is interpolated.
    grid = equal_steps(setting.steps)(None, None, _ends(horizon, state))
    states = odeint(counter, state, grid, method=name_in_torchdiffeq(setting.solver))
    return Solution(states, counter.evaluations, counter.steps)


def _ends(horizon: float, state: Tensor) -> Tensor:
    """The interval [0, horizon] on the state's device.

    It is in float64 whatever the type of the state, so that h = 1/49 is not rounded to float32.
    """
    if not (horizon and math.isfinite(horizon)):
        raise ValueError(f"horizon is {horizon}; give a finite length other than 0")
    # Apple's GPUs (mps) have no float64.
    dtype = torch.float32 if state.device.type == "mps" else torch.float64
    return torch.tensor([0.0, horizon], dtype=dtype, device=state.device)


def equal_steps(steps: int) -> Callable[..., Tensor]:
    """A grid constructor for torchdiffeq: the times of so many equal steps."""

    def times(_field: object, _state: object, ends: Tensor) -> Tensor:
        # Fractions, not a running sum: torchdiffeq asserts that the last time is exactly the end.
        return torch.lerp(ends[0], ends[-1], torch.arange(steps + 1).to(ends) / steps)

    return times


def counted(field: Callable[..., Any], setting: Setting) -> "Counted":
    """A field that counts its evaluations and steps, to be given to torchdiffeq."""
    # Two classes, because torchdiffeq warns of callbacks that the method does not call.
    return (_CountedAdaptive if setting.solver.is_adaptive else Counted)(field)


class Counted:
    """A field that counts its evaluations and steps.

    torchdiffeq calls `callback_step` at the start of every step.
    """

    def __init__(self, field: Callable[..., Any]) -> None:
        self.field = field
        self.evaluations = self.steps = self.rejected = 0

    def __call__(self, t: Tensor, state: Any) -> Any:
        """The field, counted."""
        self.evaluations += 1
        return self.field(t, state)

    def callback_step(self, *_: Tensor) -> None:
        """Count a step that is tried."""
        self.steps += 1


class _CountedAdaptive(Counted):
    """The same for adaptive methods, the only ones that call `callback_reject_step`.

    They alone have a budget: the evaluations of the others are known, and were asked for.
    """

    def __call__(self, t: Tensor, state: Any) -> Any:
        if self.evaluations == MOST_EVALUATIONS:
            reason = f"more than {MOST_EVALUATIONS} evaluations"
            raise SolverError("budget", reason, self.evaluations)
        return super().__call__(t, state)

    def callback_step(self, *now: Tensor) -> None:
        _, _, size = now
        # A state or slope that is not finite leads to a step size that is not, which torchdiffeq
        # replaces by its smallest, 0. Its own check would then report an underflow.
        if size == 0:
            raise SolverError("nonfinite", NOT_FINITE, self.evaluations)
        super().callback_step(*now)

    def callback_reject_step(self, *_: Tensor) -> None:
        self.rejected += 1
