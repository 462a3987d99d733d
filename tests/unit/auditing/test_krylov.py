"""Eigenvalues from products with vectors, against numpy on full matrices."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solverproof.auditing.krylov import arnoldi, largest_of_symmetric, ritz_values


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def project(matrices, size, seed=0):
    like = matrices[:, 0]
    generator = torch.Generator().manual_seed(seed)
    return arnoldi(lambda v: torch.einsum("sij,sj->si", matrices, v), like, size, generator)


def sorted_values(values):
    return np.sort_complex(np.asarray(values).round(7))


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15])
def test_in_the_whole_space_all_eigenvalues_are_found_whatever_their_size(scale):
    matrices = normal(5, 9, 9)
    h, missed = project(scale * matrices, 9)
    found = ritz_values(h, missed)
    for values, matrix in zip(found, matrices, strict=True):
        expected = sorted_values(np.linalg.eigvals(matrix))
        np.testing.assert_allclose(sorted_values(values / scale), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [-2.0, 0.0, 3.0])
def test_a_multiple_of_the_identity_projects_to_just_that(scale):
    h, missed = project(scale * torch.eye(80).double().expand(3, 80, 80), 20)
    torch.testing.assert_close(h, scale * torch.eye(20).double().expand(3, 20, 20))
    torch.testing.assert_close(missed, torch.zeros(3).double())


@given(st.integers(0, 1000), st.integers(2, 12), st.integers(1, 12))
def test_the_largest_eigenvalue_of_a_symmetric_matrix_is_estimated_from_below(seed, d, size):
    a = normal(3, d, d, seed=seed)
    a = a + a.mT
    h, _ = project(a, min(size, d), seed)
    true = torch.linalg.eigvalsh(a)[:, -1]
    found = largest_of_symmetric(h)
    assert (found <= true + 1e-9).all()
    if size >= d:
        torch.testing.assert_close(found, true)


def test_outlying_complex_pairs_are_found_and_nothing_that_is_no_eigenvalue():
    matrix = 0.5 * normal(200, 200) / math.sqrt(200)
    matrix[:2, :2] += torch.tensor([[-3.0, -8.0], [8.0, -3.0]])
    found = ritz_values(*project(matrix.expand(2, 200, 200), 40))
    expected = np.linalg.eigvals(matrix)
    outer = expected[np.abs(expected) > 2]
    assert len(outer) == 2
    for values in found:
        converged = values[~values.isnan()].numpy()
        assert all(np.abs(converged - value).min() < 1e-6 for value in outer)
        assert all(np.abs(expected - value).min() < 0.05 for value in converged)
        assert len(converged) < 40


def test_a_matrix_that_is_not_finite_spoils_no_other():
    matrices = normal(2, 6, 6)
    matrices[0, 1, 2] = math.nan
    h, _ = project(matrices, 6)
    assert h[0].isnan().any()
    torch.testing.assert_close(
        torch.linalg.matrix_norm(h[1], ord=2), torch.linalg.matrix_norm(matrices[1], ord=2)
    )
