import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from defined import autonomous
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torchdiffeq import odeint

from solverproof.ode import integration
from solverproof.ode.integration import MOST_EVALUATIONS, solve, trajectory
from solverproof.ode.solvers import METHODS, SOLVERS, Setting

# Rows of A below the diagonal, then b (HNW II.1): written out here, not taken from torchdiffeq.
TABLEAUX = {
    "euler": ([[]], [1]),
    "midpoint": ([[], [1 / 2]], [0, 1]),
    "heun2": ([[], [1]], [1 / 2, 1 / 2]),
    "heun3": ([[], [1 / 3], [0, 2 / 3]], [1 / 4, 0, 3 / 4]),
    "rk4": ([[], [1 / 3], [-1 / 3, 1], [1, -1, 1]], [1 / 8, 3 / 8, 3 / 8, 1 / 8]),
}
every_solver = pytest.mark.parametrize("solver", sorted(TABLEAUX))
WEIGHTS = torch.tensor([[0.4, -1.1, 0.3], [0.9, 0.2, -0.7], [-0.5, 0.8, 0.6]], dtype=torch.float64)
START = torch.tensor([[1.0, -0.5, 0.2], [0.3, 0.8, -1.2]], dtype=torch.float64)


def steps_of(solver, steps):
    return Setting.of(SOLVERS[solver], steps)


STILL = autonomous(torch.zeros_like)


def bent(state):
    return torch.tanh(state @ WEIGHTS.to(state.dtype)) - 0.2 * state**2


def turning(state):
    """Rows (x, y) turn about the origin, each at the speed of its squared radius."""
    x, y = state.T
    return (x**2 + y**2).unsqueeze(1) * torch.stack([-y, x], 1)


def turned(radius, angle, time):
    later = angle + radius**2 * time
    return radius.unsqueeze(1) * torch.stack([later.cos(), later.sin()], 1)


def runge_kutta(field, state, solver, steps, horizon):
    rows, weights = TABLEAUX[solver]
    states = [state]
    for _ in range(steps):
        slopes = []
        for row in rows:
            shift = sum((a * k for a, k in zip(row, slopes, strict=True)), torch.zeros_like(state))
            slopes.append(field(states[-1] + horizon / steps * shift))
        slope = sum(b * k for b, k in zip(weights, slopes, strict=True))
        states.append(states[-1] + horizon / steps * slope)
    return torch.stack(states)


def test_every_fixed_step_solver_is_held_against_a_tableau():
    assert sorted(TABLEAUX) == sorted(
        name for name in METHODS if name in SOLVERS and SOLVERS[name].kind == "fixed"
    )


@every_solver
def test_the_error_falls_with_the_stated_order(solver):
    radius = torch.tensor([0.6, 0.9, 1.2], dtype=torch.float64)
    angle = torch.tensor([0.0, 1.0, 2.5], dtype=torch.float64)
    start, end = turned(radius, angle, 0.0), turned(radius, angle, 1.0)
    steps = [64, 96, 128, 192, 256]
    errors = [
        (solve(autonomous(turning), start, steps_of(solver, n), horizon=1.0).state - end)
        .abs()
        .max()
        for n in steps
    ]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -slope == pytest.approx(SOLVERS[solver].order, abs=0.06)


@every_solver
@pytest.mark.parametrize("steps", [1, 49, 128, 1000])
def test_every_step_is_taken_and_every_evaluation_counted(solver, steps):
    calls = []
    solution = solve(
        lambda _, z: calls.append(1) or -z,
        torch.ones(1, dtype=torch.float64),
        steps_of(solver, steps),
        horizon=1.0,
    )
    assert solution.steps == steps
    assert solution.nfe == steps * SOLVERS[solver].stages == len(calls)


@settings(max_examples=60)
@given(st.sampled_from(sorted(TABLEAUX)), st.integers(1, 200), st.floats(0.01, 50))
def test_steps_and_evaluations_are_exact_for_any_number_of_steps_and_horizon(
    solver, steps, horizon
):
    solution = trajectory(STILL, torch.ones(1), steps_of(solver, steps), horizon=horizon)
    assert (solution.steps, solution.nfe) == (steps, steps * SOLVERS[solver].stages)
    assert len(solution.state) == steps + 1


@every_solver
@pytest.mark.parametrize(("steps", "horizon"), [(1, 1.0), (7, 0.6), (49, 1.0), (64, 2.5)])
def test_all_states_equal_those_of_plain_torchdiffeq_on_the_same_grid(solver, steps, horizon):
    grid = torch.linspace(0, horizon, steps + 1, dtype=torch.float64)
    expected = odeint(lambda _, z: bent(z), START, grid, method=solver)
    states = trajectory(autonomous(bent), START, steps_of(solver, steps), horizon=horizon).state
    torch.testing.assert_close(states, expected, rtol=1e-13, atol=1e-13)


@every_solver
@pytest.mark.parametrize(("steps", "horizon"), [(1, 1.0), (7, 0.6), (49, 1.0), (64, 2.5)])
def test_all_states_equal_those_of_a_runge_kutta_method_written_by_hand(solver, steps, horizon):
    states = trajectory(autonomous(bent), START, steps_of(solver, steps), horizon=horizon).state
    torch.testing.assert_close(
        states, runge_kutta(bent, START, solver, steps, horizon), rtol=1e-13, atol=1e-13
    )


@every_solver
def test_the_tableau_has_the_stated_number_of_stages(solver):
    assert len(TABLEAUX[solver][1]) == SOLVERS[solver].stages


@every_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_solution_is_the_last_state_of_the_trajectory_bit_for_bit(solver, dtype):
    how = steps_of(solver, 49)
    end = solve(autonomous(bent), START.to(dtype), how, horizon=0.7).state
    assert end.dtype == dtype
    assert torch.equal(
        end, trajectory(autonomous(bent), START.to(dtype), how, horizon=0.7).state[-1]
    )


