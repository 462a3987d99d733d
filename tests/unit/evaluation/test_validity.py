import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import gave_up, run, with_errors, with_flow

from solverproof.evaluation.validity import RUN, drops

shares = st.integers(0, 100).map(lambda percent: percent / 100)


def drop_of(tests, threshold=0.1, **train):
    (result,) = drops(pd.DataFrame(run(tests, **train)), threshold).to_dict("records")
    return result


def test_the_drop_is_the_loss_of_accuracy_under_the_worst_finer_test():
    result = drop_of(
        {("euler", 8): 0.95, ("euler", 16): 0.75, ("euler", 32): 0.5, ("euler", 64): 0.625}
    )
    assert result["drop"] == pytest.approx(0.45)
    assert (result["accuracy"], result["worst_accuracy"]) == (0.95, 0.5)
    assert (result["worst_solver"], result["worst_steps"]) == ("euler", 32)
    assert (result["valid"], result["status"]) == (False, "ok")


def test_a_model_that_is_better_under_finer_tests_has_no_drop():
    result = drop_of({("euler", 8): 0.75, ("euler", 16): 0.95})
    assert (result["drop"], result["valid"], result["worst_steps"]) == (0, True, 8)


def test_a_coarser_test_is_not_counted():
    assert drop_of({("euler", 8): 0.95, ("euler", 7): 0.0, ("euler", 4): 0.0})["drop"] == 0


def test_a_solver_of_higher_order_is_counted_at_the_same_step_and_not_at_a_coarser_one():
    coarser = {("euler", 8): 0.95, ("midpoint", 7): 0.0, ("rk4", 4): 0.0}
    assert drop_of(coarser)["drop"] == 0
    result = drop_of({**coarser, ("midpoint", 8): 0.75, ("rk4", 8): 0.875})
    assert result["drop"] == pytest.approx(0.2)
    assert (result["worst_solver"], result["worst_steps"]) == ("midpoint", 8)


@pytest.mark.parametrize("test", [("euler", 64), ("heun2", 64), ("midpoint", 8)])
def test_a_solver_of_lower_or_equal_order_is_not_counted_however_fine(test):
    train = "rk4" if test[0] != "heun2" else "midpoint"
    assert drop_of({(train, 8): 0.95, test: 0.0}, solver=train)["drop"] == 0


@pytest.mark.parametrize(
    ("threshold", "valid"), [(0.25, True), (0.2499, False), (0.0, False), (1.0, True)]
)
def test_a_drop_of_exactly_the_threshold_is_valid(threshold, valid):
    assert drop_of({("euler", 8): 0.75, ("euler", 16): 0.5}, threshold)["valid"] == valid


@pytest.mark.parametrize("accuracy", [0.15, 0.4, 0.55, 0.6, 0.95, 0.978, 1.0])
def test_a_drop_of_ten_points_is_valid_whatever_its_binary_rounding(accuracy):
    finer = round(accuracy - 0.1, 3)
    assert drop_of({("euler", 8): accuracy, ("euler", 16): finer}, threshold=0.1)["valid"]


def test_a_failed_run_that_comes_first_does_not_change_the_columns():
    failed, trained = run({("euler", 4): 0.5}, steps=4, status="diverged"), run({("euler", 8): 0.5})
    assert list(drops(pd.DataFrame([*failed, *trained]), 0.1)) == list(
        drops(pd.DataFrame(trained), 0.1)
    )


def test_a_run_that_failed_has_no_drop_and_is_not_valid_and_keeps_its_reason():
    table = pd.DataFrame(
        [*run({("euler", 8): 0.5}, status="diverged"), *run({("euler", 8): 0.75}, seed=1)]
    )
    failed, trained = drops(table, 0.1).to_dict("records")
    assert (failed["valid"], failed["status"], failed["reason"]) == (
        False,
        "diverged",
        "loss not finite at iteration 3",
    )
    assert math.isnan(failed["drop"])
    assert math.isnan(failed["accuracy"])
    assert (trained["valid"], trained["drop"]) == (True, 0)


def test_a_model_on_which_a_finer_solver_gives_up_loses_all_it_had():
    rows = run({("euler", 8): 0.75, ("euler", 16): 0.75, ("euler", 32): 0.5})
    (result,) = drops(pd.DataFrame(gave_up(rows, ("euler", 16))), 0.1).to_dict("records")
    assert (result["accuracy"], result["worst_accuracy"], result["drop"]) == (0.75, 0.0, 0.75)
    assert (result["worst_solver"], result["worst_steps"]) == ("euler", 16)
    assert (result["valid"], result["status"]) == (False, "budget")
    assert result["reason"] == "more than 40 evaluations"


