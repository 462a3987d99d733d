"""The flow of a model against flows that are known, and against scipy."""

import math
import re

import numpy as np
import pytest
import torch
from defined import classifier_of, evaluated
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solverproof.auditing.reference import margins, reference, resolve
from solverproof.models.ends import LinearHead, Zeros
from solverproof.models.neural_ode import NeuralODE, stack
from solverproof.ode import integration, sample_control
from solverproof.ode.integration import Solution
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.user_code import guarded

MODEL = {"network": {"family": "mlp", "widths": [6]}, "outputs": 3}
EULER = Setting(SOLVERS["euler"], steps=4)


class Linear:
    """The field f(z) = A z on the plane, whose flow is the matrix exponential; no parameters."""

    autonomous = True

    def __init__(self, matrix):
        self.matrix = torch.tensor(matrix, dtype=torch.float64)

    def initial(self, generator):
        del generator
        return {}

    def pack(self, x):
        return x

    def unpack(self, state):
        return state

    def bind(self, parameters):
        del parameters
        return lambda _, z: z @ self.matrix.T.to(z.dtype)


def linear(matrix, horizon=1.0):
    shape = (1, 2)
    model = NeuralODE(Zeros(0), Linear(matrix), LinearHead(shape, 2), shape, horizon)
    return model, {"head.weight": torch.eye(2).unsqueeze(0), "head.bias": torch.zeros(1, 2)}


def states(model, parameters, x, setting=EULER):
    return model(parameters, x.unsqueeze(0), setting).state[0]


@pytest.fixture
def x():
    return torch.randn(40, 1, 2)


@pytest.mark.parametrize(
    "matrix", [[[0.0, -3.0], [3.0, 0.0]], [[1.5, 0.0], [0.0, -2.0]], [[0.0, 1.0], [0.0, 0.0]]]
)
def test_the_reference_of_a_linear_field_is_its_matrix_exponential(matrix, x):
    model, parameters = linear(matrix)
    found = reference(model, parameters, x, states(model, parameters, x))
    expected = x.double() @ torch.linalg.matrix_exp(model.field.matrix).T
    assert (found.status, found.reason) == ("ok", None)
    errors = (found.state - expected).flatten(1).norm(dim=1)
    needed = 0.01 * (states(model, parameters, x).double() - expected).flatten(1).norm(dim=1)
    assert (errors <= needed).double().mean() >= 0.99
    torch.testing.assert_close(found.outputs, found.state[:, 0])


def test_a_field_that_depends_on_the_time_has_the_same_reference(x, monkeypatch):
    model, parameters = linear([[0.0, -3.0], [3.0, 0.0]])
    alone = reference(model, parameters, x, states(model, parameters, x))
    monkeypatch.setattr(Linear, "autonomous", False)
    together = reference(model, parameters, x, states(model, parameters, x))
    torch.testing.assert_close(alone.state, together.state)
    assert (together.status, alone.status) == ("ok", "ok")


def test_the_distance_of_both_solvers_is_an_honest_estimate_of_the_error(x):
    model, parameters = linear([[0.5, -4.0], [4.0, 0.5]])
    found = reference(model, parameters, x, states(model, parameters, x))
    expected = x.double() @ torch.linalg.matrix_exp(model.field.matrix).T
    errors = (found.state - expected).flatten(1).norm(dim=1)
    assert (errors <= found.distance).double().mean() > 0.95


