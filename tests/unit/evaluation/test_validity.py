import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solverproof.evaluation.validity import RUN, bracket, critical_steps, drops

shares = st.integers(0, 100).map(lambda percent: percent / 100)
validities = st.lists(st.booleans(), min_size=1, max_size=8)


def run(tests, solver="euler", steps=8, seed=0, task="toy", status="ok"):
    """Rows of one trained model; `tests` maps (solver, steps) to accuracy."""
    train = {
        "task": task,
        "train_solver": solver,
        "train_steps": steps,
        "train_tolerance": math.nan,
    }
    return [
        {
            **train,
            "controller": math.nan,
            "adapted": "false",
            "seed": seed,
            "test_solver": test_solver,
            "test_steps": test_steps,
            "test_tolerance": math.nan,
            "accuracy": math.nan if status == "diverged" else accuracy,
            "loss": 0.5,
            "nfe": test_steps,
            "accuracy_paired": math.nan if status == "diverged" else accuracy,
            "disagreement": math.nan,
            "state_error": math.nan,
            "status": status,
            "reason": "loss not finite at iteration 3" if status == "diverged" else math.nan,
        }
        for (test_solver, test_steps), accuracy in tests.items()
    ]


def drop_of(tests, threshold=0.1, **train):
    (result,) = drops(pd.DataFrame(run(tests, **train)), threshold).to_dict("records")
    return result


def study(settings_of_seeds, solver="euler", task="toy"):
    """Rows of models with given drops: seed -> {steps: drop, or None for a failed run}."""
    return [
        row
        for seed, settings_of_seed in settings_of_seeds.items()
        for steps, drop in settings_of_seed.items()
        for row in run(
            {(solver, steps): 0.95, (solver, 2 * steps): 0.95 - (drop or 0)},
            solver=solver,
            steps=steps,
            seed=seed,
            task=task,
            status="diverged" if drop is None else "ok",
        )
    ]


def critical_of(settings_of_seeds, threshold=0.1):
    table = pd.DataFrame(study(settings_of_seeds))
    return by_drop(critical_steps(drops(table, threshold), threshold))


def by_drop(critical):
    """The only row of critical steps by the paper's drop."""
    (result,) = critical[critical["measure"] == "drop"].to_dict("records")
    return result


def ends(critical):
    return tuple(
        None if pd.isna(critical[end]) else int(critical[end])
        for end in ("invalid_steps", "valid_steps")
    )


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


@pytest.mark.parametrize("seeds", [1, 2, 3, 5, 7])
def test_a_mean_drop_of_ten_points_is_valid_whatever_its_binary_rounding(seeds):
    assert ends(critical_of({seed: {8: 0.1} for seed in range(seeds)})) == (None, 8)


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


def gave_up(rows, *tests):
    """Rows in which the solver gave up under some tests."""
    failed = {"accuracy": math.nan, "status": "budget", "reason": "more than 40 evaluations"}
    return [
        row | failed if (row["test_solver"], row["test_steps"]) in tests else row for row in rows
    ]


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


def test_seeds_on_which_a_finer_solver_gives_up_decide_the_bracket_with_the_others():
    rows = [row for n in (8, 16) for s in range(3) for row in study({s: {n: 0.0}})]
    lost = [
        failed
        for row in rows
        for failed in gave_up([row], *([("euler", 16)] if row["train_steps"] == 8 else []))
    ]
    # two of three seeds of 8 steps: the mean drop is 2/3 of their accuracy, not that of the third
    spared = [a if a["seed"] == 2 else b for a, b in zip(rows, lost, strict=True)]
    result = by_drop(critical_steps(drops(pd.DataFrame(spared), 0.1), 0.1))
    assert ends(result) == (8, 16)
    assert (result["failed_runs"], result["seeds_never_valid"]) == (0, 0)


def with_flow(rows, accuracy, status="ok", reason=math.nan):
    """Rows of one model with those of its reference."""
    flow = {"test_solver": "reference", "test_steps": math.nan, "accuracy": accuracy}
    return [*rows, rows[0] | flow | {"status": status, "reason": reason}]


