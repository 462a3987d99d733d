"""Adaptive solvers and the adjoint method."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solverproof import integration
from solverproof.datasets.spheres import spheres
from solverproof.evaluation import evaluate
from solverproof.integration import Solution, SolverError, solve
from solverproof.networks import classifier
from solverproof.solvers import METHODS, SOLVERS, Setting
from solverproof.training import Failure, train

ADAPTIVE = sorted(name for name in METHODS if name in SOLVERS and SOLVERS[name].is_adaptive)
every_adaptive = pytest.mark.parametrize("solver", ADAPTIVE)
START = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=torch.float64)
MODEL = {"network": {"family": "conv", "channels": 6}, "classes": 2, "horizon": 1.0}
SEEDS = [0, 1, 2]


def bent(state):
    return torch.tanh(state @ torch.tensor([[0.4, -1.1], [0.9, 0.2]], dtype=state.dtype)) - 0.2 * state**2


def exact(horizon):
    def field(_, z):
        return bent(torch.from_numpy(z).view(2, 2)).flatten().numpy()

    end = solve_ivp(field, (0, horizon), START.flatten().numpy(), method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
    return torch.from_numpy(end).view(2, 2)


def tolerant(solver, tolerance):
    return Setting(SOLVERS[solver], tolerance)


@every_adaptive
def test_the_error_is_of_the_size_of_the_tolerance_and_falls_with_it(solver):
    errors = []
    for tolerance in (1e-3, 1e-5, 1e-7):
        end = solve(bent, START, tolerant(solver, tolerance), horizon=1.5).state
        errors.append((end - exact(1.5)).abs().max().item())
        # Fehlberg's estimate is a 512th of the difference of two slopes, so its error is that much larger
        assert errors[-1] < (512 if solver == "fehlberg2" else 20) * tolerance
    assert errors[0] > 10 * errors[2]


@every_adaptive
@settings(max_examples=20, deadline=None)
@given(tolerance=st.floats(1e-7, 1e-1), horizon=st.floats(0.1, 3))
def test_every_evaluation_is_counted_and_belongs_to_a_step_or_to_the_start(solver, tolerance, horizon):
    calls = []
    solution = solve(lambda z: calls.append(1) or bent(z), START, tolerant(solver, tolerance), horizon=horizon)
    assert solution.nfe == len(calls)
    assert solution.nfe == 2 + SOLVERS[solver].stages * (solution.steps + solution.rejected)
    assert solution.steps >= 1


@every_adaptive
@pytest.mark.parametrize("horizon", [0.3, 1.0, 2.7])
def test_the_last_step_ends_at_the_horizon(solver, horizon):
    times = []

    class Watched(integration._CountedAdaptive):  # noqa: SLF001
        def callback_accept_step(self, t0, _, dt):
            times.append((t0.item(), dt.item()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integration, "_CountedAdaptive", Watched)
        solution = solve(bent, START, tolerant(solver, 1e-5), horizon=horizon)
    start, size = times[-1]
    assert len(times) == solution.steps
    assert start < horizon
    assert start + size >= horizon  # what lies beyond is cut off
    assert all(later[0] == pytest.approx(t + dt) for (t, dt), later in pairwise(times))


def test_a_field_that_asks_for_it_makes_the_solver_take_steps_back():
    solution = solve(lambda z: 50 * torch.sin(40 * z), START, tolerant("dopri5", 1e-6), horizon=1.0)
    assert solution.rejected > 0


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (lambda z: z**3 * 1e3, "underflow"),
        (lambda z: z * math.nan, "underflow"),
        (lambda z: torch.where(z.abs() > 2, math.inf, 1e3), "nonfinite"),
        (lambda z: 1e4 * torch.stack([-z[1], z[0]]), "budget"),
    ],
    ids=["blow-up", "nan", "infinity", "fast turning"],
)
def test_a_solver_that_gives_up_says_why_and_what_it_took(field, status):
    with pytest.raises(SolverError) as caught:
        solve(field, START, tolerant("dopri5", 1e-8), horizon=1.0)
    failure = caught.value
    assert failure.status in {status, "underflow", "nonfinite"} if status != "budget" else failure.status == "budget"
    assert failure.reason
    assert 0 < failure.nfe <= integration.MOST_EVALUATIONS
    assert (failure.steps, failure.rejected) == (None, None)


def ruined(parameters, index):
    """The same stack with one seed's parameters not a number."""
    return {
        name: torch.stack([p * math.nan if i == index else p for i, p in enumerate(stack)])
        for name, stack in parameters.items()
    }


@every_adaptive
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_steps_and_bits_of_a_seed_do_not_depend_on_its_neighbours(solver, dtype, double_precision):
    del double_precision
    torch.set_default_dtype(dtype)
    model = classifier(MODEL, (1, 2))
    parameters, x = model.initial(SEEDS), torch.randn(3, 8, 1, 2)
    together = model(parameters, x, tolerant(solver, 1e-3))
    beside_nan = model(ruined(parameters, 1), x, tolerant(solver, 1e-3))
    assert isinstance(beside_nan.solutions[1], SolverError)
    assert beside_nan.logits[1].isnan().all()
    for i in range(3):
        alone = model({name: p[i : i + 1] for name, p in parameters.items()}, x[i : i + 1], tolerant(solver, 1e-3))
        for other in (alone.solutions[0], beside_nan.solutions[i]) if i != 1 else (alone.solutions[0],):
            mine = together.solutions[i]
            assert (mine.nfe, mine.steps, mine.rejected) == (other.nfe, other.steps, other.rejected)
        assert torch.equal(together.logits[i], alone.logits[0])
        if i != 1:
            assert torch.equal(together.logits[i], beside_nan.logits[i])


