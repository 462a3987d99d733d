"""Solving every sample alone: the same as torchdiffeq gives for each as a batch of one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solverproof.ode import sample_control
from solverproof.ode.integration import SolverError, solve
from solverproof.ode.sample_control import solve_samples
from solverproof.ode.solvers import SOLVERS, Setting, defined

PAIR = {
    "order": 2,
    "c": [0, "1/2", 1],
    "a": [[], ["1/2"], ["1/256", "255/256"]],
    "b": ["1/512", "255/256", "1/512"],
    "b_embedded": ["1/256", "255/256", 0],
    "embedded_order": 1,
}
ADAPTIVE = {name: solver for name, solver in SOLVERS.items() if solver.is_adaptive}
ADAPTIVE["fehlberg_rk12"] = defined("fehlberg_rk12", PAIR)
every_adaptive = pytest.mark.parametrize("solver", ADAPTIVE.values(), ids=ADAPTIVE)


def bent(_, z):
    turned = z @ torch.tensor([[0.4, -2.1], [1.9, 0.2]], dtype=z.dtype)
    return torch.tanh(3 * turned) - 0.3 * z


def starts(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(count, 2, generator=generator, dtype=torch.float64)


@every_adaptive
@settings(max_examples=10, deadline=None)
@given(tolerance=st.floats(1e-5, 1e-1), horizon=st.floats(0.1, 3), seed=st.integers(0, 2**31 - 1))
def test_every_sample_gets_what_torchdiffeq_gives_it_alone(solver, tolerance, horizon, seed):
    setting, state = Setting(solver, tolerance=tolerance), starts(6, seed)
    together = solve_samples(bent, state, setting, horizon=horizon)
    alone = [solve(bent, z, setting, horizon=horizon) for z in state.split(1)]
    expected = torch.cat([solution.state for solution in alone])
    assert torch.allclose(together.state, expected, rtol=1e-9, atol=1e-9)
    assert together.nfe == max(solution.nfe for solution in alone)
    assert together.steps == max(solution.steps for solution in alone)


@every_adaptive
def test_neighbours_and_their_order_change_nothing(solver):
    setting, state = Setting(solver, tolerance=0.01), starts(20)
    ends = solve_samples(bent, state, setting, horizon=2.0).state
    backwards = solve_samples(bent, state.flip(0), setting, horizon=2.0).state
    few = solve_samples(bent, state[3:7], setting, horizon=2.0).state
    assert torch.allclose(backwards.flip(0), ends, rtol=1e-12, atol=1e-12)
    assert torch.allclose(few, ends[3:7], rtol=1e-12, atol=1e-12)


@every_adaptive
def test_a_shared_step_size_gives_something_else(solver):
    setting, state = Setting(solver, tolerance=0.01), starts(20)
    ends = solve_samples(bent, state, setting, horizon=2.0).state
    shared = solve(bent, state, setting, horizon=2.0).state
    assert (ends - shared).abs().max() > 1e-6


def test_states_of_any_shape_keep_it_and_their_type():
    setting = Setting(SOLVERS["dopri5"], tolerance=0.01)
    images = torch.randn(4, 2, 3, 3)
    ends = solve_samples(lambda _, z: -z, images, setting, horizon=1.0).state
    assert (ends.shape, ends.dtype) == (images.shape, torch.float32)
    assert torch.allclose(ends, images * math.exp(-1), atol=1e-2)


def blowing_up(_, z):
    """1 / (1 / z0 - t): the first sample leaves every bound at t = 1 / 2, the others do not."""
    return z**2


@every_adaptive
def test_a_sample_whose_solver_gives_up_is_nan_and_the_others_go_on(solver):
    state, setting = torch.tensor([[2.0], [0.5], [-1.0]]).double(), Setting(solver, tolerance=1e-3)
    with pytest.raises(SolverError):
        solve(blowing_up, state[:1], setting, horizon=1.0)
    ends = solve_samples(blowing_up, state, setting, horizon=1.0).state
    assert ends[0].isnan().all()
    others = [solve(blowing_up, z, setting, horizon=1.0).state for z in state[1:].split(1)]
    assert torch.allclose(ends[1:], torch.cat(others), rtol=1e-9)


def test_a_field_that_is_not_finite_gives_up_at_once():
    setting = Setting(SOLVERS["dopri5"], tolerance=1e-3)
    nothing = solve_samples(lambda _, z: z * math.nan, starts(3), setting, horizon=1.0)
    assert nothing.state.isnan().all()
    assert (nothing.nfe, nothing.steps) == (2, 0)


def test_the_budget_of_evaluations_ends_the_solve(monkeypatch):
    setting, state = Setting(SOLVERS["dopri5"], tolerance=1e-9), starts(3)
    whole = solve_samples(bent, state, setting, horizon=1.0)
    monkeypatch.setattr(sample_control, "MOST_EVALUATIONS", whole.nfe)
    assert solve_samples(bent, state, setting, horizon=1.0).state.isfinite().all()
    monkeypatch.setattr(sample_control, "MOST_EVALUATIONS", whole.nfe - 1)
    cut = solve_samples(bent, state, setting, horizon=1.0)
    assert cut.state.isnan().any()
    assert cut.nfe < whole.nfe


def test_a_state_at_rest_stays_there():
    setting = Setting(SOLVERS["dopri5"], tolerance=1e-3)
    state = torch.zeros(2, 2, dtype=torch.float64)
    assert solve_samples(lambda _, z: 0 * z, state, setting, horizon=1.0).state.tolist() == (
        state.tolist()
    )


def test_a_solver_of_equal_steps_is_refused():
    with pytest.raises(ValueError, match="euler takes equal steps, the same for every sample"):
        solve_samples(lambda _, z: -z, torch.ones(2, 1), Setting(SOLVERS["euler"], 4), horizon=1.0)


def test_tolerances_that_differ_are_refused():
    differ = Setting(SOLVERS["dopri5"], tolerance=1e-3, atol=1e-6)
    with pytest.raises(ValueError, match=r"dopri5 at rtol 0\.001 and atol 1e-06: one"):
        solve_samples(lambda _, z: -z, torch.ones(2, 1), differ, horizon=1.0)
