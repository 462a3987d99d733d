"""What is said of linearised fields, against fields whose Jacobians and flows are known."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torch import nn

from solverproof.auditing import stability as module
from solverproof.auditing.linearisation import NotDifferentiableError
from solverproof.auditing.single_steps import Count, folds
from solverproof.auditing.stability import Quantiles, stability
from solverproof.ode.integration import trajectory
from solverproof.ode.solvers import SOLVERS, Setting

TIMES, CLOSER = torch.arange(33) / 32, torch.arange(257) / 256
EULER = SOLVERS["euler"]


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def linear(matrix):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    return lambda _, z: z @ matrix.T


def along(field, start, times=TIMES):
    """States at equal times on the solutions, by RK4 with four steps between two times."""
    setting = Setting(SOLVERS["rk4"], steps=4 * (len(times) - 1))
    return trajectory(field, start.double(), setting, horizon=1.0).state[::4].detach()


def judged(field, start=None, step=0.1, solver="euler", times=TIMES):
    start = normal(10, 2) if start is None else start
    states = along(field, start, times)
    return stability(field, times, states, step=step, solver=SOLVERS[solver])


def all_equal(value):
    return Quantiles(*[pytest.approx(value, abs=1e-9)] * 3)


class Network(nn.Module):
    def __init__(self, features, width=16, scale=2.0, seed=0):
        super().__init__()
        shapes = (width, features), (features, width), (width,)
        weights = [nn.Parameter(normal(*shape, seed=seed)) for shape in shapes]
        self.first, self.second, self.time = weights
        self.scale = scale / math.sqrt(width * features)

    def forward(self, t, z):
        return self.scale * torch.tanh(z @ self.first.T + t * self.time) @ self.second.T


def test_a_rotation_neither_grows_nor_crosses_and_euler_lets_it_grow():
    found = judged(linear([[0.0, -3.0], [3.0, 0.0]]))
    assert found.growth == all_equal(0)
    assert found.stretching == all_equal(0)
    assert found.lipschitz == all_equal(3)
    assert found.step_lipschitz == all_equal(0.3)
    assert (found.crossing, found.folds, found.complete, found.samples) == (0, False, True, 10)
    # The flow keeps the radius: it neither damps nor amplifies.
    nothing = Count(0, 33 * 10 * 2)
    assert found.amplified.pairs == found.damped.pairs == nothing


@pytest.mark.parametrize(("step", "unstable"), [(0.19, 0), (0.21, 1)])
def test_decay_is_amplified_by_euler_once_the_step_times_the_rate_is_above_two(step, unstable):
    found = judged(linear([[-10.0, 0.0], [0.0, -1.0]]), step=step)
    states = 33 * 10
    assert found.amplified.pairs == Count(unstable * states, 2 * states)
    assert found.amplified.states == Count(unstable * states, states)
    assert found.damped.states.share == 0
    assert found.growth == all_equal(-1)
    assert found.crossing == pytest.approx(10)


def test_a_non_normal_matrix_may_let_errors_grow_though_all_its_eigenvalues_decay():
    matrix = [[-1.0, 10.0], [0.0, -2.0]]
    found = judged(linear(matrix))
    rate = np.linalg.eigvalsh((np.array(matrix) + np.array(matrix).T) / 2)[-1]
    assert rate > 3
    assert found.growth == all_equal(rate)
    factor = np.linalg.norm(scipy.linalg.expm(np.array(matrix)), ord=2)
    assert found.stretching == all_equal(math.log(factor))
    assert 0 < math.log(factor) < rate
    assert found.lipschitz == all_equal(np.linalg.norm(matrix, ord=2))


@pytest.mark.parametrize("rate", [-2000.0, 2000.0])
def test_growth_beyond_the_largest_float_has_its_exponent(rate):
    states = torch.ones(33, 2, 1)
    found = stability(lambda _, z: rate * z, TIMES, states, step=0.1, solver=EULER)
    assert found.growth == all_equal(rate)
    assert found.stretching == all_equal(rate)


def test_a_spiral_that_grows_may_be_damped_by_rk4():
    found = judged(linear([[0.1, -2.0], [2.0, 0.1]]), step=1.0, solver="rk4")
    assert found.damped.states.share == found.damped.pairs.share == 1
    assert found.amplified.states.count == 0
    fine = judged(linear([[0.1, -2.0], [2.0, 0.1]]), step=0.01, solver="rk4")
    assert fine.damped.states.count == 0


@given(st.floats(0, 6), st.sampled_from([0.0, 1.0]))
def test_solutions_of_a_double_decay_cross_though_the_determinant_is_positive(angle, coupling):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.array([[-2.0, coupling], [0.0, -2.0]]) @ turn.T
    found = judged(linear(matrix.tolist()), step=0.75)
    assert found.crossing == pytest.approx(2, abs=1e-6)
    # z - 1.5 z is one to one: a crossing on the way does not make the whole step fold.
    assert np.linalg.det(np.eye(2) + 0.75 * matrix) > 0
    assert found.folds is False


def test_solutions_that_spiral_inwards_do_not_cross():
    assert judged(linear([[-3.0, -2.0], [2.0, -3.0]]), step=1.0).crossing == 0


def test_one_orientation_at_a_time_and_another_at_another_prove_no_fold():
    found = judged(lambda t, z: -3 * t * z, normal(10, 1), step=0.5)
    assert found.crossing == pytest.approx(3)
    assert found.folds is False


def test_the_sign_of_a_determinant_that_is_rounding_proves_no_fold():
    turns = torch.linalg.qr(normal(1, 200, 4, 4)).Q
    flattening = torch.diag(torch.arange(4.0)).double()
    maps = turns @ flattening @ turns.mT
    signs = torch.linalg.slogdet(maps).sign
    assert signs.min() < 0 < signs.max()
    assert folds(maps - torch.eye(4), 1.0) is False


def test_the_growth_of_a_logistic_equation_is_its_closed_form():
    start = torch.linspace(0.05, 0.9, 20).unsqueeze(1)

    def field(_, z):
        return 4 * z * (1 - z)

    found = judged(field, start)
    end = 1 / (1 + (1 / start - 1) * math.exp(-4))
    # d/dt ln f(z) = f'(z) along a solution of a scalar autonomous equation
    expected = (field(0, end) / field(0, start)).log()
    for measure in (found.growth, found.stretching):
        assert measure.median == pytest.approx(float(expected.quantile(0.5)), abs=2e-3)
        assert measure.max == pytest.approx(float(expected.max()), abs=2e-3)


def test_a_field_that_depends_on_the_time_is_taken_at_each_time():
    found = judged(lambda t, z: 3 * torch.cos(4 * t) * z)
    assert found.growth.median == pytest.approx(3 * math.sin(4) / 4, abs=2e-3)
    assert found.lipschitz.max == pytest.approx(3)
    assert found.crossing == pytest.approx(-3 * math.cos(math.pi), rel=0.01)


def test_a_relu_field_has_the_jacobian_of_each_side_of_its_kink():
    start = torch.tensor([[1.0], [2.0], [-1.0], [-2.0]])
    found = judged(lambda _, z: -5 * torch.relu(z), start, step=0.5)
    assert found.amplified.states == Count(2 * 33, 4 * 33)
    assert found.amplified.pairs == Count(2 * 33, 4 * 33)
    assert found.growth == Quantiles(-2.5, *[pytest.approx(0)] * 2)
    assert found.crossing == 5
    # z - 2.5 relu(z) takes -1 and 2/3 to -1
    assert found.folds is True


@pytest.mark.parametrize(("step", "folds"), [(0.9, False), (1.1, True)])
def test_a_step_folds_once_it_reverses_some_states_and_not_others(step, folds):
    start = torch.linspace(-math.pi, math.pi, 101).unsqueeze(1)
    found = judged(lambda _, z: -torch.sin(z), start, step=step)
    assert found.folds is folds
    line = torch.linspace(-math.pi, math.pi, 2001)
    monotone = bool(((line - step * torch.sin(line)).diff() > 0).all())
    assert monotone is not folds


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_no_step_below_one_over_the_greatest_norm_folds_or_crosses(seed, features):
    field = Network(features, seed=seed, scale=4.0)
    found = judged(field, normal(6, features))
    assert found.crossing <= found.lipschitz.max * (1 + 1e-9)
    fine = judged(field, normal(6, features), step=0.9 / found.lipschitz.max)
    if fine.step_lipschitz.max < 1:
        assert fine.folds is False


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_small_errors_of_the_flow_grow_as_said_and_no_more(seed, features):
    field = Network(features, seed=seed, scale=3.0)
    start = normal(1, features, seed=seed)

    def end(z):
        def slope(t, y):
            with torch.no_grad():
                return field(torch.tensor(t), torch.from_numpy(y)[None])[0].numpy()

        return solve_ivp(slope, (0, 1), z[0].numpy(), method="DOP853", rtol=1e-12, atol=1e-13).y[
            :, -1
        ]

    found = judged(field, start, times=CLOSER)
    reach = 1e-5
    columns = [
        (end(start + reach * e) - end(start - reach * e)) for e in torch.eye(features).double()
    ]
    flow = np.stack(columns, axis=1) / (2 * reach)
    largest = math.log(np.linalg.norm(flow, ord=2))
    assert found.stretching.max == pytest.approx(largest, abs=0.002)
    assert largest <= found.growth.max + 0.002


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from(["euler", "midpoint", "heun3", "rk4"]))
def test_nothing_depends_on_the_orientation_of_the_coordinates(seed, solver):
    field, start = Network(3, seed=seed, scale=12.0), normal(8, 3)
    turn = torch.linalg.qr(normal(3, 3)).Q
    plain = judged(field, start, step=0.5, solver=solver)
    turned = judged(lambda t, z: field(t, z @ turn) @ turn.T, start @ turn.T, 0.5, solver)
    assert (turned.amplified, turned.damped) == (plain.amplified, plain.damped)
    assert turned.folds is plain.folds
    assert turned.crossing == pytest.approx(plain.crossing, rel=1e-5)
    for name in ("growth", "stretching", "lipschitz", "step_lipschitz"):
        assert asdict(turned)[name] == pytest.approx(asdict(plain)[name]), name


def test_krylov_spaces_as_large_as_the_state_give_the_same_as_full_jacobians(monkeypatch):
    field, start = Network(7, scale=30.0), normal(6, 7)
    full = judged(field, start, step=0.3)
    monkeypatch.setattr(module, "FULL", 0)
    products = judged(field, start, step=0.3)
    assert full.amplified.states.count > 0
    assert (products.amplified, products.damped) == (full.amplified, full.damped)
    assert products.crossing == pytest.approx(full.crossing)
    for name in ("growth", "lipschitz", "step_lipschitz"):
        assert asdict(products)[name] == pytest.approx(asdict(full)[name])
    assert (products.complete, products.stretching, products.folds) == (False, None, None)


def test_large_states_are_measured_from_below_and_closely():
    field, times = Network(150, width=40, scale=60.0), TIMES[::16]
    states = along(field, normal(3, 150))[::16]
    found = stability(field, times, states, step=0.1, solver=EULER)
    matrices = module.jacobians(field, times, states).numpy()
    norms = np.linalg.norm(matrices, ord=2, axis=(2, 3))
    assert 0.99 * norms.max() <= found.lipschitz.max <= norms.max() * (1 + 1e-9)
    rates = np.linalg.eigvalsh((matrices + matrices.swapaxes(2, 3)) / 2)[..., -1]
    growth = np.trapezoid(rates, times, axis=0)
    assert 0.98 * growth.max() <= found.growth.max <= growth.max() * (1 + 1e-9)
    values = np.linalg.eigvals(matrices)
    outside = (values.real < 0) & (abs(1 + 0.1 * values) > 1)
    assert found.amplified.states.of == 9
    assert 0 < found.amplified.states.count <= outside.any(-1).sum()
    assert not found.complete


@pytest.mark.parametrize("solver", ["dopri5", "fehlberg2"])
def test_an_adaptive_solver_has_no_step_and_what_follows_from_it(solver):
    found = judged(linear([[-2.0, 0.0], [0.0, 1.0]]), step=None, solver=solver)
    absent = (found.step_lipschitz, found.amplified, found.damped, found.folds)
    assert absent == (None, None, None, None)
    assert (found.crossing, found.growth.max) == (pytest.approx(2), pytest.approx(1))


def test_a_multistep_method_has_a_step_but_no_stability_function():
    found = judged(linear([[-2.0, 0.0], [0.0, 1.0]]), solver="explicit_adams")
    assert found.step_lipschitz == all_equal(0.2)
    assert (found.amplified, found.damped, found.folds) == (None, None, None)


@pytest.mark.parametrize("full", [0, 64])
def test_samples_that_are_not_finite_are_left_out_and_counted(full, monkeypatch):
    monkeypatch.setattr(module, "FULL", full)
    field = Network(3)
    states = along(field, normal(5, 3))
    whole = stability(field, TIMES, states[:, 1:], step=0.1, solver=EULER)
    states[20:, 0] = math.inf
    found = stability(field, TIMES, states, step=0.1, solver=EULER)
    assert found.samples == 4
    assert asdict(found)["lipschitz"] == pytest.approx(asdict(whole)["lipschitz"], rel=1e-6)


def test_a_jacobian_that_is_not_finite_leaves_its_sample_out():
    states = torch.tensor([0.0, 1.0, 2.0]).view(1, 3, 1).expand(33, 3, 1)
    found = stability(lambda _, z: z.abs().sqrt(), TIMES, states, step=0.1, solver=EULER)
    assert found.samples == 2
    assert found.lipschitz.max == pytest.approx(0.5)


def test_without_one_finite_sample_nothing_is_said():
    states = torch.full((33, 2, 1), math.nan)
    with pytest.raises(ValueError, match="no sample has states and Jacobians that are finite"):
        stability(lambda _, z: z, TIMES, states, step=0.1, solver=EULER)


@pytest.mark.parametrize(
    ("times", "states", "step", "solver", "complaint"),
    [
        (TIMES, torch.zeros(32, 2, 2), 0.1, "euler", "have shapes"),
        (TIMES, torch.zeros(33, 2), 0.1, "euler", "have shapes"),
        (TIMES[:1], torch.zeros(1, 2, 2), 0.1, "euler", "at least two"),
        (TIMES, torch.zeros(33, 2, 2), None, "euler", "give a positive number"),
        (TIMES, torch.zeros(33, 2, 2), 0.0, "euler", "step of euler, of kind 'fixed', is 0.0"),
        (TIMES, torch.zeros(33, 2, 2), 0.1, "dopri5", "None for an adaptive solver"),
    ],
)
def test_what_does_not_fit_is_refused(times, states, step, solver, complaint):
    with pytest.raises(ValueError, match=complaint):
        stability(lambda _, z: z, times, states, step=step, solver=SOLVERS[solver])


def test_a_field_that_hides_its_derivative_is_refused_though_it_begins_at_rest():
    with pytest.raises(NotDifferentiableError):
        judged(lambda t, z: -t * z.detach())


@pytest.mark.parametrize("full", [0, 64])
def test_the_measures_need_no_gradients_leave_none_and_draw_no_random_numbers(full, monkeypatch):
    monkeypatch.setattr(module, "FULL", full)
    field = Network(4)
    states, before = along(field, normal(4, 4)), torch.get_rng_state()
    with torch.no_grad():
        first = stability(field, TIMES, states, step=0.1, solver=EULER)
    assert first == stability(field, TIMES, states, step=0.1, solver=EULER)
    assert torch.equal(before, torch.get_rng_state())
    assert all(p.grad is None for p in field.parameters())
    assert not states.requires_grad


def test_a_field_without_motion_has_zeros_everywhere():
    found = judged(lambda _, z: torch.zeros_like(z))
    for measure in (found.lipschitz, found.growth, found.stretching):
        assert measure == all_equal(0)
    assert found.amplified.pairs == Count(0, 33 * 10 * 2)
    assert (found.crossing, found.folds) == (0, False)


def test_quantiles_are_those_of_numpy_and_a_count_of_none_has_no_share():
    values = normal(37, 3)
    found = Quantiles.of(values)
    expected = np.quantile(values.numpy(), [0.5, 0.95, 1])
    assert [found.median, found.p95, found.max] == pytest.approx(expected.tolist())
    assert math.isnan(Count(0, 0).share)
    assert Count(1, 4).share == 0.25
