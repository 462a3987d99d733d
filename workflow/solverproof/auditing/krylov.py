"""Extreme eigenvalues of many large matrices at once, from products with vectors alone.

One product serves the matrices of all samples, which one matrix after the other would not.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]
"""Products A v of one matrix per sample, on vectors of shape (samples, features)."""

BREAKDOWN = 1e-10  # of a product: what is left of it then, orthogonal to the basis, is rounding
RESIDUAL = 1e-3  # of the matrix: a Ritz pair that misses by more is not taken for an eigenvalue


def arnoldi(
    operator: Operator, like: Tensor, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Matrices A projected on Krylov spaces with random starts, and what the projections miss.

    A space that A does not leave is complete before its time, and grows by another random
    direction. So a multiple of the identity projects to just that.

    Source: Saad, Numerical Methods for Large Eigenvalue Problems (2nd ed. 2011), 6.2.

    Args:
        operator: products with A.
        like: a tensor of shape (samples, features), for its shape and device.
        size: dimension of the spaces, at most `features`.
        generator: of the random directions.

    Returns:
        H = Vᵀ A V of shape (samples, size, size), and ‖A V - V H‖ of shape (samples,).
    """

    def direction() -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like.device)

    basis = _unit(direction()).unsqueeze(1)
    h = basis.new_zeros(len(like), size + 1, size)
    for j in range(size):
        image = operator(basis[:, j])
        rest, h[:, : j + 1, j] = _orthogonal(image, basis)
        h[:, j + 1, j] = rest.norm(dim=1)
        goes_on = h[:, j + 1, j] > BREAKDOWN * image.norm(dim=1)
        if j + 1 < size:
            fresh, _ = _orthogonal(direction(), basis)
            following = _unit(torch.where(goes_on.unsqueeze(1), rest, fresh))
            basis = torch.cat([basis, following.unsqueeze(1)], dim=1)
    return h[:, :-1], h[:, -1, -1]


def _orthogonal(vectors: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """What of the vectors is orthogonal to the basis, and their coordinates in it."""
    coordinates = basis.new_zeros(basis.shape[:2])
    for _ in range(2):  # once leaves rounding errors of the size of what is taken away
        found = torch.einsum("skd,sd->sk", basis, vectors)
        vectors = vectors - torch.einsum("sk,skd->sd", found, basis)
        coordinates += found
    return vectors, coordinates


def _unit(vectors: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / norms


def ritz_values(h: Tensor, missed: Tensor) -> Tensor:
    """Approximate eigenvalues of A, complex, shape (samples, size); NaN where not converged.

    With y an eigenvector of H, its Ritz pair misses being an eigenpair by the last component of y
    times what the projection misses (Saad 2011, 6.2).

    Args:
        h: projections, shape (samples, size, size), and
        missed: what they miss, shape (samples,), both from `arnoldi`.
    """
    values, vectors = torch.linalg.eig(h)
    residuals = missed.unsqueeze(1) * vectors[:, -1].abs()
    needed = RESIDUAL * torch.linalg.matrix_norm(h, ord=2).unsqueeze(1)
    found: Tensor = values.masked_fill(residuals > needed, complex("nan"))
    return found


def largest_of_symmetric(h: Tensor) -> Tensor:
    """The largest eigenvalue of symmetric matrices A, shape (samples,), estimated from below.

    Args:
        h: what `arnoldi` returns for them. Eigenvalues of a projection lie between those of A.
    """
    largest: Tensor = torch.linalg.eigvalsh((h + h.mT) / 2)[:, -1]
    return largest
