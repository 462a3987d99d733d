"""Critical settings by several criteria, of audits made by hand."""

import math

import pandas as pd
import pytest

from solverproof.evaluation.audit_rows import Audit
from solverproof.evaluation.criteria import Criterion, criteria, with_drops
from solverproof.evaluation.validity import Drop
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS

STEPS = (2, 4, 8, 16)
OK = {"verdict": "PASS", "accepted": 0.01, "status": "ok", "adapted": False, "accuracy": 0.9}


def row(steps, seed=0, solver="euler", **values):
    """What is known of one run; a measure that is not given is NaN."""
    given = {"task": "toy", "train_solver": solver, "train_steps": steps, "seed": seed}
    return dict.fromkeys(columns(Audit)) | {"drop": 0.0, "valid": True} | OK | given | values


def table(*rows):
    return pd.DataFrame(rows).assign(error=math.nan)


def by_criterion(rows, **others):
    found = criteria(table(*rows), 0.1, **others)
    assert list(found) == columns(Criterion)
    return {row["criterion"]: row for row in found.to_dict("records")}


def falling(values, name, seeds=(0, 1), **others):
    """Two seeds, a little apart, whose measure takes these values from coarse to fine."""
    return [
        row(steps, seed, **{name: value * (1 + 0.02 * seed)}, **others)
        for steps, value in zip(STEPS, values, strict=True)
        for seed in seeds
    ]


def test_each_criterion_has_its_own_critical_setting():
    rows = [
        row(n, seed, drop=drop, disagreement=apart, uncontrolled=loose, crossing=6.0)
        for n, drop, apart, loose in zip(
            STEPS, (0.3, 0.0, 0.0, 0.0), (0.3, 0.3, 0.0, 0.0), (0.3, 0.3, 0.3, 0.0), strict=True
        )
        for seed in (0, 1)
    ]
    found = by_criterion(rows)
    brackets = {name: (row["invalid_steps"], row["valid_steps"]) for name, row in found.items()}
    assert brackets == {
        "accuracy": (2, 4),
        "disagreement": (4, 8),
        "control_ratio": (8, 16),
        "crossing": (4, 8),
    }
    assert {name: row["threshold"] for name, row in found.items()} == {
        "accuracy": 0.1,
        "disagreement": 0.01,
        "control_ratio": 0.01,
        "crossing": 1.0,
    }


def test_the_critical_setting_is_interpolated_between_settings_as_that_of_the_drop():
    # both criteria fall linearly in log2 N to their threshold half way between 4 and 8
    drops = falling((0.2, 0.15, 0.05, 0.0), "drop", seeds=(0,))
    apart = falling((0.4, 0.02, 0.0, 0.0), "disagreement", seeds=(0,))
    for rows, name in ((drops, "accuracy"), (apart, "disagreement")):
        assert by_criterion(rows)[name]["critical_steps"] == pytest.approx(4 * 2**0.5, rel=0.01)


def test_the_interval_holds_the_estimate_and_is_narrow_where_seeds_agree():
    found = by_criterion(falling((0.4, 0.02, 0.0, 0.0), "disagreement"))["disagreement"]
    low, estimate, high = (found[f"critical_steps{end}"] for end in ("_low", "", "_high"))
    assert 4 < low < estimate < high < 8


def test_trajectories_cross_below_as_many_steps_as_were_found():
    found = by_criterion(falling((6.0, 6.0, 6.0, 0.0), "crossing", seeds=(0,)))["crossing"]
    # 6 / N is 1.5 and 0.75 at 4 and 8: linear in log2 N, it is 1 at two thirds of the octave
    assert found["critical_steps"] == pytest.approx(4 * 2 ** (2 / 3), rel=0.01)
    assert (found["met_pass"], found["unmet_pass"]) == (2, 2)


def test_crossing_is_asked_of_one_stage_alone_and_predictions_of_classes_alone():
    assert set(by_criterion([row(4, solver="rk4")])) == {
        "accuracy",
        "disagreement",
        "control_ratio",
    }
    values = table(row(4, accuracy=math.nan)).assign(error=0.2)
    found = criteria(values, 0.1, 0.25)
    assert list(found["criterion"]) == ["accuracy", "disagreement", "crossing"]
    assert found["threshold"].iloc[0] == 0.25


