"""What one step of a solver does where the flow is linear, beside what the flow does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from solverproof.auditing.spectra import Spectrum

ROUNDING = 1e-7  # of a Jacobian's norm: a double eigenvalue parts by the root of 1e-16


@dataclass(frozen=True)
class Count:
    """So many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """Between 0 and 1; NaN of none."""
        return self.count / self.of if self.of else float("nan")


@dataclass(frozen=True)
class Mismatch:
    """How often one step of the solver and the flow part ways in the direction of an eigenvector.

    Attributes:
        pairs: among pairs of a state and an eigenvalue found there.
        states: among states, by any of their eigenvalues.
    """

    pairs: Count
    states: Count


def mismatches(found: Spectrum, factors: Tensor) -> tuple[Mismatch, Mismatch]:
    """Where a step amplifies what the flow damps, and damps what the flow amplifies.

    Args:
        found: the spectrum at all states.
        factors: |R(hλ)| in the shape of the eigenvalues.
    """
    rates, rounding = found.eigenvalues.real, ROUNDING * found.norm.unsqueeze(-1)
    amplified = (rates < -rounding) & (factors > 1 + ROUNDING)
    damped = (rates > rounding) & (factors < 1 - ROUNDING)
    pairs = int((~rates.isnan()).sum())
    return _mismatch(amplified, pairs), _mismatch(damped, pairs)


def _mismatch(condition: Tensor, pairs: int) -> Mismatch:
    states = condition.any(-1)
    return Mismatch(Count(int(condition.sum()), pairs), Count(int(states.sum()), states.numel()))


def crossing(found: Spectrum) -> float:
    """Number of Euler steps below which neighbouring solutions meet within a step; 0 if none do.

    On a step the distance of neighbours along an eigenvector is multiplied by 1 + sλ, s from 0 to
    h. It vanishes where λ is real and below -1/h, so with fewer than N = -λ steps on [0, 1]; never
    where λ is complex. That alone does not make the whole step non-invertible: dz/dt = -2 z with
    h = 0.75 reverses the space, one to one. See `folds`.
    """
    values, norm = found.eigenvalues, found.norm.unsqueeze(-1)
    real = values.imag.abs() <= ROUNDING * norm
    return float(torch.where(real & (values.real < -ROUNDING * norm), -values.real, 0.0).max())


def folds(matrices: Tensor, step: float) -> bool:
    """Whether an Euler step z + h f(t, z) is proved not to be one to one.

    A continuous map of the whole space that is one to one keeps the orientation everywhere or
    reverses it everywhere (invariance of domain; the local degree is constant). So at one time two
    signs of det(I + hJ) are a proof, up to rounding and unless a state is at a kink of the field,
    where J is what autograd takes; one sign proves nothing.

    Args:
        matrices: Jacobians, shape (times, samples, features, features).
        step: step size h.
    """
    maps = torch.eye(matrices.shape[-1]).to(matrices) + step * matrices
    singular = torch.linalg.svdvals(maps)
    certain = singular[..., -1] > ROUNDING * singular[..., 0]
    signs = torch.linalg.slogdet(maps).sign * certain
    return bool(((signs > 0).any(1) & (signs < 0).any(1)).any())
