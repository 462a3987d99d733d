"""The table of every way to train, on drops made by hand."""

import math

import pandas as pd
import pytest
from defined import row_of
from scipy import stats

from solverproof.evaluation.validity import Drop
from solverproof.reporting.settings import settings, settings_readable

OK = {"task": "toy", "train_solver": "euler", "status": "ok", "error": math.nan}


def run(seed, accuracy, flow, *, steps=4, **keys):
    lost = accuracy - flow
    return {
        **OK, "seed": seed, "train_steps": steps, "accuracy": accuracy, "accuracy_reference": flow,
        "drop": lost, "disagreement": lost, "valid": lost <= 0.1, **keys,
    }  # fmt: skip


def table(*runs):
    drops = pd.DataFrame([vars(row_of(Drop, **values)) for values in runs])
    numbers = ["accuracy", "accuracy_reference", "error", "error_reference", "drop"]
    numbers += ["disagreement", "accuracy_alone", "changed_alone", "train_steps", "train_tolerance"]
    return settings(drops.astype(dict.fromkeys(numbers, float)))


def test_a_row_has_the_means_of_its_seeds_with_students_interval():
    flows = [0.9, 0.8, 0.94]
    ((_, row),) = table(*(run(seed, 1.0, flow) for seed, flow in enumerate(flows))).iterrows()
    mean, low, high = (row[f"accuracy_reference_{part}"] for part in ("mean", "low", "high"))
    assert mean == pytest.approx(sum(flows) / 3)
    expected = stats.t.interval(0.95, 2, mean, stats.sem(flows))
    assert (low, high) == pytest.approx(expected)
    assert row["drop_max"] == pytest.approx(0.2)
    assert (row["seeds"], row["seeds_valid"]) == (3, 2)


def test_a_run_that_failed_or_did_not_train_is_counted_and_in_no_mean():
    nothing = {"accuracy": math.nan, "flow": math.nan, "valid": False}
    ((_, row),) = table(
        run(0, 1.0, 0.96),
        run(1, 1.0, 0.98),
        run(2, **nothing, status="diverged", drop=math.nan, disagreement=math.nan),
        run(3, 0.5, 0.5, status="untrained", valid=False),
    ).iterrows()
    assert row["accuracy_mean"] == 1
    assert row["drop_max"] == pytest.approx(0.04)
    counts = {"seeds": 4, "seeds_valid": 2, "seeds_failed": 1, "seeds_untrained": 1}
    assert {name: row[name] for name in counts} == counts


def test_the_grid_comes_first_by_its_settings_and_a_controller_is_one_row():
    rows = table(
        run(0, 1.0, 1.0, steps=9, controller="adapt"),
        run(1, 1.0, 1.0, steps=7, controller="adapt"),
        run(0, 1.0, 1.0, steps=16),
        run(0, 1.0, 1.0, steps=2),
        run(0, 1.0, 1.0, steps=None, train_tolerance=0.1, train_solver="dopri5"),
    )
    assert rows["train_steps"].fillna(0).tolist() == [0, 2, 16, 0]
    assert rows["seeds"].tolist() == [1, 1, 1, 2]
    assert settings_readable(rows)["setting"].tolist() == [
        "tolerance 0.1",
        "2 steps",
        "16 steps",
        "adapt",
    ]


def test_readers_see_intervals_the_largest_and_no_empty_columns():
    untrained = run(2, 0.5, 0.5, status="untrained", valid=False)
    rows = table(run(0, 1.0, 0.9), run(1, 1.0, 0.96), untrained)
    readable = settings_readable(rows)
    assert not any("alone" in heading for heading in readable)
    row = set(readable.iloc[0])
    assert {"93.0 (54.9 to 100.0)", "7.0 (-31.1 to 45.1) / 10.0", "2 of 3, 1 untrained"} <= row


def test_errors_of_real_values_are_told_as_they_are():
    real = {"accuracy": math.nan, "accuracy_reference": math.nan}
    rows = table(
        {**run(0, 1, 1), **real, "error": 0.25, "error_reference": 0.5},
        {**run(1, 1, 1), **real, "error": 0.25, "error_reference": 0.5},
    )
    row = set(settings_readable(rows).iloc[0])
    assert {"error 0.250 (0.250 to 0.250)", "error 0.500 (0.500 to 0.500)"} <= row