def test_models_are_counted_by_verdict_on_both_sides_of_a_criterion():
    rows = [
        row(2, 0, drop=0.0, verdict="FAIL"),
        row(2, 1, drop=0.1, verdict="FAIL"),
        row(2, 2, drop=0.2, verdict="FAIL"),
        row(2, 3, drop=0.0, verdict="INCONCLUSIVE"),
        row(2, 4, drop=0.2, verdict="PASS"),
        row(4, 0, drop=0.0, verdict="PASS"),
    ]
    found = by_criterion(rows)["accuracy"]
    assert [found[f"met_{v}"] for v in ("pass", "inconclusive", "fail")] == [1, 1, 2]
    assert [found[f"unmet_{v}"] for v in ("pass", "inconclusive", "fail")] == [1, 0, 1]


def test_runs_that_failed_or_are_untrained_or_unresolved_are_counted_and_nothing_else():
    rows = [
        row(2, 0, drop=0.0, disagreement=0.0),
        row(2, 1, verdict=None, drop=math.nan, status="diverged"),
        row(2, 2, drop=0.9, disagreement=0.9, status="untrained", verdict="FAIL"),
        row(2, 3, drop=0.0, status="unresolved", verdict="INCONCLUSIVE"),
    ]
    found = by_criterion(rows)
    counts = ("failed_runs", "untrained_runs", "unresolved_runs", "met_pass", "met_inconclusive")
    assert [found["accuracy"][name] for name in counts] == [1, 1, 0, 1, 1]
    assert [found["disagreement"][name] for name in counts] == [1, 1, 1, 1, 0]
    for one in found.values():
        assert one["unmet_fail"] == 0
    assert found["disagreement"]["valid_steps"] == 2


def test_a_group_in_which_all_failed_has_its_rows():
    rows = [row(n, verdict=None, drop=math.nan, status="diverged") for n in (2, 4)]
    found = by_criterion(rows)
    assert len(found) == 4
    for one in found.values():
        assert (one["failed_runs"], one["invalid_steps"], one["valid_steps"]) == (2, 4, None)


def test_a_controller_has_counts_and_no_critical_setting():
    rows = [row(5, 0, controller="adapt", verdict="FAIL"), row(7, 1, controller="adapt")]
    grid = [row(n, seed, disagreement=0.0) for n in (2, 4) for seed in (0, 1)]
    found = criteria(table(*rows, *grid), 0.1)
    adapted = found[found["controller"] == "adapt"]
    assert adapted.filter(regex="steps|tolerance").isna().all().all()
    assert adapted.iloc[0]["met_fail"] == adapted.iloc[0]["met_pass"] == 1
    assert found[found["controller"].isna()]["valid_steps"].iloc[0] == 2


def test_tolerances_are_critical_from_coarse_to_fine():
    rows = [
        row(None, solver="dopri5", train_tolerance=tolerance, disagreement=apart)
        for tolerance, apart in ((0.1, 0.02), (0.01, 0.0))
    ]
    found = criteria(table(*rows), 0.1, solvers=SOLVERS)
    one = found[found["criterion"] == "disagreement"].iloc[0]
    assert (one["invalid_tolerance"], one["valid_tolerance"]) == (0.1, 0.01)
    assert one["critical_tolerance"] == pytest.approx(10**-1.5, rel=0.01)


def audit_row(steps, seed, controller=None, **values):
    given = {"task": "toy", "train_solver": "euler", "train_steps": steps, "adapted": False}
    return dict.fromkeys(columns(Audit)) | given | {"seed": seed, "controller": controller} | values


def drop_row(steps, seed, controller=None, **values):
    return dict.fromkeys(columns(Drop)) | audit_row(steps, seed, controller) | values


def test_drops_belong_to_the_same_runs_whatever_their_order():
    audits = pd.DataFrame(
        [
            audit_row(2, 0, status="ok"),
            audit_row(2, 1, status="diverged"),
            audit_row(2, 0, "adapt", status="ok"),
        ]
    )
    drops = pd.DataFrame(
        [
            drop_row(2, 0, "adapt", drop=0.3, valid=False, status="untrained"),
            drop_row(2, 1, valid=False, status="diverged"),
            drop_row(2, 0, drop=0.05, valid=True, status="budget"),
        ]
    )
    found = with_drops(audits, drops)
    assert found["status"].tolist() == ["ok", "diverged", "untrained"]
    assert found["valid"].tolist() == [True, False, False]
    assert found["drop"].tolist()[::2] == [0.05, 0.3]
    assert math.isnan(found["drop"][1])
