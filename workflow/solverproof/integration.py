"""The flow of a vector field, approximated by a numerical solver."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchdiffeq import odeint

VectorField = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Solution:
    """What a solver returns.

    Attributes:
        state: shape of the initial state; for a trajectory with the time axis (steps + 1) in front.
        nfe: evaluations of the vector field that were really made.
        steps: steps that were really taken.
    """

    state: Tensor
    nfe: int
    steps: int


def solve(field: VectorField, state: Tensor, *, solver: str, steps: int, horizon: float) -> Solution:
    """Carry a state from t = 0 to t = `horizon` by equal steps of an autonomous field.

    Args:
        field: right-hand side of dz/dt = f(z); takes and returns tensors of the state's shape.
        state: initial state, any shape.
        solver: name of a torchdiffeq fixed-step method.
        steps: number of steps N; the step size is horizon / N.
        horizon: length of the interval.
    """
    return _solve(field, state, solver, _grid(steps, horizon), ends_only=True)


def trajectory(field: VectorField, state: Tensor, *, solver: str, steps: int, horizon: float) -> Solution:
    """Like `solve`, but the solution's state holds all steps + 1 states along the way."""
    return _solve(field, state, solver, _grid(steps, horizon), ends_only=False)


def _grid(steps: int, horizon: float) -> Tensor:
    """Times of all steps, from fractions rather than sums, so that the last is the horizon itself.

    Times are float64 whatever the state is: h = 1/49 must not carry float32's rounding.
    """
    return torch.arange(steps + 1, dtype=torch.float64) * horizon / steps


def _solve(field: VectorField, state: Tensor, solver: str, grid: Tensor, *, ends_only: bool) -> Solution:
    counted = _Counted(field)
    times = grid[[0, -1]] if ends_only else grid
    states = odeint(counted, state, times, method=solver, options={"grid_constructor": lambda *_: grid})
    return Solution(states[-1] if ends_only else states, counted.evaluations, counted.steps)


class _Counted:
    """A field that counts; torchdiffeq calls `callback_step` at the start of every step."""

    def __init__(self, field: VectorField) -> None:
        self.field = field
        self.evaluations = 0
        self.steps = 0

    def __call__(self, _: Tensor, state: Tensor) -> Tensor:
        self.evaluations += 1
        return self.field(state)

    def callback_step(self, *_: Tensor) -> None:
        self.steps += 1