def spec_of(solver, fineness, seeds=SEEDS, **protocol):
    setting = Setting(SOLVERS[solver], fineness)
    return {
        "identity": f"toy/{solver}/{setting.label}",
        "model": MODEL,
        "protocol": {
            "iterations": 6,
            "batch": 16,
            "learning_rate": 0.01,
            "gradient": "backpropagation",
            "history_every": 1,
            **protocol,
        },
        "seeds": list(seeds),
        **setting.spec,
    }, setting


def trained(data, solver, fineness, **options):
    spec, setting = spec_of(solver, fineness, **options)
    return train(spec, data, lambda _: setting)


@pytest.fixture
def data():
    return spheres(dimension=2, train=60, test=20, seed=0)


@pytest.mark.parametrize("solver", ["fehlberg2", "dopri5"])
def test_training_records_evaluations_and_accepted_and_rejected_steps(solver, data):
    training = trained(data, solver, 1e-3)
    for row in training.history:
        assert row["nfe"] == 2 + SOLVERS[solver].stages * (row["steps"] + row["rejected"])
    for seed in SEEDS:
        rows = [row for row in training.history if row["seed"] == seed]
        assert rows[-1]["total_nfe"] == sum(row["nfe"] for row in rows)
        assert training.mean_nfe[seed] == rows[-1]["total_nfe"] / 6


def test_a_seed_trained_with_an_adaptive_solver_is_trained_as_if_alone(data):
    together = trained(data, "dopri5", 1e-3)
    for i, seed in enumerate(SEEDS):
        alone = trained(data, "dopri5", 1e-3, seeds=[seed])
        for name, p in together.parameters.items():
            torch.testing.assert_close(p[i], alone.parameters[name][0], rtol=1e-5, atol=1e-6)


def test_a_seed_whose_solver_gives_up_fails_with_its_reason_and_the_others_go_on(data, monkeypatch):
    spec, setting = spec_of("dopri5", 1e-3)
    healthy = train(spec, data, lambda _: setting)
    solving = integration.odeint
    solves = []

    def failing_once(counted, state, *arguments, **options):
        solves.append(state)
        if len(solves) == 3 * 3 + 2:  # the second seed in the fourth iteration
            raise AssertionError("underflow in dt 0.0")
        return solving(counted, state, *arguments, **options)

    monkeypatch.setattr(integration, "odeint", failing_once)
    training = train(spec, data, lambda _: setting)
    assert training.failures == {1: Failure("underflow", "step size too small to move on at iteration 4")}
    assert max(row["iteration"] for row in training.history if row["seed"] == 1) == 4
    for i in (0, 2):
        for name, p in training.parameters.items():
            assert torch.equal(p[i], healthy.parameters[name][i])


def test_a_test_solver_that_gives_up_is_a_row_with_its_status(data, monkeypatch):
    model = classifier(MODEL, (1, 2))
    parameters = model.initial(SEEDS)
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 40)
    run = {"setting": {"solver": "dopri5", "tolerance": 0.1}, "failures": {}}
    spec = {
        "task": "toy", "model": MODEL, "controller": None, "adapted": False, "seeds": SEEDS,
        "solvers": ["dopri5"], "ratios": [1, 1e-8],
    }  # fmt: skip
    rows = evaluate(spec, data, parameters, run)
    own = [row for row in rows if row["test_tolerance"] == 0.1]
    tight = [row for row in rows if row["test_tolerance"] == 1e-9]
    assert {row["status"] for row in own} == {"ok"}
    assert all(row["test_steps"] >= 1 and 0 <= row["accuracy"] <= 1 for row in own)
    assert {(row["status"], row["reason"], row["test_steps"]) for row in tight} == {
        ("budget", "more than 40 evaluations", None)
    }
    assert all(math.isnan(row["accuracy"]) and math.isnan(row["loss"]) for row in tight)


def gradients(setting, *, adjoint):
    weight, state = torch.tensor(0.7, dtype=torch.float64, requires_grad=True), START.clone().requires_grad_()
    solution = solve(lambda z: weight * bent(z), state, setting, horizon=1.0, adjoint=[weight] if adjoint else None)
    solution.state.square().sum().backward()
    return solution, weight.grad, state.grad


@pytest.mark.parametrize("solver", ["euler", "midpoint", "rk4"])
def test_gradients_of_the_adjoint_converge_to_those_through_the_solver_as_the_step_falls(solver):
    gaps = []
    for steps in (8, 16, 32):
        setting = Setting(SOLVERS[solver], steps)
        (_, through, _), (solution, adjoint, _) = (gradients(setting, adjoint=flag) for flag in (False, True))
        assert solution.nfe == steps * SOLVERS[solver].stages
        gaps.append((through - adjoint).abs().item())
    rates = np.log2(np.array(gaps[:-1]) / gaps[1:])
    assert rates == pytest.approx(SOLVERS[solver].order, abs=0.35)


def test_gradients_of_the_adjoint_are_those_through_an_adaptive_solver_at_a_tight_tolerance():
    (first, through, at_start), (second, adjoint, by_adjoint) = (
        gradients(tolerant("dopri5", 1e-9), adjoint=flag) for flag in (False, True)
    )
    assert isinstance(first, Solution)
    assert torch.equal(first.state, second.state)
    torch.testing.assert_close(through, adjoint, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(at_start, by_adjoint, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("solver", "fineness"), [("euler", 200), ("dopri5", 1e-6)])
def test_training_with_the_adjoint_goes_nearly_the_same_way(solver, fineness, data):
    through, adjoint = (
        trained(data, solver, fineness, gradient=way, learning_rate=1e-3) for way in ("backpropagation", "adjoint")
    )
    losses = [[row["loss"] for row in training.history] for training in (through, adjoint)]
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)
    assert losses[1] != losses[0]
