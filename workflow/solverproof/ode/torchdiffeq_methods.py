"""Methods given by their Butcher tableau, as torchdiffeq's own."""

from fractions import Fraction
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torchdiffeq._impl.odeint import SOLVERS as METHODS
from torchdiffeq._impl.rk_common import RKAdaptiveStepsizeODESolver, _ButcherTableau
from torchdiffeq._impl.solvers import FixedGridODESolver

from solverproof.ode.tableaux import Tableau

TORCHDIFFEQ = frozenset(METHODS)  # names it has by itself


def register(name: str, tableau: Tableau) -> None:
    """Let torchdiffeq's `odeint` and `odeint_adjoint` know a method by this name.

    Raises:
        ValueError: if torchdiffeq has a method of its own by this name.
    """
    if name in TORCHDIFFEQ:
        raise ValueError(f"torchdiffeq has a method '{name}'; give this one another name")
    METHODS[name] = _method(tableau)


@cache
def _method(tableau: Tableau) -> type:
    return _adaptive(tableau) if tableau.b_embedded else _fixed(tableau)


def _fixed(method: Tableau) -> type:
    rows, weights = [[float(x) for x in row] for row in method.a], [float(x) for x in method.b]

    class Fixed(FixedGridODESolver):  # type: ignore[misc]
        order = method.order

        def _step_func(self, func: Any, t0: Tensor, dt: Tensor, t1: Tensor, y0: Tensor) -> tuple[Tensor, Tensor]:
            del t1
            slopes: list[Tensor] = []
            for row, node in zip(rows, method.c, strict=True):
                slopes.append(func(t0 + float(node) * dt, y0 + dt * _combine(row, slopes) if slopes else y0))
            return dt * _combine(weights, slopes), slopes[0]

    return Fixed


def _combine(weights: list[float], slopes: list[Tensor]) -> Tensor:
    """The weighted sum of slopes, without those of weight zero."""
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    return sum(terms[1:], terms[0]) if terms else torch.zeros_like(slopes[0])


def _adaptive(method: Tableau) -> type:
    """A pair whose last stage is the field at the new point, as torchdiffeq takes it to be: one is added if needed."""
    a, b, c, embedded = method.a, method.b, method.c, method.b_embedded
    if not method.is_fsal:
        zero = Fraction()
        a, b, c, embedded = (*a, b), (*b, zero), (*c, Fraction(1)), (*embedded, zero)

    class Adaptive(RKAdaptiveStepsizeODESolver):  # type: ignore[misc]
        # torchdiffeq's word for the power of the step that the error estimate falls with, which sets
        # the next step: one above the lower of the two orders (HNW II.4)
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
    """Weights of the state at the middle of a step, from which torchdiffeq draws a quartic for output between steps.

    They are those of the cubic Hermite polynomial (HNW II.6), which needs nothing but
    both ends and the field there, so it fits every pair. The quartic is then this cubic: its error
    is O(h^4), and at the end of a step it returns the state itself but for rounding.
    """
    eighth = Fraction(1, 8)
    return [b[0] / 2 + eighth, *(weight / 2 for weight in b[1:-1]), b[-1] / 2 - eighth]


def _tensor(values: Any) -> Tensor:
    return torch.tensor([float(x) for x in values], dtype=torch.float64)
