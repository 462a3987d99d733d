"""Adaptive solvers and the adjoint method."""

import math

import numpy as np
import pytest
import torch
from defined import autonomous, classifier_of, evaluated
from defined import trained as train
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solverproof.datasets.spheres import spheres
from solverproof.models.neural_ode import NeuralODE
from solverproof.ode import integration
from solverproof.ode.integration import Solution, SolverError, solve
from solverproof.ode.solvers import METHODS, SOLVERS, Setting
from solverproof.training.loop import Failure

ADAPTIVE = sorted(name for name in METHODS if name in SOLVERS and SOLVERS[name].is_adaptive)
every_adaptive = pytest.mark.parametrize("solver", ADAPTIVE)
START = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=torch.float64)
MODEL = {"network": {"family": "conv", "channels": 6}, "outputs": 2, "horizon": 1.0}
SEEDS = [0, 1, 2]


def bent(state):
    return (
        torch.tanh(state @ torch.tensor([[0.4, -1.1], [0.9, 0.2]], dtype=state.dtype))
        - 0.2 * state**2
    )


def exact(horizon):
    def field(_, z):
        return bent(torch.from_numpy(z).view(2, 2)).flatten().numpy()

    end = solve_ivp(
        field, (0, horizon), START.flatten().numpy(), method="DOP853", rtol=1e-13, atol=1e-14
    ).y[:, -1]
    return torch.from_numpy(end).view(2, 2)


def tolerant(solver, tolerance):
    return Setting.of(SOLVERS[solver], tolerance)


@every_adaptive
def test_the_error_is_of_the_size_of_the_tolerance_and_falls_with_it(solver):
    errors = []
    for tolerance in (1e-3, 1e-5, 1e-7):
        end = solve(autonomous(bent), START, tolerant(solver, tolerance), horizon=1.5).state
        errors.append((end - exact(1.5)).abs().max().item())
        # Fehlberg's estimate is a 512th of the difference of two slopes, so its error is that
        # much larger
        assert errors[-1] < (512 if solver == "fehlberg2" else 20) * tolerance
    assert errors[0] > 10 * errors[2]


@every_adaptive
@settings(max_examples=20, deadline=None)
@given(tolerance=st.floats(1e-5, 1e-1), horizon=st.floats(0.1, 3))
def test_every_evaluation_is_counted_and_belongs_to_a_step_or_to_the_start(
    solver, tolerance, horizon
):
    calls = []
    solution = solve(
        lambda _, z: calls.append(1) or bent(z), START, tolerant(solver, tolerance), horizon=horizon
    )
    assert solution.nfe == len(calls)
    assert solution.nfe == 2 + SOLVERS[solver].stages * (solution.steps + solution.rejected)
    assert solution.steps >= 1


@every_adaptive
@pytest.mark.parametrize("horizon", [0.3, 1.0, 2.7])
def test_the_last_step_ends_at_the_horizon(solver, horizon):
    reached = []

    def bent_in_time(state):
        reached.append(state[0, 0].item())
        return torch.cat([torch.ones_like(state[:1]), bent(state[1:])])

    solve(
        autonomous(bent_in_time),
        torch.cat([torch.zeros(1, 2), START]),
        tolerant(solver, 1e-5),
        horizon=horizon,
    )
    assert max(reached) == pytest.approx(horizon, rel=1e-12)


@every_adaptive
def test_a_step_integrates_polynomials_of_degrees_below_the_order_exactly_and_no_others(solver):
    def is_exact(degree):
        def field(state):
            return torch.stack([torch.ones_like(state[0]), (state[0] - 1) ** degree])

        solution = solve(
            autonomous(field),
            torch.ones(2, dtype=torch.float64),
            tolerant(solver, 1e3),
            horizon=1.0,
        )
        assert solution.steps == 1
        return abs(solution.state[1].item() - 1 - 1 / (degree + 1)) < 1e-14

    # the times at which dopri8 looks at the field do for one degree more
    exact = SOLVERS[solver].order + (solver == "dopri8")
    assert [is_exact(degree) for degree in range(exact + 2)] == [True] * exact + [False] * 2


