"""Methods given by their Butcher tableau, as torchdiffeq's own."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torchdiffeq._impl.odeint import SOLVERS as METHODS
from torchdiffeq._impl.rk_common import RKAdaptiveStepsizeODESolver, _ButcherTableau
from torchdiffeq._impl.solvers import FixedGridODESolver

from solverproof.tableaux import Tableau


def register(name: str, tableau: Tableau) -> None:
    """Let torchdiffeq's `odeint` and `odeint_adjoint` know a method by this name."""
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
    a, b, embedded = method.a, method.b, method.b_embedded
    if not method.is_fsal:
        a, b, embedded = (*a, b), (*b, b[0] * 0), (*embedded, b[0] * 0)
    nodes = [sum(row) for row in a]

    class Adaptive(RKAdaptiveStepsizeODESolver):  # type: ignore[misc]
        order = method.order
        tableau = _ButcherTableau(
            alpha=_tensor(nodes[1:]),
            beta=[_tensor(row) for row in a[1:]],
            c_sol=_tensor(b),
            c_error=_tensor([x - y for x, y in zip(b, embedded, strict=True)]),
        )
        # weights of the state at the middle of a step, for output between steps, of which this study takes none
        mid = _tensor([x / 2 for x in b])

    return Adaptive


def _tensor(values: Any) -> Tensor:
    return torch.tensor([float(x) for x in values], dtype=torch.float64)