def test_a_coarser_solver_that_gives_up_costs_nothing():
    rows = run({("euler", 4): 0.75, ("euler", 8): 0.75, ("euler", 16): 0.75})
    (result,) = drops(pd.DataFrame(gave_up(rows, ("euler", 4))), 0.1).to_dict("records")
    assert (result["drop"], result["valid"], result["status"]) == (0.0, True, "ok")


def test_the_flow_of_a_model_has_an_accuracy_a_drop_and_a_disagreement_of_its_own():
    rows = with_errors(run({("euler", 8): 0.75, ("euler", 16): 0.5}), [2.0, 1.0])
    (result,) = drops(pd.DataFrame(with_flow(rows, 0.25)), 0.1).to_dict("records")
    assert (result["accuracy_reference"], result["drop_reference"]) == (0.25, 0.5)
    assert (result["disagreement"], result["reference"]) == (0.25, "ok")
    assert result["drop"] == 0.25  # the flow is no test setting


def test_a_flow_that_is_better_than_the_model_has_a_negative_drop():
    (result,) = drops(pd.DataFrame(with_flow(run({("euler", 8): 0.5}), 0.75)), 0.1).to_dict(
        "records"
    )
    assert (result["drop"], result["drop_reference"]) == (0.0, -0.25)


def test_a_flow_that_is_unresolved_says_why_and_has_no_drop():
    rows = with_flow(run({("euler", 8): 0.5}), math.nan, "unresolved", "Dopri 5 gave up")
    (result,) = drops(pd.DataFrame(rows), 0.1).to_dict("records")
    assert math.isnan(result["drop_reference"])
    assert result["reference"] == "unresolved: Dopri 5 gave up"
    assert (result["valid"], result["status"]) == (True, "ok")


def test_a_finer_solver_that_is_farther_from_the_flow_is_not_counted_and_named():
    tests = {("euler", 2): 0.9, ("rk4", 2): 0.5, ("midpoint", 2): 0.6, ("euler", 4): 0.8}
    rows = with_errors(run(tests, steps=2), [1.0, 1.5, 0.9, 0.5])
    (result,) = drops(pd.DataFrame(rows), 0.1).to_dict("records")
    assert (result["worst_solver"], result["not_finer"]) == ("midpoint", "rk4 2")
    assert result["drop"] == pytest.approx(0.3)


def test_an_adaptive_setting_that_is_not_counted_is_named_by_its_tolerance():
    train = {"train_solver": "fehlberg2", "train_steps": math.nan, "train_tolerance": 0.1}
    rows = [
        row | train | {"test_tolerance": 0.1, "test_steps": 7}
        for row in run({("fehlberg2", 7): 0.9, ("dopri5", 7): 0.4})
    ]
    (result,) = drops(pd.DataFrame(with_errors(rows, [1.0, 2.0])), 0.1).to_dict("records")
    assert (result["not_finer"], result["drop"]) == ("dopri5 0.1", 0.0)


def test_the_worst_accuracy_is_that_of_its_test_to_the_last_digit():
    result = drop_of({("euler", 8): 0.95, ("euler", 16): 0.3})
    assert result["worst_accuracy"] == 0.3


def test_without_a_reference_orders_are_believed():
    tests = {("euler", 2): 0.9, ("rk4", 2): 0.5}
    (result,) = drops(pd.DataFrame(run(tests, steps=2)), 0.1).to_dict("records")
    assert (result["worst_solver"], result["drop"]) == ("rk4", pytest.approx(0.4))
    assert result["not_finer"] is None or math.isnan(result["not_finer"])


CHANCE = {"toy": 0.5}


def with_floor(accuracies, chance=CHANCE, **train):
    """Drops of runs of 8 steps with these accuracies, one per seed, beside a good setting."""
    rows = [*run({("euler", 16): 1.0}, steps=16), *run({("euler", 16): 0.9}, steps=16, seed=1)]
    for seed, accuracy in enumerate(accuracies):
        rows += run({("euler", 8): accuracy, ("euler", 16): accuracy}, seed=seed, **train)
    table = drops(pd.DataFrame(rows), 0.1, chance=chance)
    return table[table["train_steps"] == 8].to_dict("records")


def test_a_run_below_halfway_between_chance_and_the_best_mean_is_untrained_and_not_valid():
    # the best mean is 0.95, so the floor is 0.725
    below, above = with_floor([0.72, 0.73])
    assert (below["status"], below["valid"], below["drop"]) == ("untrained", False, 0.0)
    assert below["reason"] == "accuracy below 0.725, halfway between chance and the best"
    assert (above["status"], above["valid"]) == ("ok", True)
    assert math.isnan(above["reason"])


def test_a_model_at_chance_is_never_valid():
    assert [row["valid"] for row in with_floor([0.5, 0.51, 0.49])] == [False] * 3


