"""How a field stretches, turns and squeezes near the states met: numbers of its Jacobians."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from solverproof.auditing.krylov import arnoldi, largest_of_symmetric, ritz_values
from solverproof.auditing.linearisation import Linearisation

ARNOLDI, LANCZOS = 64, 24  # dimensions of Krylov spaces, for eigenvalues and for symmetric matrices


@dataclass(frozen=True)
class Spectrum:
    """Of Jacobians J, one for each index `...`.

    Attributes:
        logarithmic_norm: largest eigenvalue of (J + Jᵀ) / 2, shape (...): the distance of two
            close solutions grows at most at this rate.
        norm: largest singular value of J, shape (...).
        eigenvalues: of J, complex, shape (..., count); NaN where one was not found.

    All are NaN where J is not finite.
    """

    logarithmic_norm: Tensor
    norm: Tensor
    eigenvalues: Tensor


def exact(matrices: Tensor) -> Spectrum:
    """The spectrum of full Jacobians, shape (..., features, features).

    Source: for the logarithmic norm Hairer, Nørsett, Wanner, Solving ODEs I (2nd ed. 1993), I.10,
    theorem I.10.5.
    """
    symmetric = (matrices + matrices.mT) / 2
    return Spectrum(
        _of_finite(lambda j: torch.linalg.eigvalsh(j)[..., -1], symmetric),
        _of_finite(lambda j: torch.linalg.matrix_norm(j, ord=2), matrices),
        _of_finite(torch.linalg.eigvals, matrices),
    )


def estimated(jacobian: Linearisation, like: Tensor, generator: torch.Generator) -> Spectrum:
    """The spectrum of Jacobians too large to be formed, from products with vectors.

    Both norms are estimates from below. Of the eigenvalues only some are found, mostly the outer
    ones: those whose Ritz pairs have converged.

    Args:
        jacobian: of a field at one time.
        like: the states there, shape (samples, features).
        generator: of the random starts.
    """

    def symmetric(v: Tensor) -> Tensor:
        return (jacobian.times(v) + jacobian.transposed(v)) / 2

    def squared(v: Tensor) -> Tensor:
        return jacobian.transposed(jacobian.times(v))

    rate, square = (
        _of_finite(
            largest_of_symmetric, arnoldi(operator, like, _size(like, LANCZOS), generator)[0]
        )
        for operator in (symmetric, squared)
    )
    h, missed = arnoldi(jacobian.times, like, _size(like, ARNOLDI), generator)
    found = _of_finite(lambda finite: ritz_values(finite, missed), h)
    return Spectrum(rate, square.clamp(min=0).sqrt(), found)


def _size(like: Tensor, most: int) -> int:
    return min(like.shape[1], most)


def _of_finite(function: Callable[[Tensor], Tensor], matrices: Tensor) -> Tensor:
    """What a function of matrices gives, with NaN for those that are not finite.

    LAPACK refuses all of them for one.
    """
    finite = matrices.isfinite().flatten(-2).all(-1)
    values = function(torch.where(finite[..., None, None], matrices, 0.0))
    lost = ~finite.reshape(finite.shape + (1,) * (values.ndim - finite.ndim))
    return values.masked_fill(lost, float("nan"))
