import math
import re

import numpy as np
import pytest
import torch
from defined import classifier_of, evaluated
from plain import PlainClassifier
from torch.nn.functional import cross_entropy

from solverproof.auditing.reference import Reference
from solverproof.evaluation import cross_solver as evaluation
from solverproof.evaluation.cross_solver import CHUNK, _distance, _outputs
from solverproof.models.neural_ode import Forward, NeuralODE
from solverproof.models.samples import samples as samples_of
from solverproof.ode.integration import Solution
from solverproof.ode.solvers import SOLVERS, Setting

SEEDS = [3, 4, 5]
TRAIN = Setting(SOLVERS["euler"], steps=4)
RUN = {"setting": TRAIN.to_json(), "failures": {}}
COLUMNS = [
    "task",
    "train_solver",
    "train_steps",
    "train_tolerance",
    "controller",
    "adapted",
    "seed",
    "test_solver",
    "test_steps",
    "test_tolerance",
    "accuracy",
    "error",
    "loss",
    "nfe",
    "status",
    "reason",
    "control",
    "changed_alone",
    "accuracy_paired",
    "error_paired",
    "disagreement",
    "state_error",
]


@pytest.fixture(params=[1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def samples(request):
    return request.param


def spec_of(solvers=("euler", "midpoint", "rk4"), ratios=(2, 1, 0.6)):
    model = {"network": {"family": "conv", "channels": 5}, "outputs": 3, "horizon": 1.0}
    chosen = {"task": "toy", "controller": None, "adapted": False, "seeds": SEEDS, "device": "cpu"}
    return {**chosen, "model": model, "solvers": list(solvers), "ratios": list(ratios)}


TESTS = [(solver, steps) for solver in ("euler", "midpoint", "rk4") for steps in (2, 4, 7)]


def toy(samples, dtype=np.float64):
    """A test set, and a model that is right about half of the time."""
    rng = np.random.default_rng(0)
    data = {
        "test_x": rng.normal(size=(samples, 1, 2)).astype(dtype),
        "test_y": rng.integers(3, size=samples),
    }
    return data, classifier_of(spec_of()["model"], (1, 2)).initial(SEEDS)


def failed(seed, status, reason):
    """What a training wrote in which one seed failed."""
    return {**RUN, "failures": {str(seed): {"status": status, "reason": reason}}}


def of_seed(rows, seed):
    return [row for row in rows if row["seed"] == seed]


@pytest.mark.usefixtures("double_precision")
def test_accuracy_and_loss_equal_those_of_a_direct_computation(samples):
    data, parameters = toy(samples)
    x, y = torch.from_numpy(data["test_x"]), torch.from_numpy(data["test_y"])
    model = classifier_of(spec_of()["model"], (1, 2))
    rows = evaluated(spec_of(), data, parameters, RUN)
    for i, seed in enumerate(SEEDS):
        for (solver, steps), row in zip(TESTS, of_seed(rows, seed), strict=True):
            logits = PlainClassifier(model, parameters, i)(x, solver, steps)
            assert row["accuracy"] == (logits.argmax(1) == y).sum().item() / samples
            assert row["loss"] == pytest.approx(cross_entropy(logits, y).item(), rel=1e-10)


def test_there_is_one_row_per_seed_and_test_setting_with_the_columns_of_the_study():
    rows = evaluated(spec_of(), *toy(20, np.float32), RUN)
    assert [list(row) for row in rows] == [COLUMNS] * len(rows)
    settings = [(row["seed"], row["test_solver"], row["test_steps"]) for row in rows]
    assert sorted(settings) == sorted(
        (seed, solver, steps) for seed in SEEDS for solver, steps in TESTS
    )
    trained = {"train_solver": "euler", "train_steps": 4, "train_tolerance": None}
    constant = {"task": "toy", **trained, "controller": None, "adapted": False}
    assert all(constant.items() <= row.items() for row in rows)
    assert {(row["test_tolerance"], row["status"], row["reason"]) for row in rows} == {
        (None, "ok", None)
    }


def test_the_number_of_evaluations_is_that_of_one_forward_pass_whatever_the_chunks(samples):
    for row in evaluated(spec_of(), *toy(samples, np.float32), RUN):
        assert row["nfe"] == row["test_steps"] * SOLVERS[row["test_solver"]].stages


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("chunk", [1, 7, 59, 60, 61])
def test_the_size_of_the_chunks_changes_no_result(chunk, monkeypatch):
    data, parameters = toy(60)
    whole = evaluated(spec_of(), data, parameters, RUN)
    monkeypatch.setattr(evaluation, "CHUNK", chunk)
    for row, expected in zip(evaluated(spec_of(), data, parameters, RUN), whole, strict=True):
        assert row["accuracy"] == expected["accuracy"]
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-12)


def test_a_seed_that_failed_in_training_has_a_status_and_a_reason_and_no_accuracy():
    data, parameters = toy(20, np.float32)
    healthy = evaluated(spec_of(), data, parameters, RUN)
    ruined = {name: torch.stack([p[0], p[1] * math.nan, p[2]]) for name, p in parameters.items()}
    rows = evaluated(
        spec_of(), data, ruined, failed(4, "diverged", "loss not finite at iteration 9")
    )
    for row in of_seed(rows, 4):
        assert (row["status"], row["reason"]) == ("diverged", "loss not finite at iteration 9")
        assert math.isnan(row["accuracy"])
        assert math.isnan(row["loss"])
        assert row["nfe"] == row["test_steps"] * SOLVERS[row["test_solver"]].stages
    for seed in (3, 5):
        assert of_seed(rows, seed) == of_seed(healthy, seed)


def test_outputs_that_are_not_finite_count_as_wrong_whatever_their_label():
    data, parameters = toy(20, np.float32)
    finite = evaluated(spec_of(), {name: part[2:] for name, part in data.items()}, parameters, RUN)
    data["test_x"][0], data["test_x"][1] = np.inf, np.nan
    for label in range(3):
        data["test_y"][:2] = label
        for row, others in zip(evaluated(spec_of(), data, parameters, RUN), finite, strict=True):
            assert row["accuracy"] == round(others["accuracy"] * 18) / 20
            assert (row["status"], row["reason"]) == (
                "nonfinite",
                "2 outputs not finite, counted as wrong",
            )


def test_only_the_seeds_whose_outputs_are_not_finite_have_that_status():
    data, parameters = toy(20, np.float32)
    parameters["head.bias"][1, 2] = math.inf
    rows = evaluated(spec_of(), data, parameters, RUN)
    assert {(row["seed"], row["status"]) for row in rows} == {
        (3, "ok"),
        (4, "nonfinite"),
        (5, "ok"),
    }
    assert {row["accuracy"] for row in of_seed(rows, 4)} == {0.0}


def test_states_that_are_infinite_and_that_are_no_numbers_are_equally_far_from_the_flow():
    data, parameters = toy(20, np.float32)
    outputs = _outputs(
        classifier_of(spec_of()["model"], (1, 2)),
        parameters,
        samples_of(data, "test", torch.device("cpu")),
        TRAIN,
    )
    flow = Reference(
        outputs.state[0].double(),
        outputs.outputs[0].double(),
        torch.zeros(20),
        torch.ones(20, dtype=torch.bool),
        1,
    )
    labels, errors = torch.from_numpy(data["test_y"]), []
    for value in (math.inf, math.nan):
        outputs.state[0] = value
        errors.append(_distance(outputs, 0, flow, labels)["state_error"])
    assert errors == [math.inf, math.inf]


def test_evaluating_leaves_data_and_parameters_unchanged():
    data, parameters = toy(20, np.float32)
    x, before = data["test_x"].copy(), {name: p.clone() for name, p in parameters.items()}
    evaluated(spec_of(), data, parameters, RUN)
    np.testing.assert_array_equal(data["test_x"], x)
    assert all(torch.equal(p, before[name]) for name, p in parameters.items())


@pytest.mark.parametrize("wrong", [{"steps": 5, "nfe": 4}, {"steps": 4, "nfe": 5}])
def test_a_solver_that_takes_other_steps_than_asked_for_is_never_reported_as_if_it_had(
    wrong, monkeypatch
):
    def lying(*_, **__):
        return Forward(
            torch.zeros(3, 20, 3),
            torch.zeros(3, 20, 1, 2),
            [Solution(torch.zeros(()), **wrong)] * 3,
        )

    monkeypatch.setattr(NeuralODE, "__call__", lying)
    with pytest.raises(
        AssertionError, match=re.escape(f"({wrong['steps']}, {wrong['nfe']}), not (4, 4)")
    ):
        evaluated(spec_of(["euler"], [1]), *toy(20, np.float32), RUN)