def test_the_reference_of_a_network_is_that_of_scipy(x):
    model = classifier_of(MODEL, (1, 2))
    parameters = model.initial([3])
    found = reference(model, parameters, x, states(model, parameters, x))
    double = {name: p.double() for name, p in parameters.items()}
    field = model.vector_field(double)

    def slope(_, z):
        state = model.field.pack(torch.from_numpy(z).view(1, 1, 1, 2))
        return model.field.unpack(field(torch.zeros(()), state)).flatten().numpy()

    for i in range(5):
        start = x[i].double().flatten().numpy()
        end = solve_ivp(slope, (0, 1), start, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        np.testing.assert_allclose(found.state[i].flatten(), end, rtol=1e-4, atol=1e-5)


def test_a_finer_training_setting_gets_a_finer_reference(x):
    model = classifier_of(MODEL, (1, 2))
    parameters = model.initial([3])
    coarse, fine = (
        reference(model, parameters, x, states(model, parameters, x, Setting(SOLVERS["rk4"], n)))
        for n in (1, 16)
    )
    assert coarse.status == fine.status == "ok"
    assert fine.distance.median() <= coarse.distance.median()
    assert fine.nfe >= coarse.nfe


@pytest.mark.parametrize("autonomous", [True, False])
def test_a_flow_that_blows_up_is_unresolved_and_says_why(x, monkeypatch, autonomous):
    monkeypatch.setattr(integration, "MOST_EVALUATIONS", 60)
    monkeypatch.setattr(sample_control, "MOST_EVALUATIONS", 60)
    monkeypatch.setattr(Linear, "autonomous", autonomous)
    model, parameters = linear([[0.0, -30.0], [30.0, 0.0]])
    found = reference(model, parameters, x, states(model, parameters, x))
    assert found.status == "unresolved"
    gave_up, *_, evaluations = found.reason.split(", ")
    assert gave_up == "Dopri 5 at 1.0e-05 gave up on 100.0% of the samples"
    assert re.fullmatch(r"after (at most )?\d+ evaluations", evaluations)


def test_solvers_that_never_agree_leave_the_flow_unresolved(x, monkeypatch):
    monkeypatch.setattr("solverproof.auditing.reference.REFINEMENTS", 1)
    model, parameters = linear([[0.0, -300.0], [300.0, 0.0]])
    found = reference(model, parameters, x, states(model, parameters, x))
    assert found.status == "unresolved"
    assert found.reason.startswith("128 steps of RK4 and Dopri 5 disagree on 100.0% of the")


@pytest.mark.parametrize("end", [math.nan, -math.inf, 1e30])
@pytest.mark.parametrize("classes", [True, False])
def test_a_setting_that_diverged_has_a_reference_as_close_as_any(x, end, classes):
    model, parameters = linear([[0.0, -60.0], [60.0, 0.0]])
    measured = states(model, parameters, x)
    measured[::2] = end
    found = reference(model, parameters, x, measured, classes=classes)
    expected = x.double() @ torch.linalg.matrix_exp(model.field.matrix).T
    errors = (found.state - expected).flatten(1).norm(dim=1)
    assert found.status == "ok"
    assert (errors <= 0.01 * expected.flatten(1).norm(dim=1)).all()


@pytest.mark.parametrize(
    ("far", "doubtful", "levels"),
    [
        (1, True, [200, 1, 1]),
        (1, False, [200]),
        (20, True, [200, 20]),
        (20, False, [200, 20]),
    ],
)
def test_only_samples_that_are_not_resolved_are_refined(far, doubtful, levels):
    # errors of RK4 fall with the fourth power of the step size; those of some samples are large
    coefficient = torch.ones(200, 1, dtype=torch.float64)
    coefficient[7 : 7 + far] = 4e3 if far == 1 else 50.0
    flow, asked = torch.randn(200, 1, dtype=torch.float64), []

    def equal(setting, chosen):
        asked.append((setting.steps, chosen.nonzero().flatten().tolist()))
        return Solution((flow + coefficient / setting.steps**4)[chosen], 0, setting.steps)

    def adaptive(_, chosen, ours):
        assert len(ours) == int(chosen.sum())
        return Solution(flow[chosen], 0, 0)

    def sure(ours, theirs, _):
        return (theirs - ours).abs()[:, 0] <= (1e-6 if doubtful else 1.0)

    found = resolve(equal, adaptive, lambda z: z, flow + 1e-4, sure)
    assert found.status == "ok"
    assert [steps for steps, _ in asked] == [64, 128, 256][: len(levels)]
    assert [len(chosen) for _, chosen in asked] == levels
    refined = len(levels) > 1
    assert found.resolved.tolist() == [not 7 <= i < 7 + far or refined for i in range(200)]
    steps = torch.full((200, 1), 64.0, dtype=torch.float64)
    steps[7 : 7 + far] = asked[-1][0]
    torch.testing.assert_close(found.state, flow + coefficient / steps**4, rtol=0, atol=1e-15)


def test_samples_that_are_lost_when_refined_are_told_as_a_share_of_all():
    flow = torch.randn(200, 1, dtype=torch.float64)
    apart = (torch.arange(200) < 20).double().unsqueeze(1)

    def equal(setting, chosen):
        return Solution(flow[chosen], 0, setting.steps)

    def adaptive(setting, chosen, _):
        given_up = setting.value < 1e-5  # only those that were apart before are solved again
        return Solution((flow + apart)[chosen] + (math.nan if given_up else 0.0), 8, 0)

    found = resolve(equal, adaptive, lambda z: z, flow + 1e-4, lambda ours, *_: ours[:, 0] < 9)
    assert found.status == "unresolved"
    assert "gave up on 10.0% of the samples" in found.reason


def test_what_a_looser_tolerance_made_is_kept_where_a_tighter_one_gives_up():
    flow = torch.randn(200, 1, dtype=torch.float64)

    def equal(setting, chosen):
        return Solution(flow[chosen], 0, setting.steps)

    def adaptive(setting, chosen, _):
        return Solution(flow[chosen] + (math.nan if setting.value < 1e-5 else 1e-5), 8, 0)

    found = resolve(equal, adaptive, lambda z: z, flow + 1e-4, lambda *_: flow[:, 0] < 99)
    assert found.status == "unresolved"
    assert found.decided.all()
    torch.testing.assert_close(found.distance, torch.full((200,), 1e-5).double())


def test_rk4_that_begins_finer_is_solved_once_while_the_tolerance_comes_up_to_it():
    flow, asked = torch.randn(200, 1, dtype=torch.float64), []

    def equal(setting, chosen):
        asked.append(setting.steps)
        return Solution(flow[chosen], 0, setting.steps)

    def adaptive(setting, chosen, _):
        asked.append(setting.value)
        return Solution(flow[chosen] + setting.value, 8, 0)

    found = resolve(equal, adaptive, lambda z: z, flow + 1e-7, lambda *_: flow[:, 0] < 99, level=2)
    assert found.status == "ok"
    assert asked == [256, *(1e-5 / 8**k for k in range(3)), 512, 1e-5 / 8**3, 1024, 1e-5 / 8**4]


@pytest.mark.parametrize("autonomous", [True, False])
def test_a_flow_is_the_same_however_many_samples_are_solved_at_once(x, monkeypatch, autonomous):
    monkeypatch.setattr(Linear, "autonomous", autonomous)
    model, parameters = linear([[0.0, -3.0], [3.0, 0.0]])
    together = reference(model, parameters, x, states(model, parameters, x))
    sizes, bind = set(), model.field.bind

    def watched(parameters):
        field = bind(parameters)
        return lambda t, z: sizes.add(z.shape[1]) or field(t, z)

    model.field.bind = watched
    measured = states(model, parameters, x)
    sizes.clear()
    monkeypatch.setattr("solverproof.auditing.reference.IN_CACHE", 6)
    parts = reference(model, parameters, x, measured)
    assert max(sizes) == 3
    torch.testing.assert_close(parts.state, together.state)
    assert torch.equal(parts.resolved, together.resolved)


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_no_move_within_the_margin_changes_a_prediction_and_one_just_beyond_does(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(1, classes, 3, generator=generator, dtype=torch.float64)
    state = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    logits = state @ weight[0].T
    margin = margins(weight[0], logits)
    moves = torch.nn.functional.normalize(
        torch.randn(20, 3, generator=generator, dtype=torch.float64), dim=1
    )
    inside = (state + 0.999 * margin.unsqueeze(1) * moves) @ weight[0].T
    assert torch.equal(inside.argmax(1), logits.argmax(1))
    best = logits.argmax(1)
    apart = weight[0][best].unsqueeze(1) - weight[0]
    reach = (logits.gather(1, best.unsqueeze(1)) - logits) / apart.norm(dim=2).clamp(min=1e-300)
    nearest = reach.scatter(1, best.unsqueeze(1), math.inf).argmin(1)
    toward = -torch.nn.functional.normalize(apart[torch.arange(20), nearest], dim=1)
    beyond = (state + (1.001 * margin.unsqueeze(1) + 1e-12) * toward) @ weight[0].T
    assert (beyond.argmax(1) != best).all()


def test_classes_with_equal_rows_never_change_places():
    weight = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert margins(weight[0], torch.tensor([[2.0, 1.0]])).tolist() == [math.inf]


@pytest.mark.parametrize("classes", [2, 25, 26, 100])
def test_a_head_of_many_classes_has_margins_above_zero(classes):
    weight = torch.randn(1, classes, 8, dtype=torch.float64)
    logits = torch.randn(60, 8, dtype=torch.float64) @ weight[0].T
    assert (margins(weight[0], logits) > 0).all()


def test_a_field_that_does_not_work_in_float64_is_unresolved_and_says_why(x):
    model, parameters = linear([[0.0, 1.0], [0.0, 0.0]])
    single = torch.eye(2)

    def single_precision(_, z):
        with guarded("my_fields:Single"):
            return z @ single

    model.field.bind = lambda _: single_precision
    found = reference(model, parameters, x, torch.zeros_like(x))
    assert (found.status, found.nfe) == ("unresolved", 0)
    why = "not computed in float64: my_fields:Single: RuntimeError: expected"
    assert found.reason.startswith(why)


def spec_of(solvers, ratios):
    return {
        "task": "toy",
        "model": MODEL,
        "seeds": [3, 4],
        "solvers": solvers,
        "ratios": ratios,
    }


def test_every_trained_model_gets_a_reference_and_every_test_its_distance_from_it(x):
    model = classifier_of(MODEL, (1, 2))
    parameters = stack([{n: p[0] for n, p in model.initial([s]).items()} for s in (3, 4)])
    data = {"test_x": x.numpy(), "test_y": np.arange(40) % 3}
    failed = {"4": {"status": "diverged", "reason": "loss not finite at iteration 9"}}
    run = {"setting": {"solver": "euler", "steps": 2}, "failures": failed}
    spec = spec_of(["euler", "rk4"], [1, 0.25, 0.01])
    (flow,) = evaluated(spec, data, parameters, run, reference=True)
    assert (flow["seed"], flow["status"], flow["train_steps"]) == (3, "ok", 2)
    assert 0 <= flow["accuracy"] <= 1
    rows = evaluated(spec, data, parameters, run)
    assert all(math.isnan(row["state_error"]) for row in rows if row["seed"] == 4)
    own = {(r["test_solver"], r["test_steps"]): r for r in rows if r["seed"] == 3}
    errors = [own["euler", n]["state_error"] for n in (2, 8, 200)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert own["rk4", 200]["state_error"] < errors[2]
    assert own["rk4", 200]["disagreement"] == 0
    assert own["rk4", 200]["accuracy"] == flow["accuracy"]
    assert own["euler", 2]["disagreement"] >= own["euler", 200]["disagreement"]


def test_outputs_that_are_not_finite_disagree_with_the_flow(x):
    model = classifier_of(MODEL, (1, 2))
    parameters = model.initial([3])
    data = {"test_x": x.repeat(5, 1, 1).numpy(), "test_y": np.arange(200) % 3}
    run = {"setting": {"solver": "rk4", "steps": 64}, "failures": {}}
    spec = {**spec_of(["rk4"], [1]), "seeds": [3]}
    (healthy,) = evaluated(spec, data, parameters, run)
    data["test_x"][0] = 1e38  # overflows in float32, and not in float64
    (row,) = evaluated(spec, data, parameters, run)
    assert (row["status"], healthy["status"]) == ("nonfinite", "ok")
    assert row["disagreement"] == healthy["disagreement"] + 1 / 200
