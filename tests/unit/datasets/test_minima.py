import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solverproof.datasets import minima as module
from solverproof.datasets.minima import (
    FRICTION,
    LOWER_BARRIERS,
    MAXIMA,
    MINIMA,
    POTENTIAL,
    SLOPE,
    _clear_labels,
    energy,
    minima,
    motion,
    settle,
)

# of the distance from a minimum after the time below, when all particles have nearly stopped
REST = 0.02
TIME, STEPS = 60.0, 6000


def slope(x):
    """V' as the paper prints it."""
    return -0.192 + 0.176 * x + 2.364 * x**2 - 0.768 * x**3 - 2.5 * x**4 + 1.2 * x**5


def paper_motion(state):
    x, v = state
    return np.stack([v, -slope(x) - 0.2 * v])


def states_on_the_way(state, time=TIME, steps=STEPS):
    """States (2, particles) after each of many classical Runge-Kutta steps."""
    h = time / steps
    for _ in range(steps):
        k1 = paper_motion(state)
        k2 = paper_motion(state + h / 2 * k1)
        k3 = paper_motion(state + h / 2 * k2)
        k4 = paper_motion(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        yield state


def starts(x):
    return x[:, 0].T.astype(float)


@pytest.fixture(scope="module")
def data():
    return minima(train=2000, test=1000, seed=0)


def test_the_minima_are_those_of_the_paper_and_barriers_lie_between_them():
    np.testing.assert_array_equal(MINIMA.round(3), [-0.850, 0.269, 1.839])
    zeros = np.sort([*MINIMA, *MAXIMA])
    np.testing.assert_array_equal(zeros[1::2], MAXIMA)
    np.testing.assert_allclose(slope(zeros), 0, atol=1e-12)
    assert (SLOPE.deriv()(MINIMA) > 0).all()
    assert (SLOPE.deriv()(MAXIMA) < 0).all()


def test_the_potential_belongs_to_the_slope_and_each_well_to_its_lower_barrier():
    x = np.linspace(-1, 2, 50)
    np.testing.assert_allclose(POTENTIAL.deriv()(x), slope(x), atol=1e-12)
    left, right = POTENTIAL(MAXIMA)
    np.testing.assert_array_equal(LOWER_BARRIERS, [left, min(left, right), right])


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "test"])
def test_every_particle_comes_to_rest_in_the_minimum_of_its_label(data, part):
    *_, (x, v) = states_on_the_way(starts(data[f"{part}_x"]))
    np.testing.assert_allclose(x, MINIMA[data[f"{part}_y"]], atol=REST)
    np.testing.assert_allclose(v, 0, atol=REST)


def test_another_method_of_scipy_takes_particles_to_the_same_minima(data):
    for start, label in zip(starts(data["test_x"]).T[:30], data["test_y"], strict=False):
        solution = solve_ivp(
            lambda _, state: paper_motion(state),
            (0, TIME),
            start,
            method="LSODA",
            rtol=1e-9,
            atol=1e-9,
        )
        assert solution.y[0, -1] == pytest.approx(MINIMA[label], abs=REST)


@given(st.floats(-2, 3), st.floats(-3, 3))
def test_friction_takes_energy_at_the_rate_of_its_power(x, v):
    dx, dv = motion(0.0, np.array([x, v]))
    assert slope(x) * dx + v * dv == pytest.approx(-FRICTION * v**2, abs=1e-9)


def test_the_energy_on_the_way_only_falls(data):
    state = starts(data["test_x"])
    for following in states_on_the_way(state, time=10, steps=1000):
        assert (energy(following) < energy(state) + 1e-9).all()
        state = following


def test_a_particle_at_rest_in_a_well_is_decided_where_it_is_and_one_that_is_not_followed_is_not(
    monkeypatch,
):
    wells = np.stack([MINIMA, np.zeros(3)])
    np.testing.assert_array_equal(settle(wells), [0, 1, 2])
    monkeypatch.setattr(module, "PERIODS", 1)
    fast = np.stack([MINIMA, np.full(3, 2.0)])
    np.testing.assert_array_equal(settle(np.hstack([wells, fast])), [0, 1, 2, -1, -1, -1])


def border(velocity):
    """A position between two starts with this velocity that settle differently.

    The starts are as close as floats get.
    """
    low, high = -1.0, 2.0
    label = settle(np.array([[low], [velocity]]))
    assert settle(np.array([[high], [velocity]])) != label
    for _ in range(50):
        middle = (low + high) / 2
        if settle(np.array([[middle], [velocity]])) == label:
            low = middle
        else:
            high = middle
    return low


def test_a_start_on_the_border_of_two_basins_has_no_label_and_one_beyond_the_margin_has():
    x = border(0.5)
    labels = _clear_labels(np.array([[x - 1e-5, 0.5], [x, 0.5], [x + 1e-5, 0.5]]))
    assert labels[1] == -1
    assert labels[0] != labels[2]
    assert {labels[0], labels[2]} <= {0, 1, 2}


def test_starts_too_close_to_call_are_replaced_by_others(monkeypatch):
    usual = minima(train=300, test=1, seed=3)
    monkeypatch.setattr(module, "MARGIN", 0.02)
    clear = minima(train=300, test=1, seed=3)
    assert clear["train_x"].shape == usual["train_x"].shape
    kept = np.isin(usual["train_x"], clear["train_x"]).all(axis=(1, 2))
    assert 200 < kept.sum() < 300
    labels = clear["train_y"]
    for shift in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        np.testing.assert_array_equal(
            settle(starts(clear["train_x"]) + np.array(shift)[:, None]), labels
        )


def test_starts_fill_the_box_of_the_paper(data):
    x, v = starts(np.concatenate([data["train_x"], data["test_x"]]))
    for values, low, high in ((x, -1, 2), (v, -2, 2)):
        counts, _ = np.histogram(values, bins=10, range=(low, high))
        assert counts.sum() == 3000
        assert np.abs(counts - 300).max() < 4 * np.sqrt(270)


def test_every_minimum_gets_its_share_in_both_parts(data):
    train, test = np.bincount(data["train_y"]) / 2000, np.bincount(data["test_y"]) / 1000
    assert (train > 0.25).all()
    assert len(train) == 3
    np.testing.assert_allclose(train, test, atol=0.06)


def test_samples_are_one_channel_on_a_line(data):
    assert (data["train_x"].shape, data["train_x"].dtype) == ((2000, 1, 2), np.float32)
    assert (data["test_x"].shape, data["test_x"].dtype) == ((1000, 1, 2), np.float32)
    assert (data["train_y"].shape, data["train_y"].dtype) == ((2000,), np.int64)
    assert (data["test_y"].shape, data["test_y"].dtype) == ((1000,), np.int64)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_starts():
    first, again, other = (minima(train=40, test=20, seed=seed) for seed in (7, 7, 8))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert not np.isin(first["train_x"], other["train_x"]).any()


def test_no_training_start_is_a_test_start(data):
    assert not {row.tobytes() for row in data["train_x"]} & {
        row.tobytes() for row in data["test_x"]
    }
