from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from solverproof.datasets.spheres import LABELS, SHELLS, spheres

every_dimension = pytest.mark.parametrize("dimension", [2, 3, 10, 900])
FLOAT32_ROUNDING = 1e-7  # of a radius below 0.5
SIGNIFICANCE = 1e-3  # the seeds are fixed: a correct sampler passes always, a wrong one never


def sample(dimension, train=4000, seed=0):
    data = spheres(dimension=dimension, train=train, test=4, seed=seed)
    points = data["train_x"][:, 0].astype(float)
    return points, np.linalg.norm(points, axis=1), data["train_y"]


def in_shell(radii, shell):
    inner, outer = shell
    return (radii >= inner - FLOAT32_ROUNDING) & (radii <= outer + FLOAT32_ROUNDING)


@every_dimension
def test_a_quarter_a_half_and_a_quarter_of_the_points_fill_the_shells(dimension):
    _, radii, _ = sample(dimension)
    assert [in_shell(radii, shell).sum() for shell in SHELLS] == [1000, 2000, 1000]


@every_dimension
def test_the_label_tells_the_shell(dimension):
    _, radii, labels = sample(dimension)
    np.testing.assert_array_equal(labels, in_shell(radii, (0.25, 0.30)))
    assert LABELS == (0, 1, 0)


def test_the_shells_are_those_of_the_paper():
    assert SHELLS == ((0.10, 0.15), (0.25, 0.30), (0.40, 0.45))


@every_dimension
@pytest.mark.parametrize("shell", SHELLS)
def test_radii_follow_the_stated_distribution(dimension, shell):
    _, radii, _ = sample(dimension)
    inner, outer = shell
    share = (radii[in_shell(radii, shell)] - inner) / (outer - inner)
    assert stats.kstest(share, stats.beta(dimension, 1).cdf).pvalue > SIGNIFICANCE


@every_dimension
@pytest.mark.parametrize("axis", [0, -1, None])
def test_directions_seen_along_any_axis_are_those_of_a_uniform_sphere(dimension, axis):
    points, radii, _ = sample(dimension)
    axes = np.vstack([np.eye(dimension), np.full(dimension, dimension**-0.5)])
    height = points @ (axes[-1] if axis is None else axes[:-1][axis]) / radii
    half = (dimension - 1) / 2
    assert stats.kstest((1 + height) / 2, stats.beta(half, half).cdf).pvalue > SIGNIFICANCE


@every_dimension
def test_directions_have_no_preferred_side(dimension):
    points, radii, _ = sample(dimension)
    mean = (points / radii[:, None]).mean(axis=0)
    assert stats.chi2(dimension).sf(len(points) * dimension * mean @ mean) > SIGNIFICANCE


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_directions_spread_equally_along_all_axes(dimension):
    points, radii, _ = sample(dimension)
    directions = points / radii[:, None]
    spread = dimension * directions.T @ directions / len(points)
    np.testing.assert_allclose(spread, np.eye(dimension), atol=0.06)


def test_angles_in_the_plane_are_uniform():
    points, _, labels = sample(2)
    for label in (0, 1):
        angles = np.arctan2(*points[labels == label].T)
        assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > SIGNIFICANCE


def test_labels_come_in_no_order():
    _, _, labels = sample(2)
    runs = 1 + sum(a != b for a, b in pairwise(labels))
    assert abs(runs - 2001) < 4 * np.sqrt(1000)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_points():
    first, again, other = (spheres(dimension=3, train=40, test=20, seed=seed) for seed in (7, 7, 8))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert not np.isin(first["train_x"], other["train_x"]).any()


def test_no_training_point_is_a_test_point():
    data = spheres(dimension=2, train=2000, test=1000, seed=0)
    assert not np.isin(data["train_x"], data["test_x"]).all(axis=(1, 2)).any()


@given(st.integers(1, 12), st.integers(4, 60), st.integers(4, 60), st.integers(0, 2**32))
def test_any_counts_give_well_formed_arrays_with_every_shell_filled(dimension, train, test, seed):
    data = spheres(dimension=dimension, train=train, test=test, seed=seed)
    for part, count in (("train", train), ("test", test)):
        x, y = data[f"{part}_x"], data[f"{part}_y"]
        assert (x.shape, x.dtype) == ((count, 1, dimension), np.float32)
        assert (y.shape, y.dtype) == ((count,), np.int64)
        radii = np.linalg.norm(x[:, 0].astype(float), axis=1)
        quarter = count // 4
        assert [in_shell(radii, shell).sum() for shell in SHELLS] == [
            quarter,
            count - 2 * quarter,
            quarter,
        ]


@given(st.integers(4, 60), st.integers(4, 60))
def test_the_size_of_the_test_set_leaves_the_training_set_alone(test, other):
    one, two = (spheres(dimension=2, train=20, test=count, seed=0) for count in (test, other))
    np.testing.assert_array_equal(one["train_x"], two["train_x"])