def test_a_field_that_asks_for_it_makes_the_solver_take_steps_back():
    solution = solve(
        lambda _, z: 50 * torch.sin(40 * z), START, tolerant("dopri5", 1e-6), horizon=1.0
    )
    assert solution.rejected > 0


ONES = torch.ones(2, dtype=torch.float64)
NOT_SOLVED = {
    "blow-up": (lambda z: z**2, ONES, 2.0, "underflow"),
    "nan": (lambda z: z * math.nan, ONES, 1.0, "nonfinite"),
    "nan on the way": (lambda z: torch.where(z > 1.5, math.nan, 1.0), ONES, 1.0, "nonfinite"),
    "infinite slope on the way": (
        lambda z: torch.where(z > 1.5, math.inf, 1.0),
        ONES,
        1.0,
        "nonfinite",
    ),
    "infinite start": (torch.neg, ONES * math.inf, 1.0, "nonfinite"),
    "overflow of the state": (
        lambda z: torch.full_like(z, 1e38),
        torch.full((2,), 3e38),
        5.0,
        "nonfinite",
    ),
    "overflow of the slope": (lambda z: 200 * z, torch.ones(2), 1.0, "nonfinite"),
}


@every_adaptive
@pytest.mark.parametrize(
    ("field", "start", "horizon", "status"), NOT_SOLVED.values(), ids=NOT_SOLVED
)
def test_a_solver_that_gives_up_says_why_and_what_it_took(solver, field, start, horizon, status):
    calls = []
    with pytest.raises(SolverError) as caught:
        solve(
            lambda _, z: calls.append(1) or field(z), start, tolerant(solver, 1e-3), horizon=horizon
        )
    failure = caught.value
    assert (failure.status, failure.nfe) == (status, len(calls))
    assert (
        failure.reason
        == {
            "underflow": "step size too small to move on",
            "nonfinite": "state or slope not finite",
        }[status]
    )
    assert (failure.steps, failure.rejected) == (None, None)


@every_adaptive
def test_no_solve_takes_more_evaluations_than_the_budget(solver, monkeypatch):
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 300)
    calls = []
    with pytest.raises(SolverError, match="budget: more than 300 evaluations") as caught:
        solve(
            lambda _, z: calls.append(1) or 1e4 * z.flip(0) * z.sign(),
            ONES,
            tolerant(solver, 1e-3),
            horizon=1.0,
        )
    assert caught.value.nfe == len(calls) == 300


def ruined(parameters, index):
    """The same stack with one seed's parameters not a number."""
    return {
        name: torch.stack([p * math.nan if i == index else p for i, p in enumerate(stack)])
        for name, stack in parameters.items()
    }


@every_adaptive
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_steps_and_bits_of_a_seed_do_not_depend_on_its_neighbours(
    solver, dtype, double_precision
):
    del double_precision
    torch.set_default_dtype(dtype)
    model = classifier_of(MODEL, (1, 2))
    parameters, x = model.initial(SEEDS), torch.randn(3, 8, 1, 2)
    together = model(parameters, x, tolerant(solver, 1e-3))
    beside_nan = model(ruined(parameters, 1), x, tolerant(solver, 1e-3))
    assert isinstance(beside_nan.solutions[1], SolverError)
    assert beside_nan.outputs[1].isnan().all()
    for i in range(3):
        alone = model(
            {name: p[i : i + 1] for name, p in parameters.items()},
            x[i : i + 1],
            tolerant(solver, 1e-3),
        )
        for other in (
            (alone.solutions[0], beside_nan.solutions[i]) if i != 1 else (alone.solutions[0],)
        ):
            mine = together.solutions[i]
            assert (mine.nfe, mine.steps, mine.rejected) == (other.nfe, other.steps, other.rejected)
        assert torch.equal(together.outputs[i], alone.outputs[0])
        if i != 1:
            assert torch.equal(together.outputs[i], beside_nan.outputs[i])


