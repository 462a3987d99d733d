"""Methods given by their Butcher tableau, made available in torchdiffeq."""

from fractions import Fraction
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torchdiffeq._impl.odeint import SOLVERS as METHODS
from torchdiffeq._impl.rk_common import RKAdaptiveStepsizeODESolver, _ButcherTableau
from torchdiffeq._impl.solvers import FixedGridODESolver

from solverproof.ode.solvers import Solver
from solverproof.ode.tableaux import Tableau

TORCHDIFFEQ = frozenset(METHODS)  # its own names, taken before any are added below


def name_in_torchdiffeq(solver: Solver) -> str:
    """The name of a method in `odeint` and `odeint_adjoint`; one with a tableau is registered.

    This is the only place that changes torchdiffeq's table of methods.

    Raises:
        ValueError: if torchdiffeq has a method of its own by this name.
    """
    if solver.tableau:
        if solver.name in TORCHDIFFEQ:
            raise ValueError(
                f"torchdiffeq has a method '{solver.name}'; give this one another name"
            )
        # Set on every call, because this process may have used the name for another tableau before.
        METHODS[solver.name] = _method(solver.tableau)
    return solver.name


def method_in_torchdiffeq(solver: Solver) -> Any:
    """Torchdiffeq's class of a method, with its `order` and `tableau`.

    Raises:
        ValueError: if torchdiffeq has a method of its own by this name.
    """
    return METHODS[name_in_torchdiffeq(solver)]


@cache
def _method(tableau: Tableau) -> type:
    return _adaptive(tableau) if tableau.b_embedded else _fixed(tableau)


def _fixed(method: Tableau) -> type:
    rows, weights = [[float(x) for x in row] for row in method.a], [float(x) for x in method.b]

    class Fixed(FixedGridODESolver):  # type: ignore[misc]
        order = method.order

        def _step_func(
            self, func: Any, t0: Tensor, dt: Tensor, t1: Tensor, y0: Tensor
        ) -> tuple[Tensor, Tensor]:
            del t1
            slopes: list[Tensor] = []
            for row, node in zip(rows, method.c, strict=True):
                # The first row is empty; `_combine` would need a slope to know the shape of zero.
                slopes.append(
                    func(t0 + float(node) * dt, y0 + dt * _combine(row, slopes) if slopes else y0)
                )
            return dt * _combine(weights, slopes), slopes[0]

    return Fixed


def _combine(weights: list[float], slopes: list[Tensor]) -> Tensor:
    """The weighted sum of slopes, skipping zero weights."""
    # Skipping saves work, and 0 * inf would be NaN.
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    return sum(terms[1:], terms[0]) if terms else torch.zeros_like(slopes[0])


def _adaptive(method: Tableau) -> type:
    """An embedded pair, with a last stage at the new point added where it has none.

    torchdiffeq starts the next step from the last stage, as if it were always the field there.
    """
    a, b, c, embedded = method.a, method.b, method.c, method.b_embedded
    if not method.is_fsal:
        zero = Fraction()
        a, b, c, embedded = (*a, b), (*b, zero), (*c, Fraction(1)), (*embedded, zero)

    class Adaptive(RKAdaptiveStepsizeODESolver):  # type: ignore[misc]
        # What torchdiffeq calls order is the power of the step size with which the error estimate
        # falls, which sets the next step: one above the lower of the two orders (HNW II.4).
        order = min(method.order, method.embedded_order or method.order) + 1
        tableau = _ButcherTableau(
            alpha=_tensor(c[1:]),
            beta=[_tensor(row) for row in a[1:]],
            c_sol=_tensor(b),
            c_error=_tensor([x - y for x, y in zip(b, embedded, strict=True)]),
        )
        mid = _tensor(_middle(b))

    return Adaptive


def _middle(b: tuple[Fraction, ...]) -> list[Fraction]:
    """Weights of the state at the middle of a step, for torchdiffeq's quartic dense output.

    They are those of the cubic Hermite polynomial (HNW II.6), which needs only both ends and the
    field there, so it suits every pair. The quartic then equals this cubic: its error is O(h^4),
    and at the end of a step it returns the state itself up to rounding.
    """
    eighth = Fraction(1, 8)
    return [b[0] / 2 + eighth, *(weight / 2 for weight in b[1:-1]), b[-1] / 2 - eighth]


def _tensor(values: Any) -> Tensor:
    return torch.tensor([float(x) for x in values], dtype=torch.float64)
