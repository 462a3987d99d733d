from dataclasses import replace

import pytest
from audits import EVERY, candidate, failed, passed, table, undecided, unresolved, values

from solverproof.reporting.audit_comparison import compare
from solverproof.reporting.html.record import record


def compared(old, new):
    return compare(record(old), record(new))


def with_settings(result, *rows):
    return replace(result, settings=table(*rows))


@pytest.mark.parametrize("name", EVERY)
def test_an_audit_is_no_worse_than_itself(name):
    assert compared(EVERY[name], EVERY[name]) == []


def test_a_model_that_fails_now_is_told_with_verdict_kind_disagreement_and_advice():
    assert compared(passed(), failed(settings=table())) == [
        "The verdict on euler with 8 steps is FAIL, and was PASS.",
        "The model is solver-bound, and was ode.",
        "The disagreement is 36.1 (33.1 to 39.2) %, and was 0.30 (0.06 to 0.87) %.",
        "No setting is advised; midpoint with 8 steps was, with 16 evaluations.",
    ]


def test_getting_better_is_not_told():
    assert compared(failed(), passed()) == []
    assert compared(unresolved(), passed()) == []


def test_a_disagreement_whose_intervals_overlap_may_be_chance():
    old, new = passed(), passed(disagreement=0.009, disagreement_interval=(0.004, 0.017))
    assert compared(old, new) == []
    apart = passed(disagreement=0.013, disagreement_interval=(0.009, 0.022))
    assert compared(old, apart) == [
        "The disagreement is 1.3 (0.90 to 2.2) %, and was 0.30 (0.06 to 0.87) %."
    ]


def test_a_disagreement_that_is_known_no_more_is_told():
    assert "The disagreement is not known, and was 0.90 (0.41 to 1.7) %." in compared(
        undecided(), unresolved()
    )


def test_settings_that_are_safe_no_more_are_told_those_not_tried_again_are_not():
    old = with_settings(passed(), candidate("rk4", 4, 0), candidate("rk4", 8, 0))
    new = with_settings(passed(), candidate("rk4", 4, 30))
    assert compared(old, new) == [
        "rk4 with 4 steps is safe no more: disagreement 3.0 (2.0 to 4.3) %, and was "
        "0 (0 to 0.37) %."
    ]


def test_a_record_of_before_without_an_absolute_tolerance_is_one_of_equal_tolerances():
    before = record(with_settings(passed(), candidate("rk4", 4, 0)))
    for setting in (before["deployed"], before["advice"], *before["settings"]):
        del setting["atol"]
    now = record(with_settings(passed(), candidate("rk4", 4, 30)))
    (worse,) = compare(before, now)
    assert worse.startswith("rk4 with 4 steps is safe no more")


def test_settings_that_differ_in_their_absolute_tolerance_are_two():
    loose, tight = candidate("dopri5", 1e-3, 30), candidate("dopri5", 1e-3, 0, atol=1e-6)
    old, new = with_settings(passed(), loose, tight), with_settings(passed(), tight, loose)
    assert compared(old, new) == []
    worse = with_settings(passed(), loose, candidate("dopri5", 1e-3, 30, atol=1e-6))
    (told,) = compared(old, worse)
    assert told.startswith("dopri5 at rtol 0.001 and atol 1e-06 is safe no more")


def test_dearer_advice_is_told():
    dearer = passed(advice=replace(passed().advice, nfe=24))
    assert compared(passed(), dearer) == [
        "The cheapest safe setting is midpoint with 8 steps, with 24 evaluations; "
        "midpoint with 8 steps was, with 16 evaluations."
    ]
    assert compared(dearer, passed()) == []


def test_to_accept_more_is_worse():
    assert compared(passed(), passed(accept=0.05)) == ["0.05 is accepted now, and 0.01 was."]
    assert compared(passed(accept=0.05), passed()) == []


def test_predictions_and_values_are_not_the_same_measure():
    (first, *_) = compared(values(), passed())
    assert first == "predictions are judged now, and values were: not the same measure."
