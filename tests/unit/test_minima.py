import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solverproof.datasets.minima import FRICTION, MAXIMA, MINIMA, SLOPE, _clear_labels, energy, minima, motion, settle


@pytest.fixture(scope="module")
def data():
    return minima(train=300, test=100, seed=0)


def at_rest(x, v):
    """Where a particle is after a long time, by another method and without looking at its energy."""

    def by_hand(_, state):
        x, v = state
        slope = -0.192 + 0.176 * x + 2.364 * x**2 - 0.768 * x**3 - 2.5 * x**4 + 1.2 * x**5
        return [v, -slope - 0.2 * v]

    return solve_ivp(by_hand, (0, 150), [x, v], method="LSODA", rtol=1e-10, atol=1e-12).y[0, -1]


def test_the_minima_are_those_of_the_paper():
    np.testing.assert_allclose(MINIMA, [-0.850, 0.269, 1.839], atol=5e-4)
    assert (SLOPE.deriv()(MINIMA) > 0).all()
    assert (SLOPE.deriv()(MAXIMA) < 0).all()
    assert MINIMA[0] < MAXIMA[0] < MINIMA[1] < MAXIMA[1] < MINIMA[2]


def test_labels_are_the_minima_in_which_an_independent_solver_comes_to_rest(data):
    for (x, v), label in zip(data["test_x"][:40, 0].astype(float), data["test_y"][:40], strict=True):
        assert at_rest(x, v) == pytest.approx(MINIMA[label], abs=1e-3)


def test_a_particle_at_rest_in_a_minimum_stays_there():
    assert settle(np.stack([MINIMA, np.zeros(3)])).tolist() == [0, 1, 2]


def test_a_start_on_the_border_between_two_basins_has_no_clear_label():
    on_top = np.stack([MAXIMA, np.zeros(2)], axis=1)
    beside = on_top + np.array([[0.01, 0], [-0.01, 0]])
    assert _clear_labels(on_top).tolist() == [-1, -1]
    assert (_clear_labels(beside) >= 0).all()


def test_friction_only_ever_takes_energy():
    times = np.linspace(0, 20, 400)
    path = solve_ivp(motion, (0, 20), [2.0, 2.0], t_eval=times, rtol=1e-10, atol=1e-12).y
    assert (np.diff(energy(path)) <= 1e-9).all()
    loss = np.gradient(energy(path), times)
    np.testing.assert_allclose(loss[5:-5], -FRICTION * path[1, 5:-5] ** 2, atol=0.05)


def test_samples_cover_the_box_on_a_line_of_two(data):
    x = data["train_x"]
    assert x.shape == (300, 1, 2)
    assert x.dtype == np.float32
    low, high = x.min(axis=(0, 1)), x.max(axis=(0, 1))
    assert (low > [-1, -2]).all()
    assert (high < [2, 2]).all()
    assert (high - low > [2.8, 3.8]).all()


def test_every_minimum_is_met_often(data):
    counts = np.bincount(data["train_y"], minlength=3)
    assert counts.min() > 30
    assert len(counts) == 3


def test_the_same_seed_gives_the_same_points_and_another_others(data):
    again, other = minima(train=300, test=100, seed=0), minima(train=300, test=100, seed=1)
    assert all(np.array_equal(data[name], again[name]) for name in data)
    assert not np.array_equal(data["train_x"], other["train_x"])