@every_solver
def test_a_trajectory_begins_at_the_given_state_and_leaves_it_unchanged(solver):
    state = START.clone()
    states = trajectory(autonomous(bent), state, steps_of(solver, 3), horizon=1.0).state
    assert torch.equal(states[0], START)
    assert torch.equal(state, START)


@pytest.mark.parametrize("steps", [3, 7, 49, 1000])
def test_the_step_size_carries_no_rounding_of_float32(steps):
    end = solve(
        lambda _, z: z, torch.ones(1, dtype=torch.float64), steps_of("euler", steps), horizon=1.0
    ).state
    assert end.item() == pytest.approx((1 + 1 / steps) ** steps, rel=1e-13)


@settings(max_examples=60)
@given(st.integers(1, 300), st.floats(0.01, 50))
def test_the_steps_are_equal_and_end_at_the_horizon_itself(steps, horizon):
    seen = []

    def spy(_, state, times, options, **__):
        seen.append((times, options["grid_constructor"](None, state, times)))
        return torch.stack([state, state])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integration, "odeint", spy)
        solve(STILL, torch.ones(1), steps_of("euler", steps), horizon=horizon)
    (times, grid), *_ = seen
    assert times.dtype == grid.dtype == torch.float64
    assert times.tolist() == [0.0, horizon]
    assert (grid[0].item(), grid[-1].item()) == (0.0, horizon)
    sizes = [after - before for before, after in pairwise(grid.tolist())]
    assert sizes == pytest.approx([horizon / steps] * steps, rel=1e-12 * steps)


@settings(max_examples=30)
@given(st.sampled_from(sorted(TABLEAUX)), st.integers(1, 20), st.floats(0.1, 2))
def test_a_longer_horizon_is_a_faster_field(solver, steps, horizon):
    # The solution leaves every bound before t = 3, and rounding with it.
    longer = solve(autonomous(bent), START, steps_of(solver, steps), horizon=horizon).state
    faster = solve(
        lambda _, z: horizon * bent(z), START, steps_of(solver, steps), horizon=1.0
    ).state
    torch.testing.assert_close(longer, faster, rtol=1e-11, atol=1e-11)


def test_a_number_of_steps_that_is_asked_for_has_no_budget():
    steps = MOST_EVALUATIONS + 1
    solution = solve(STILL, torch.ones(1), steps_of("euler", steps), horizon=1.0)
    assert (solution.steps, solution.nfe) == (steps, steps)


def test_many_small_steps_agree_with_an_adaptive_solver_of_scipy():
    expected = solve_ivp(
        lambda _, z: bent(torch.from_numpy(z).view(2, 3)).flatten().numpy(),
        (0, 1.5),
        START.flatten().numpy(),
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
    ).y[:, -1]
    end = solve(autonomous(bent), START, steps_of("rk4", 200), horizon=1.5).state
    np.testing.assert_allclose(end.flatten().numpy(), expected, rtol=1e-9)


@every_solver
def test_gradients_flow_through_every_operation_of_the_solver(solver):
    ours, by_hand = START.clone().requires_grad_(), START.clone().requires_grad_()
    solve(autonomous(bent), ours, steps_of(solver, 5), horizon=0.8).state.pow(2).sum().backward()
    runge_kutta(bent, by_hand, solver, 5, 0.8)[-1].pow(2).sum().backward()
    torch.testing.assert_close(ours.grad, by_hand.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 1), (2, 5, 1, 3, 3)])
def test_a_state_of_any_shape_keeps_it(shape):
    state = torch.ones(shape, dtype=torch.float64)
    how = steps_of("midpoint", 4)
    assert solve(autonomous(torch.neg), state, how, horizon=1.0).state.shape == shape
    assert trajectory(autonomous(torch.neg), state, how, horizon=1.0).state.shape == (5, *shape)


def test_a_linear_field_over_another_horizon_ends_at_the_exponential():
    state = torch.ones(1, dtype=torch.float64)
    end = solve(autonomous(torch.neg), state, steps_of("rk4", 100), horizon=3.0).state
    assert end.item() == pytest.approx(math.exp(-3.0), rel=1e-7)


def test_a_trajectory_with_a_solver_that_chooses_its_steps_is_refused():
    adaptive = Setting(SOLVERS["dopri5"], tolerance=0.1)
    with pytest.raises(ValueError, match="dopri5 chooses its own steps; give trajectory a solver"):
        trajectory(STILL, START, adaptive, horizon=1.0)


@pytest.mark.parametrize(
    "setting",
    [Setting(SOLVERS["rk4"], steps=2), Setting(SOLVERS["dopri5"], tolerance=1e-3)],
    ids=["fixed", "adaptive"],
)
def test_an_assertion_that_fails_in_the_field_is_the_users(setting):
    def field(_, z):
        assert z.shape[1] == 3, "three features"
        return -z

    with pytest.raises(AssertionError, match="three features"):
        solve(field, torch.ones(4, 2), setting, horizon=1.0)


@pytest.mark.parametrize("horizon", [0.0, math.inf, math.nan])
def test_a_horizon_without_a_length_is_told(horizon):
    setting = Setting(SOLVERS["rk4"], steps=2)
    with pytest.raises(ValueError, match="give a finite length other than 0"):
        solve(lambda _, z: -z, torch.ones(4, 2), setting, horizon=horizon)


def test_a_setting_takes_a_solver_and_not_its_name():
    with pytest.raises(TypeError, match="solver is 'rk4'; give a Solver, as SOLVERS has them"):
        Setting("rk4", steps=2)
