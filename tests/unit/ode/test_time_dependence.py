"""Fields that depend on the time: z' = cos(t) z, whose solution is exp(sin t)."""

import math

import numpy as np
import pytest
import torch
from defined import autonomous
from scipy.integrate._ivp.common import select_initial_step

from solverproof.ode.initial_step import initial_step
from solverproof.ode.integration import solve, trajectory
from solverproof.ode.solvers import SOLVERS, Setting

HORIZON = 2.0
START = torch.tensor([1.0, -0.5], dtype=torch.float64)
FIXED = [solver for solver in SOLVERS.values() if solver.kind == "fixed"]
ADAPTIVE = [solver for solver in SOLVERS.values() if solver.is_adaptive]


def swinging(t, z):
    return t.cos() * z


def exact(t):
    return START * math.exp(math.sin(t))


@pytest.mark.parametrize("solver", FIXED, ids=lambda solver: solver.name)
def test_every_fixed_step_method_has_its_order(solver):
    steps = [100, 200, 400]
    ends = [solve(swinging, START, Setting(solver, steps=n), horizon=HORIZON).state for n in steps]
    errors = [(end - exact(HORIZON)).abs().max().item() for end in ends]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -slope == pytest.approx(solver.order, abs=0.15)


@pytest.mark.parametrize("solver", ADAPTIVE, ids=lambda solver: solver.name)
def test_every_adaptive_method_follows_the_solution(solver):
    setting = Setting(solver, tolerance=1e-7)
    end = solve(swinging, START, setting, horizon=HORIZON).state
    torch.testing.assert_close(end, exact(HORIZON), rtol=1e-4, atol=1e-4)


def test_a_trajectory_follows_the_solution_all_the_way():
    setting = Setting(SOLVERS["rk4"], steps=50)
    path = trajectory(swinging, START, setting, horizon=HORIZON).state
    expected = torch.stack([exact(t) for t in np.linspace(0, HORIZON, 51)])
    torch.testing.assert_close(path, expected, rtol=1e-6, atol=1e-6)


def test_a_field_that_ignores_the_time_is_solved_to_the_same_bits_as_one_frozen_in_time():
    setting = Setting(SOLVERS["rk4"], steps=7)
    field, frozen = autonomous(torch.sin), lambda t, z: torch.sin(z + 0 * t)
    first, second = (solve(f, START, setting, horizon=HORIZON).state for f in (field, frozen))
    assert torch.equal(first, second)


def test_the_adjoint_of_a_field_that_depends_on_the_time_converges_to_backpropagation():
    gaps = []
    for steps in (20, 40):
        gradients = []
        for by_adjoint in (False, True):
            weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
            solution = solve(
                lambda t, z, w=weight: w * t.cos() * z,
                START,
                Setting(SOLVERS["rk4"], steps=steps),
                horizon=HORIZON,
                adjoint=[weight] if by_adjoint else None,
            )
            solution.state.square().sum().backward()
            gradients.append(weight.grad.item())
        gaps.append(abs(gradients[0] - gradients[1]))
    assert gaps[1] < gaps[0] / 10 < 1e-3


def test_the_first_step_is_that_of_scipy():
    def field(t, z):
        return np.cos(t) * z + t**2 + 1

    start = START.numpy()
    expected = select_initial_step(
        field, 0.0, start, np.inf, np.inf, field(0.0, start), 1, 2, 1e-3, 1e-3
    )
    step, _ = initial_step(lambda t, z: t.cos() * z + t**2 + 1, START, 2)
    assert step == pytest.approx(expected, rel=1e-9)