def spec_of(solver, fineness, seeds=SEEDS, **protocol):
    setting = Setting.of(SOLVERS[solver], fineness)
    return {
        "task": "toy",
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
        "device": "cpu",
        "data": {"family": "spheres", "dimension": 2, "train": 60, "test": 20, "seed": 0},
        "setting": setting.to_json(),
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
    assert training.failures == {
        1: Failure("underflow", "step size too small to move on at iteration 4")
    }
    assert max(row["iteration"] for row in training.history if row["seed"] == 1) == 4
    for i in (0, 2):
        for name, p in training.parameters.items():
            assert torch.equal(p[i], healthy.parameters[name][i])


@pytest.fixture
def wild(monkeypatch):
    """The field of the second seed is that of the others, many times over.

    It takes more than 200 evaluations instead of 14.
    """
    initial = NeuralODE.initial

    def of_block(model, streams):
        parameters = initial(model, streams)
        parameters["field.weight1"][1] *= 100
        return parameters

    monkeypatch.setattr(NeuralODE, "initial", of_block)


@pytest.mark.usefixtures("wild")
def test_a_seed_that_has_failed_takes_up_no_more_evaluations(data, monkeypatch):
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 50)
    training = trained(data, "dopri5", 1e-3)
    assert training.failures == {1: Failure("budget", "more than 50 evaluations at iteration 1")}
    assert training.mean_nfe[1] == (50 + 5 * 2) / 6


@pytest.mark.usefixtures("wild")
def test_a_seed_whose_adjoint_equation_is_not_solved_fails_and_the_others_go_on(data, monkeypatch):
    healthy = trained(data, "dopri5", 1e-3, gradient="adjoint")
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 230)
    training = trained(data, "dopri5", 1e-3, gradient="adjoint")
    assert training.failures == {
        1: Failure("nonfinite", "state or slope not finite at iteration 2")
    }
    for i in (0, 2):
        assert all(
            torch.equal(p[i], healthy.parameters[name][i])
            for name, p in training.parameters.items()
        )


def test_a_test_solver_that_gives_up_is_a_row_with_its_status(data, monkeypatch):
    model = classifier_of(MODEL, (1, 2))
    parameters = model.initial(SEEDS)
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 40)
    run = {"setting": {"solver": "dopri5", "tolerance": 0.1}, "failures": {}}
    spec = {
        "task": "toy", "model": MODEL, "controller": None, "adapted": False, "seeds": SEEDS,
        "device": "cpu", "solvers": ["dopri5"], "ratios": [1, 1e-8],
    }  # fmt: skip
    rows = [r for r in evaluated(spec, data, parameters, run) if r["control"] == "batch"]
    own = [row for row in rows if row["test_tolerance"] == 0.1]
    tight = [row for row in rows if row["test_tolerance"] == 1e-9]
    assert {row["status"] for row in own} == {"ok"}
    assert all(row["test_steps"] >= 1 and 0 <= row["accuracy"] <= 1 for row in own)
    assert {(row["status"], row["reason"], row["test_steps"]) for row in tight} == {
        ("budget", "more than 40 evaluations", None)
    }
    assert all(math.isnan(row["accuracy"]) and math.isnan(row["loss"]) for row in tight)


def test_gradients_of_the_adjoint_are_nan_where_the_way_back_blows_up():
    weight = torch.tensor(1e3, dtype=torch.float64, requires_grad=True)
    start = torch.ones(1, dtype=torch.float64)
    solution = solve(
        lambda _, z: -weight * z**3, start, tolerant("dopri5", 1e-3), horizon=1.0, adjoint=[weight]
    )
    assert solution.state.item() == pytest.approx(1 / math.sqrt(2001), rel=0.05)
    solution.state.sum().backward()
    assert weight.grad.isnan()


def gradients(setting, *, adjoint):
    weight, state = (
        torch.tensor(0.7, dtype=torch.float64, requires_grad=True),
        START.clone().requires_grad_(),
    )
    solution = solve(
        lambda _, z: weight * bent(z),
        state,
        setting,
        horizon=1.0,
        adjoint=[weight] if adjoint else None,
    )
    solution.state.square().sum().backward()
    return solution, weight.grad, state.grad


@pytest.mark.parametrize("solver", ["euler", "midpoint", "rk4"])
def test_gradients_of_the_adjoint_converge_to_those_through_the_solver_as_the_step_falls(solver):
    gaps = []
    for steps in (8, 16, 32):
        setting = Setting.of(SOLVERS[solver], steps)
        (_, through, _), (solution, adjoint, _) = (
            gradients(setting, adjoint=flag) for flag in (False, True)
        )
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


