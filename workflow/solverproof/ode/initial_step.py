"""A first guess of the step size."""

import torch
from torch import Tensor

from solverproof.ode.integration import VectorField

TOLERANCE = 1e-3  # of the scale below: the procedure is meant for a solver with one, fixed-step solvers have none


@torch.no_grad()
def initial_step(field: VectorField, state: Tensor, order: int, tolerance: float = TOLERANCE) -> tuple[float, int]:
    """Step size whose local error should be about the tolerance, and the evaluations it took (two).

    Norms are root mean squares over the whole state, relative to tolerance * (1 + |state|).

    Source: Hairer, Nørsett, Wanner, Solving ODEs I (2nd ed. 1993), p. 169, "starting step size".

    Args:
        field: right-hand side of dz/dt = f(z).
        state: initial state, any shape.
        order: order p of the solver.
        tolerance: absolute and relative tolerance.
    """
    scale = tolerance * (1 + state.abs())

    def norm(x: Tensor) -> float:
        return (x / scale).square().mean().sqrt().item()

    slope = field(state)
    d0, d1 = norm(state), norm(slope)
    h0 = 1e-6 if min(d0, d1) < 1e-5 else 0.01 * d0 / d1
    d2 = norm(field(state + h0 * slope) - slope) / h0
    steepest = max(d1, d2)
    h1 = max(1e-6, 1e-3 * h0) if steepest <= 1e-15 else (0.01 / steepest) ** (1 / (order + 1))
    return min(100 * h0, h1), 2