def with_errors(rows, errors, disagreement=0.25):
    """Rows of one model at these distances from its reference."""
    return [
        row | {"state_error": error, "disagreement": disagreement}
        for row, error in zip(rows, errors, strict=True)
    ]


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


def test_critical_steps_are_given_by_each_measure():
    rows = []
    for steps, accuracy, disagreement in ((4, 0.5, 0.5), (8, 0.8, 0.3), (16, 0.95, 0.05)):
        own = run({("euler", steps): 0.95, ("euler", 2 * steps): 0.95}, steps=steps)
        rows += with_flow(with_errors(own, [2.0, 1.0], disagreement), accuracy)
    table = critical_steps(drops(pd.DataFrame(rows), 0.16), 0.16).to_dict("records")
    assert {row["measure"]: ends(row) for row in table} == {
        "drop": (None, 4),
        "drop_reference": (4, 8),
        "disagreement": (8, 16),
    }
    assert [row["unresolved_runs"] for row in table] == [0, 0, 0]


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


def test_untrained_runs_are_counted_and_not_averaged():
    rows = [
        *run({("euler", 8): 0.95, ("euler", 16): 0.95}),
        *run({("euler", 8): 0.5, ("euler", 16): 0.1}, seed=1),
    ]
    dropped = drops(pd.DataFrame(rows), 0.1, chance=CHANCE)
    result = by_drop(critical_steps(dropped, 0.1))
    # the best mean is 0.725 and the floor 0.6125: the second seed would have made 8 steps invalid
    assert ends(result) == (None, 8)
    assert (result["untrained_runs"], result["failed_runs"], result["seeds_never_valid"]) == (
        1,
        0,
        1,
    )
    assert result["accuracy_mean"] == 0.95


def test_a_setting_at_which_no_seed_trains_is_not_valid():
    rows = [
        *run({("euler", 8): 0.95, ("euler", 16): 0.95}),
        *run({("euler", 16): 0.5, ("euler", 32): 0.5}, steps=16),
    ]
    dropped = drops(pd.DataFrame(rows), 0.1, chance=CHANCE)
    result = by_drop(critical_steps(dropped, 0.1))
    assert ends(result) == (16, None)


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


@pytest.mark.parametrize(
    ("valid", "expected"),
    [
        ([True, True, True], (None, 2)),
        ([False, False, False], (8, None)),
        ([False, True, True], (2, 4)),
        ([False, False, True], (4, 8)),
        ([True, False, True], (4, 8)),
        ([True, True, False], (8, None)),
    ],
)
def test_the_bracket_ends_where_all_finer_settings_are_valid(valid, expected):
    assert bracket([2, 4, 8], valid) == expected


@given(validities)
def test_from_the_valid_end_on_every_setting_is_valid_and_its_coarser_neighbour_is_not(valid):
    steps = [2**i for i in range(len(valid))]
    below, above = bracket(steps, valid)
    if above is not None:
        assert all(ok for n, ok in zip(steps, valid, strict=True) if n >= above)
    if below is not None:
        assert not valid[steps.index(below)]
    if below is not None and above is not None:
        assert steps.index(above) == steps.index(below) + 1
    assert (below is None) == all(valid)
    assert (above is None) == (not valid[-1])


def test_the_critical_bracket_is_that_of_the_mean_drop_over_seeds():
    result = critical_of({0: {4: 0.3, 8: 0.16, 16: 0.0}, 1: {4: 0.3, 8: 0.02, 16: 0.0}})
    assert ends(result) == (4, 8)
    assert result["accuracy_mean"] == pytest.approx(0.95)
    assert result["accuracy_sd"] == pytest.approx(0.0)


def test_the_seeds_own_brackets_are_told_beside_it():
    result = critical_of(
        {
            0: {4: 0.3, 8: 0.16, 16: 0.0},
            1: {4: 0.3, 8: 0.02, 16: 0.0},
            2: {4: 0, 8: 0, 16: 0},
            3: {4: 1, 8: 0, 16: 0.5},
        }
    )
    assert (result["seeds"], result["seeds_never_valid"], result["failed_runs"]) == (4, 1, 0)
    spread = [result[f"seeds_valid_steps_{name}"] for name in ("min", "median", "max")]
    assert spread == [4, 8, 16]