@pytest.mark.parametrize(("solver", "fineness"), [("euler", 200), ("dopri5", 1e-4)])
def test_training_with_the_adjoint_goes_nearly_the_same_way(solver, fineness, data):
    through, adjoint = (
        trained(data, solver, fineness, gradient=way, learning_rate=1e-3)
        for way in ("backpropagation", "adjoint")
    )
    losses = [[row["loss"] for row in training.history] for training in (through, adjoint)]
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)
    assert losses[1] != losses[0]


@every_adaptive
def test_a_model_solves_every_sample_alone_as_it_does_in_a_batch_of_one(data, solver):
    model, setting = classifier_of(MODEL, (1, 2)), tolerant(solver, 0.01)
    # in float64: in float32 rounding moves the step sizes, and they the result
    parameters = {name: 2 * p.double() for name, p in model.initial(SEEDS).items()}
    x = torch.from_numpy(data["test_x"][:5]).double().expand(len(SEEDS), 5, 1, 2)
    alone = model.alone(parameters, x, setting)
    singles = [model(parameters, x[:, i : i + 1], setting) for i in range(5)]
    assert torch.allclose(alone.outputs, torch.cat([one.outputs for one in singles], 1), atol=1e-9)
    most = [max(one.solutions[i].nfe for one in singles) for i in range(len(SEEDS))]
    assert [solution.nfe for solution in alone.solutions] == most


def test_a_field_that_depends_on_the_time_is_solved_sample_by_sample(data, monkeypatch):
    model, setting = classifier_of(MODEL, (1, 2)), tolerant("dopri5", 0.01)
    parameters, x = model.initial([0]), torch.from_numpy(data["test_x"][:4]).unsqueeze(0)
    together = model.alone(parameters, x, setting)
    monkeypatch.setattr(type(model.field), "autonomous", False)
    one_by_one = model.alone(parameters, x, setting)
    assert torch.allclose(together.outputs, one_by_one.outputs, atol=1e-5)
    assert [s.nfe for s in together.solutions] == [s.nfe for s in one_by_one.solutions]


def test_an_adaptive_test_has_a_row_in_batch_and_a_row_alone(data):
    model = classifier_of(MODEL, (1, 2))
    parameters = {name: 2 * p for name, p in model.initial(SEEDS).items()}
    spec = {
        "task": "toy", "model": MODEL, "controller": None, "adapted": False, "seeds": SEEDS,
        "device": "cpu", "solvers": ["fehlberg2", "dopri5"], "ratios": [1, 0.1],
    }  # fmt: skip
    run = {"setting": {"solver": "fehlberg2", "tolerance": 0.1}, "failures": {}}
    rows = evaluated(spec, data, parameters, run)
    assert [row["control"] for row in rows[:6]] == ["batch"] * 3 + ["sample"] * 3
    alone = [row for row in rows if row["control"] == "sample"]
    assert len(rows) == 2 * len(alone) == 2 * 2 * 2 * len(SEEDS)
    assert all(0 <= row["changed_alone"] <= 1 for row in alone)
    assert all(math.isnan(row["changed_alone"]) for row in rows if row["control"] == "batch")
    failed = {**run, "failures": {"1": {"status": "diverged", "reason": "loss not finite"}}}
    unknown = [
        math.isnan(row["changed_alone"]) for row in evaluated(spec, data, parameters, failed)[3:6]
    ]
    assert unknown == [False, True, False]
    setting, x = tolerant("dopri5", 0.1), torch.from_numpy(data["test_x"])
    labels = torch.from_numpy(data["test_y"])
    for i, row in enumerate(
        r for r in alone if r["test_solver"] == "dopri5" and r["test_tolerance"] == 0.1
    ):
        own = {name: p[i : i + 1] for name, p in parameters.items()}
        singles = [model(own, z[None, None], setting).outputs[0, 0].argmax() for z in x]
        predicted = torch.stack(singles)
        assert row["accuracy"] == pytest.approx((predicted == labels).double().mean().item())
        together = model(own, x[None], setting).outputs[0].argmax(1)
        share = (predicted != together).double().mean().item()
        assert row["changed_alone"] == pytest.approx(share)
