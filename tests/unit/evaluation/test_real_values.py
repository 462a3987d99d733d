"""Models of real values: their error takes the place of the accuracy everywhere."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from defined import classifier_of, evaluated, written_table
from hypothesis import given
from hypothesis import strategies as st
from runs import gave_up, run, with_flow

from solverproof.evaluation.critical import critical_steps
from solverproof.evaluation.rows import Evaluation
from solverproof.evaluation.scores import lost
from solverproof.evaluation.validity import drops
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.reporting.specifications import TablesSpec
from solverproof.reporting.tables import tabulate

THRESHOLD = 0.1


def of_values(rows):
    """Rows in which what was given as accuracy is the error."""
    return [
        row
        | {"accuracy": math.nan, "accuracy_paired": math.nan}
        | {"error": row["accuracy"], "error_paired": row["accuracy_paired"]}
        for row in rows
    ]


def drops_of(rows, threshold=THRESHOLD):
    table = drops(pd.DataFrame(of_values(rows)), 1.0, error_threshold=threshold)
    return table.to_dict("records")


def test_the_drop_is_the_relative_increase_of_the_error_under_the_worst_finer_test():
    (result,) = drops_of(
        run({("euler", 8): 0.2, ("euler", 16): 0.25, ("euler", 32): 0.3, ("euler", 4): 9.0})
    )
    assert result["drop"] == pytest.approx(0.5)
    assert (result["error"], result["worst_error"], result["worst_steps"]) == (0.2, 0.3, 32)
    assert math.isnan(result["accuracy"])
    assert not result["valid"]


def test_the_threshold_of_errors_is_their_own():
    rows = run({("euler", 8): 0.2, ("euler", 16): 0.23})
    assert [drops_of(rows, threshold)[0]["valid"] for threshold in (0.1, 0.16)] == [False, True]


def test_a_model_that_is_better_under_finer_tests_has_no_drop():
    (result,) = drops_of(run({("euler", 8): 0.3, ("euler", 16): 0.2}))
    assert (result["drop"], result["valid"]) == (0, True)


@pytest.mark.parametrize("lose", [lambda rows: gave_up(rows, ("euler", 16)), lambda rows: [
    row | ({"accuracy": math.inf} if row["test_steps"] == 16 else {}) for row in rows
]], ids=["the solver gave up", "an output is not finite"])  # fmt: skip
def test_a_model_without_predictions_under_a_finer_test_loses_infinitely_much(lose):
    (result,) = drops_of(lose(run({("euler", 8): 0.2, ("euler", 16): 0.2})))
    assert (result["drop"], result["worst_error"], result["valid"]) == (math.inf, math.inf, False)


def test_the_flow_has_an_error_and_an_increase_of_its_own():
    (result,) = drops_of(with_flow(run({("euler", 8): 0.2, ("euler", 16): 0.2}), 0.3))
    assert result["error_reference"] == 0.3
    assert result["drop_reference"] == pytest.approx(0.5)


def test_a_model_no_better_than_halfway_to_the_mean_of_the_targets_has_not_trained():
    runs = (run({("euler", 8): error}, seed=s) for s, error in enumerate((0.2, 0.2, 0.7)))
    found = drops_of([row for rows in runs for row in rows])
    assert [r["status"] for r in found] == ["ok", "ok", "untrained"]
    assert [r["valid"] for r in found] == [True, True, False]
    assert found[2]["reason"].startswith("error above 0.683, halfway")


@given(st.floats(0.01, 10), st.floats(0.01, 10), st.floats(1.01, 3))
def test_a_relative_increase_does_not_depend_on_the_unit_of_the_targets(own, other, unit):
    assert lost(unit * own, unit * other, "error") == pytest.approx(lost(own, other, "error"))


def test_an_error_of_zero_that_stays_is_no_loss_and_one_that_does_not_is_infinite():
    assert (lost(0.0, 0.0, "error"), lost(0.0, 0.1, "error")) == (0.0, math.inf)


def study(errors):
    """Rows of one seed for each error at half the step: seed -> {steps: error}."""
    return [
        row
        for seed, by_steps in errors.items()
        for steps, error in by_steps.items()
        for row in with_flow(
            run({("euler", steps): 0.2, ("euler", 2 * steps): error}, steps=steps, seed=seed), error
        )
    ]


ERRORS = {seed: {4: 0.4 + seed / 100, 8: 0.21, 16: 0.2} for seed in range(3)}


def test_the_critical_step_is_found_by_errors_as_by_accuracies():
    table = drops(pd.DataFrame(of_values(study(ERRORS))), 1.0, error_threshold=THRESHOLD)
    found = critical_steps(table, 1.0, error_threshold=THRESHOLD).set_index("measure")
    assert list(found.index) == ["drop", "drop_reference"]  # values have no predictions to differ
    row = found.loc["drop"]
    assert (row["invalid_steps"], row["valid_steps"]) == (4, 8)
    assert 4 < row["critical_steps"] < 8
    assert row["error_mean"] == pytest.approx(0.2)
    assert row["error_reference_mean"] == pytest.approx(0.21)
    assert math.isnan(row["accuracy_mean"])


def test_the_readable_table_tells_errors_as_such(tmp_path):
    rows = of_values(study(ERRORS))
    written_table(tmp_path / "cell.csv", Evaluation, rows)
    tabulate(TablesSpec(1.0, THRESHOLD, {}), [tmp_path / "cell.csv"], tmp_path)
    text = (tmp_path / "critical_steps.md").read_text(encoding="utf-8")
    assert "error 0.210" in text
    assert "error 0.200" in text
    assert "nan" not in text


MODEL = {"network": {"family": "mlp", "widths": [6]}, "outputs": 2}


def spec_of(solvers, ratios):
    chosen = {"task": "toy", "seeds": [3, 4], "solvers": solvers, "ratios": ratios}
    return {**chosen, "model": MODEL}


def rows_of(train, solvers, ratios, *, reference=False):
    torch.manual_seed(0)
    data = {
        "test_x": torch.randn(30, 1, 3).numpy(),
        "test_y": np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32),
    }
    parameters = classifier_of(MODEL, (1, 3)).initial([3, 4])
    run_of = {"setting": train.to_json(), "failures": {}}
    spec = spec_of(solvers, ratios)
    return evaluated(spec, data, parameters, run_of, reference=reference)


def test_an_evaluation_of_real_values_has_errors_and_squared_losses_and_no_accuracy():
    rows = rows_of(Setting.of(SOLVERS["euler"], 4), ["euler", "rk4"], [1, 0.01])
    assert all(math.isnan(row["accuracy"]) for row in rows)
    assert all(row["loss"] == pytest.approx(row["error"] ** 2, rel=1e-5) for row in rows)
    assert all(row["error_paired"] == row["error"] for row in rows)
    assert all(math.isnan(row["disagreement"]) for row in rows)
    flows = rows_of(Setting.of(SOLVERS["euler"], 4), ["euler"], [1], reference=True)
    assert [row["status"] for row in flows] == ["ok", "ok"]
    finest = [row for row in rows if (row["test_solver"], row["test_steps"]) == ("rk4", 400)]
    for row, flow in zip(finest, flows, strict=True):
        assert row["error"] == pytest.approx(flow["error"], rel=1e-5)


def test_samples_solved_alone_have_an_error_of_their_own_and_no_changed_predictions():
    rows = rows_of(Setting.of(SOLVERS["dopri5"], 1e-2), ["dopri5"], [1])
    alone = [row for row in rows if row["control"] == "sample"]
    assert len(alone) == 2
    assert all(row["error"] > 0 and math.isnan(row["changed_alone"]) for row in alone)