def controlled(accuracies, name="adapt"):
    rows = [run({("euler", 4 + s): a}, steps=4 + s, seed=s) for s, a in enumerate(accuracies)]
    return [row | {"controller": name, "adapted": "true"} for (row,) in rows]


def test_without_a_grid_the_floor_is_that_of_the_best_controller():
    rows = [*controlled([0.55, 0.53]), *controlled([0.15, 0.1], "worse")]
    table = drops(pd.DataFrame(rows), 0.1, chance={"toy": 0.1}).to_dict("records")
    found = {(row["controller"], row["seed"]): row["status"] for row in table}
    assert [found["adapt", 0], found["adapt", 1]] == ["ok", "ok"]
    assert [found["worse", 0], found["worse", 1]] == ["untrained", "untrained"]


def test_a_grid_that_failed_leaves_the_floor_to_the_controllers():
    rows = [*run({("euler", 8): 0.5}, status="diverged"), *controlled([0.9, 0.1])]
    table = drops(pd.DataFrame(rows), 0.1, chance={"toy": 0.1}).to_dict("records")
    found = {row["accuracy"]: row["status"] for row in table if row["controller"] == "adapt"}
    assert found == {0.9: "ok", 0.1: "untrained"}


def test_a_task_whose_chance_is_not_given_has_no_floor():
    assert [row["status"] for row in with_floor([0.1], chance={"other": 0.5})] == ["ok"]


def test_a_run_that_failed_stays_failed_whatever_the_floor():
    (row,) = with_floor([0.1], status="diverged")
    assert (row["status"], row["reason"]) == ("diverged", "loss not finite at iteration 3")


def test_outputs_that_are_not_finite_are_a_drop_like_any_other():
    rows = run({("euler", 8): 0.95, ("euler", 16): 0.25})
    rows[1]["status"] = "nonfinite"
    (result,) = drops(pd.DataFrame(rows), 0.1).to_dict("records")
    assert result["drop"] == pytest.approx(0.7)
    assert result["status"] == "ok"


def test_there_is_one_drop_per_run():
    rows = [
        row
        for task in ("toy", "game")
        for solver in ("euler", "rk4")
        for steps in (4, 8)
        for seed in (0, 1, 10)
        for row in run(
            {(solver, steps): 0.5, (solver, 16): 0.25},
            solver=solver,
            steps=steps,
            seed=seed,
            task=task,
        )
    ]
    table = drops(pd.DataFrame(rows), 0.1)
    assert list(table.columns[: len(RUN)]) == RUN
    assert len(table) == len(table.drop_duplicates(RUN)) == 24


finer_tests = st.dictionaries(
    st.tuples(st.sampled_from(["euler", "midpoint", "rk4"]), st.integers(1, 64)), shares, max_size=8
)


@given(finer_tests, shares)
def test_a_drop_is_never_negative_and_never_above_the_accuracy(tests, own):
    result = drop_of({**tests, ("euler", 8): own})
    assert 0 <= result["drop"] <= result["accuracy"] == own


@given(finer_tests, finer_tests, shares)
def test_another_test_never_lowers_the_drop(tests, more, own):
    fewer = {**tests, ("euler", 8): own}
    assert drop_of({**more, **fewer})["drop"] >= drop_of(fewer)["drop"]


@settings(max_examples=50)
@given(finer_tests, shares, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_the_drop(tests, own, random):
    rows = run({**tests, ("euler", 8): own})
    shuffled = random.sample(rows, len(rows))
    first, second = (drops(pd.DataFrame(table), 0.1) for table in (rows, shuffled))
    assert first["drop"].item() == second["drop"].item()
    assert first["valid"].item() == second["valid"].item()


def test_samples_solved_alone_have_an_accuracy_of_their_own_and_no_part_in_the_drop():
    train = {"train_solver": "dopri5", "train_steps": math.nan, "train_tolerance": 0.1}
    rows = [
        {**row, **train, "test_tolerance": tolerance, "control": control, "changed_alone": changed}
        for control, changed, accuracies in (
            ("batch", math.nan, {0.1: 0.9, 0.01: 0.8}),
            ("sample", 0.3, {0.1: 0.6, 0.01: 0.1}),
        )
        for tolerance, accuracy in accuracies.items()
        for row in run({("dopri5", 5): accuracy})
    ]
    (result,) = drops(pd.DataFrame(rows), 0.1).to_dict("records")
    assert (result["accuracy"], result["drop"]) == (0.9, pytest.approx(0.1))
    assert (result["accuracy_alone"], result["changed_alone"]) == (0.6, 0.3)


def test_a_solver_of_equal_steps_has_no_accuracy_alone():
    result = drop_of({("euler", 8): 0.75})
    assert math.isnan(result["accuracy_alone"])
    assert math.isnan(result["changed_alone"])