def test_a_seed_that_failed_counts_as_failed_and_not_in_the_mean():
    result = critical_of({0: {4: 0.3, 8: 0.0}, 1: {4: None, 8: None}, 2: {4: 0.3, 8: None}})
    assert ends(result) == (4, 8)
    assert (result["failed_runs"], result["seeds"], result["seeds_never_valid"]) == (3, 3, 2)
    assert result["accuracy_mean"] == pytest.approx(0.95)


def test_a_setting_at_which_all_seeds_failed_is_not_valid():
    assert ends(critical_of({0: {4: 0.0, 8: 0.0, 16: 0.0}, 1: {4: 0.0, 8: 0.0, 16: 0.0}})) == (
        None,
        4,
    )
    assert ends(critical_of({0: {4: 0.0, 8: None, 16: 0.0}, 1: {4: 0.0, 8: None, 16: 0.0}})) == (
        8,
        16,
    )


def test_a_study_of_failures_alone_has_no_valid_setting():
    result = critical_of({0: {4: None, 8: None}, 1: {4: None, 8: None}})
    assert ends(result) == (8, None)
    assert (result["failed_runs"], result["seeds_never_valid"]) == (4, 2)
    assert pd.isna(result["accuracy_mean"])


def test_the_accuracy_is_that_of_the_coarsest_valid_setting():
    rows = [
        *run({("euler", 4): 0.5, ("euler", 8): 0.0}, steps=4),
        *run({("euler", 8): 0.75}, steps=8, seed=0),
        *run({("euler", 8): 0.25}, steps=8, seed=1),
        *run({("euler", 16): 1.0}, steps=16),
    ]
    result = by_drop(critical_steps(drops(pd.DataFrame(rows), 0.1), 0.1))
    assert ends(result) == (4, 8)
    assert result["accuracy_mean"] == 0.5
    assert result["accuracy_sd"] == pytest.approx(math.sqrt(0.125))


def test_every_task_and_training_solver_has_its_own_bracket():
    rows = [
        row
        for task in ("toy", "game")
        for solver in ("euler", "rk4")
        for row in study(
            {0: {4: 0.0 if task == "toy" else 0.5, 8: 0.5 if solver == "rk4" else 0.0}},
            solver,
            task,
        )
    ]
    table = critical_steps(drops(pd.DataFrame(rows), 0.1), 0.1)
    table = table[table["measure"] == "drop"]
    found = {(row["task"], row["train_solver"]): ends(row) for row in table.to_dict("records")}
    assert found == {
        ("toy", "euler"): (None, 4),
        ("toy", "rk4"): (8, None),
        ("game", "euler"): (4, 8),
        ("game", "rk4"): (8, None),
    }


drops_of_seeds = st.lists(
    st.tuples(
        *[
            st.one_of(st.none(), st.integers(0, 95).map(lambda percent: percent / 100))
            for _ in range(4)
        ]
    ),
    min_size=1,
    max_size=3,
).map(
    lambda seeds: {
        seed: dict(zip((2, 4, 8, 16), values, strict=True)) for seed, values in enumerate(seeds)
    }
)


@settings(max_examples=30)
@given(drops_of_seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_the_critical_steps(seeds, random):
    rows = [*study(seeds), *study({0: {4: 0.0}}, task="trained")]
    tables = [pd.DataFrame(rows), pd.DataFrame(random.sample(rows, len(rows)))]
    first, second = (critical_steps(drops(table, 0.1), 0.1) for table in tables)
    pd.testing.assert_frame_equal(first, second)


@settings(max_examples=30)
@given(drops_of_seeds, shares, shares)
def test_a_larger_threshold_never_gives_a_finer_bracket(seeds, one, two):
    rows = [*study(seeds), *study({0: {4: 0.0}}, task="trained")]
    strict, lenient = (
        critical_steps(drops(pd.DataFrame(rows), threshold), threshold)["valid_steps"].fillna(
            math.inf
        )
        for threshold in sorted((one, two))
    )
    assert (lenient <= strict).all()
