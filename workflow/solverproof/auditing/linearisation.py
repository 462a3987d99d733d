"""Derivatives of a field by its state."""

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from solverproof.ode.integration import VectorField

REACHES = (1e-4, 1e-6)  # of difference quotients, relative to 1 + |z|; the better one counts
ASIDE = 1e-2  # distance of the states of the check from those given, relative to 1 + |z|
DISAGREEMENT = 0.1  # of a derivative and a quotient, relative: more than curvature and float32 make
ROUNDING = 1e-8  # of a quotient, relative to the slope: 1e-16 over a reach, with a reserve


class NotDifferentiableError(ValueError):
    """Autograd's derivative of a field is not that of the field."""


class Linearisation:
    """The Jacobian J of a field at one time and many states, each with its own.

    Gradients need not be enabled, and no parameter gets one.
    """

    def __init__(self, field: VectorField, t: Tensor, z: Tensor) -> None:
        """Evaluate the field, once.

        Args:
            field: right-hand side f(t, z), in float64; it maps every sample by itself.
            t: time, without dimensions.
            z: states, shape (samples, features).
        """
        # Fused attention has no second derivative, which `times` needs.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            self._state = z.detach().double().requires_grad_()
            # A field that does not depend on the state is no function of it to autograd: add none.
            self._slope = field(t.double(), self._state) + 0 * self._state

    def transposed(self, u: Tensor) -> Tensor:
        """Jᵀ u for one vector per sample, shape (samples, features)."""
        return _pulled(self._slope, u, self._state)

    def times(self, v: Tensor) -> Tensor:
        """J v for one vector per sample, shape (samples, features).

        It is the derivative of Jᵀ u by u, so that no rule for forward derivatives is needed; only
        a second derivative of every operation.
        """
        u, product = self._pullback
        return _pulled(product, v, u)

    @cached_property
    def _pullback(self) -> tuple[Tensor, Tensor]:
        """A vector u and Jᵀ u as a function of it."""
        u = torch.zeros_like(self._slope, requires_grad=True)
        return u, _pulled(self._slope, u, self._state, create_graph=True)

    def matrix(self) -> Tensor:
        """The Jacobians in full, shape (samples, features, features); a pass per feature."""
        units = torch.eye(self._state.shape[1]).to(self._state).unsqueeze(1)
        return torch.stack([self.transposed(u.expand_as(self._state)) for u in units], dim=1)


def _pulled(y: Tensor, u: Tensor, x: Tensor, *, create_graph: bool = False) -> Tensor:
    """The gradient of y·u by x; the graph of y stays."""
    # `grad` takes u itself, too, but then loads symbolic algebra first, and is slower.
    with torch.enable_grad():
        product = (y * u).sum()
    (found,) = torch.autograd.grad(product, x, retain_graph=True, create_graph=create_graph)
    return found


def jacobians(field: VectorField, times: Tensor, states: Tensor) -> Tensor:
    """Jacobians along trajectories, shape (times, samples, features, features).

    Args:
        field: right-hand side f(t, z), in float64; it maps every sample by itself.
        times: shape (times,).
        states: shape (times, samples, features).
    """
    pairs = zip(times, states, strict=True)
    return torch.stack([Linearisation(field, t, z).matrix() for t, z in pairs])


def check_derivative(field: VectorField, t: Tensor, z: Tensor, generator: torch.Generator) -> None:
    """Hold autograd's derivative against central differences, in one random direction per sample.

    A field that detaches a part of itself, or rounds, has a derivative to autograd that is not its
    own, and nothing else would tell. The median over samples is judged, just beside the states:
    these may sit at a kink all together, as black pixels do.

    Args:
        field: right-hand side f(t, z), in float64.
        t: time, without dimensions.
        z: states, shape (samples, features).
        generator: of the directions.

    Raises:
        NotDifferentiableError: if they differ by more than a tenth.
    """
    aside, u, v = (_directions(z, generator) for _ in range(3))
    z = z.double() + ASIDE * _size(z) * aside
    derived = (Linearisation(field, t, z).transposed(u) * v).sum(1)
    misses = [_miss(field, t, z, u, v, derived, reach) for reach in REACHES]
    if min(misses) > DISAGREEMENT:
        raise NotDifferentiableError(
            "autograd's derivative of the field is not what differences of its values say; "
            "does it detach, round, or compute without gradients inside?"
        )


def _directions(z: Tensor, generator: torch.Generator) -> Tensor:
    random = torch.randn(z.shape, generator=generator, dtype=torch.float64).to(z.device)
    return torch.nn.functional.normalize(random, dim=1)


def _size(z: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(z.double(), dim=1, keepdim=True)
    return 1 + norms


@torch.no_grad()
def _miss(
    field: VectorField, t: Tensor, z: Tensor, u: Tensor, v: Tensor, derived: Tensor, reach: float
) -> float:
    """Median distance of u·Jv from its difference quotient, relative to their size."""
    step = reach * _size(z)
    after, before = (field(t.double(), z + sign * step * v).double() for sign in (1, -1))
    measured = (u * (after - before) / (2 * step)).sum(1)
    size = torch.maximum(measured.abs(), derived.abs())
    rounding = ROUNDING * after.norm(dim=1)
    median = (size + rounding).nanmedian()
    return float((measured - derived).abs().nanmedian() / median) if median > 0 else 0.0
