"""What one step of a Runge-Kutta method does to dz/dt = λ z."""

import math
from fractions import Fraction
from operator import mul

import torch
from torch import Tensor

from solverproof.ode.solvers import Solver
from solverproof.ode.tableaux import Tableau


def stability_polynomial(solver: Solver) -> tuple[Fraction, ...] | None:
    """Coefficients of the stability function R, from the constant up.

    A step of size h multiplies the solution of dz/dt = λ z by R(hλ). A method whose order p is its
    number of stages has no choice: R is the exponential series up to the power p.

    Source: Hairer, Wanner, Solving ODEs II (2nd ed. 1996), IV.2, definition 2.1 and theorem 2.2.

    Returns:
        None where there is no such function: an adaptive solver has no one step size, and a
        multistep method goes on from several states.
    """
    if solver.kind != "fixed":
        return None
    if solver.tableau:
        return _of_tableau(solver.tableau)
    assert solver.order == solver.stages  # true of all fixed-step methods that torchdiffeq has
    return tuple(Fraction(1, math.factorial(k)) for k in range(solver.order + 1))


def _of_tableau(tableau: Tableau) -> tuple[Fraction, ...]:
    """R(w) = 1 + w bᵀ (I - w A)⁻¹ 1 as a series, which ends because A is strictly lower triangular.

    Source: Hairer, Wanner, Solving ODEs II (2nd ed. 1996), IV.3, (3.2).
    """
    coefficients, powers = [Fraction(1)], [Fraction(1)] * len(tableau.b)
    for _ in tableau.b:
        coefficients.append(sum(map(mul, tableau.b, powers), Fraction()))
        # A row ends at the diagonal, so the powers of later stages are left over.
        powers = [sum(map(mul, row, powers), Fraction()) for row in tableau.a]
    return tuple(coefficients)


def amplification(polynomial: tuple[Fraction, ...], w: Tensor) -> Tensor:
    """|R(w)| for complex w of any shape: the factor by which one step with w = hλ grows."""
    value = torch.zeros_like(w)
    for coefficient in reversed(polynomial):
        value = value * w + float(coefficient)
    return value.abs()
