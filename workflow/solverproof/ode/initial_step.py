"""A first guess of the step size."""

import torch
from torch import Tensor

from solverproof.ode.integration import VectorField

# The procedure is made for adaptive solvers; a fixed-step solver has no tolerance, so this one is
# assumed for it.
TOLERANCE = 1e-3


@torch.no_grad()
def initial_step(
    field: VectorField, state: Tensor, order: int, tolerance: float = TOLERANCE
) -> tuple[float, int]:
    """Step size whose local error should be about the tolerance, and its cost in evaluations (two).

    Norms are root mean squares over the whole state, relative to tolerance * (1 + |state|).

    Source: Hairer, Nørsett, Wanner, Solving ODEs I (2nd ed. 1993), p. 169, "starting step size".

    Args:
        field: right-hand side of dz/dt = f(t, z), from t = 0 on.
        state: initial state, any shape.
        order: order p of the solver.
        tolerance: absolute and relative tolerance.
    """
    scale = tolerance * (1 + state.abs())

    def norm(x: Tensor) -> float:
        return (x / scale).square().mean().sqrt().item()

    # The constants below are the book's.
    start = state.new_zeros(())
    slope = field(start, state)
    d0, d1 = norm(state), norm(slope)
    # Near zero the ratio of state to slope means nothing, and it may be a division by zero.
    h0 = 1e-6 if min(d0, d1) < 1e-5 else 0.01 * d0 / d1
    # The slope after one Euler step estimates the second derivative along the solution.
    d2 = norm(field(start + h0, state + h0 * slope) - slope) / h0
    steepest = max(d1, d2)
    # The local error is modelled as h^(p+1) * steepest, which says nothing where both vanish.
    h1 = max(1e-6, 1e-3 * h0) if steepest <= 1e-15 else (0.01 / steepest) ** (1 / (order + 1))
    return min(100 * h0, h1), 2
