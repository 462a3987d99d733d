import json
import math
import operator
import re
from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.ode.solvers import (
    SOLVERS,
    Setting,
    is_at_least_as_accurate,
    steps_at_ratio,
)

solvers = st.sampled_from(list(SOLVERS.values()))
fixed = st.sampled_from([solver for solver in SOLVERS.values() if not solver.is_adaptive])
adaptive = st.sampled_from([solver for solver in SOLVERS.values() if solver.is_adaptive])
numbers_of_steps = st.integers(1, 10_000)
tolerances = st.floats(1e-8, 1)
decimals = st.decimals("0.001", 1000, places=3)
fixed_settings = st.builds(Setting.of, fixed, numbers_of_steps)
adaptive_settings = st.builds(Setting, adaptive, st.none(), tolerances, st.none() | tolerances)
settings_of_a_solver = fixed_settings | adaptive_settings


def refined(coarse, how_much):
    """The same solver with more steps, or smaller tolerances."""
    if coarse.solver.is_adaptive:
        return Setting(coarse.solver, None, *(one / (1 + how_much) for one in coarse.tolerances))
    return Setting.of(coarse.solver, coarse.value + how_much)


def is_coarser(test, train):
    """Larger steps or a larger tolerance; the kinds are the same."""
    if test.solver.is_adaptive:
        return any(map(operator.gt, test.tolerances, train.tolerances))
    return test.value < train.value


def test_every_solver_is_registered_under_its_own_name_with_a_source():
    for name, solver in SOLVERS.items():
        assert solver.name == name
        assert solver.source


@pytest.mark.parametrize(
    ("train_steps", "ratio", "test_steps"),
    [
        (8, 1, 8),
        (8, 2, 4),
        (8, 0.5, 16),
        (8, 0.125, 64),
        (8, 0.75, 11),
        (8, 1.5, 6),
        (9, 1.5, 6),
        (9, 0.75, 12),
        (3, 2, 2),
        (2, 2, 1),
        (1, 2, 1),
        (1, 1.5, 1),
        (7, 0.1, 70),
        (49, 0.7, 70),
        (3, 1000, 1),
    ],
)
def test_the_number_of_test_steps_is_the_one_worked_out_by_hand(train_steps, ratio, test_steps):
    assert steps_at_ratio(train_steps, ratio) == test_steps


@given(numbers_of_steps, decimals)
def test_the_test_step_is_never_larger_than_asked_for(train_steps, ratio):
    largest = Fraction(ratio) / train_steps
    assert Fraction(1, steps_at_ratio(train_steps, float(ratio))) <= largest or largest > 1


@given(numbers_of_steps, decimals)
def test_one_test_step_fewer_would_be_larger_than_asked_for(train_steps, ratio):
    fewer = steps_at_ratio(train_steps, float(ratio)) - 1
    assert fewer == 0 or Fraction(1, fewer) > Fraction(ratio) / train_steps


@given(numbers_of_steps, decimals)
def test_at_least_one_test_step_is_taken(train_steps, ratio):
    assert steps_at_ratio(train_steps, float(ratio)) >= 1


@given(numbers_of_steps, st.integers(1, 1000))
def test_whole_multiples_of_the_training_step_are_met_exactly(test_steps, multiple):
    assert steps_at_ratio(test_steps * multiple, multiple) == test_steps


@given(numbers_of_steps, st.sampled_from([0.1, 0.2, 0.05, 0.01, 0.001, 0.125]))
def test_whole_fractions_of_the_training_step_are_met_exactly_whatever_their_binary_rounding(
    train_steps, ratio
):
    assert steps_at_ratio(train_steps, ratio) == train_steps * round(1 / ratio)


@given(fixed_settings, decimals)
def test_a_ratio_of_a_fixed_step_setting_is_a_ratio_of_its_step(train, ratio):
    expected = Setting.of(train.solver, steps_at_ratio(train.steps, float(ratio)))
    assert train.at_ratio(float(ratio)) == expected


@pytest.mark.parametrize("exponent", range(-6, 1))
@pytest.mark.parametrize(("ratio", "shift"), [(10, 1), (1, 0), (0.1, -1), (0.01, -2)])
def test_a_tolerance_at_a_ratio_is_the_decimal_number_one_would_write(exponent, ratio, shift):
    train = Setting.of(SOLVERS["dopri5"], float(f"1e{exponent}"))
    assert train.at_ratio(ratio) == Setting.of(SOLVERS["dopri5"], float(f"1e{exponent + shift}"))


@given(settings_of_a_solver)
def test_a_ratio_of_one_changes_nothing(train):
    assert train.at_ratio(1) == train


@given(settings_of_a_solver)
def test_a_setting_comes_back_from_its_specification_in_json(original):
    spec = json.loads(json.dumps(original.to_json()))
    absolute = set() if original.atol is None else {"atol"}
    assert spec.keys() == {"solver", original.solver.measure} | absolute
    assert Setting.from_json(spec) == original


@given(settings_of_a_solver)
def test_a_setting_has_either_steps_or_a_tolerance(any_setting):
    given_numbers = (any_setting.steps, any_setting.tolerance)
    expected = (
        (None, any_setting.value) if any_setting.solver.is_adaptive else (any_setting.value, None)
    )
    assert given_numbers == expected


@pytest.mark.parametrize(
    ("solver", "value", "label"),
    [
        ("euler", 64, "steps-64"),
        ("dopri5", 0.001, "tolerance-0.001"),
        ("dopri5", 1.0, "tolerance-1.0"),
    ],
)
def test_the_label_tells_the_setting(solver, value, label):
    assert Setting.of(SOLVERS[solver], value).label == label


@given(fixed_settings, fixed)
def test_another_solver_takes_over_the_value_and_leaves_the_setting_as_it_was(train, other):
    before = train.to_json()
    assert train.with_solver(other) == Setting.of(other, train.value)
    assert train.to_json() == before


@pytest.mark.parametrize(
    ("solver", "given_value", "message"),
    [
        ("rk4", {"tolerance": 1e-3}, "rk4 is of kind 'fixed'; give it steps alone"),
        ("rk4", {"steps": 4, "tolerance": 1e-3}, "rk4 is of kind 'fixed'; give it steps alone"),
        ("rk4", {}, "rk4 is of kind 'fixed'; give it steps alone"),
        ("dopri5", {"steps": 4}, "dopri5 is of kind 'adaptive'; give it tolerance alone"),
        ("euler", {"steps": 0}, "steps of euler is 0; give a whole number above 0"),
        ("euler", {"steps": 2.5}, "steps of euler is 2.5; give a whole number above 0"),
        ("euler", {"steps": math.nan}, "steps of euler is nan; give a whole number above 0"),
        ("dopri5", {"tolerance": 0.0}, "tolerance of dopri5 is 0.0; give a positive number"),
        ("dopri5", {"tolerance": math.inf}, "tolerance of dopri5 is inf; give a positive number"),
        ("dopri5", {"atol": 1e-3}, "is of kind 'adaptive'; give it tolerance alone, or with atol"),
        ("rk4", {"steps": 4, "atol": 1e-3}, "rk4 is of kind 'fixed'; give it steps alone"),
        ("dopri5", {"tolerance": 0.1, "atol": -1}, "atol of dopri5 is -1; give a positive number"),
        ("dopri5", {"tolerance": 0.1, "atol": math.nan}, "atol of dopri5 is nan; give a positive"),
        ("dopri5", {"tolerance": 0.1, "atol": 10**400}, "atol of dopri5 is 10000"),
        ("dopri5", {"tolerance": 10**400}, "tolerance of dopri5 is 10000"),
    ],
)
def test_a_setting_that_does_not_fit_its_solver_is_refused(solver, given_value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Setting(SOLVERS[solver], **given_value)


def test_an_absolute_tolerance_that_is_the_relative_one_makes_no_other_setting():
    same = Setting(SOLVERS["dopri5"], tolerance=0.1, atol=0.1)
    assert same == Setting(SOLVERS["dopri5"], tolerance=0.1)
    assert same.words == "dopri5 at tolerance 0.1"


def test_both_tolerances_are_scaled_kept_and_told():
    own = Setting(SOLVERS["dopri5"], tolerance=1e-7, atol=1e-9)
    assert own.coarser() == Setting(SOLVERS["dopri5"], tolerance=1e-6, atol=1e-8)
    assert own.with_solver(SOLVERS["bosh3"]).tolerances == own.tolerances == (1e-7, 1e-9)
    assert own.words == "dopri5 at rtol 1e-07 and atol 1e-09"
    assert own.label == "tolerance-1e-07-atol-1e-09"


@pytest.mark.parametrize("value", [0.001, 2.5, math.nan])
def test_a_value_that_is_no_number_of_steps_is_refused(value):
    with pytest.raises(ValueError, match="give a whole number above 0"):
        Setting.of(SOLVERS["rk4"], value)


def test_a_setting_cannot_be_changed():
    chosen = Setting(SOLVERS["euler"], steps=8)
    with pytest.raises(FrozenInstanceError):
        chosen.steps = 4


@given(settings_of_a_solver)
def test_a_setting_is_as_accurate_as_itself(any_setting):
    assert is_at_least_as_accurate(any_setting, any_setting)


@given(settings_of_a_solver, settings_of_a_solver, numbers_of_steps)
def test_a_finer_test_is_never_less_accurate(test, train, how_much):
    assert is_at_least_as_accurate(refined(test, how_much), train) >= is_at_least_as_accurate(
        test, train
    )


@given(settings_of_a_solver, settings_of_a_solver, numbers_of_steps)
def test_a_test_of_finer_training_is_never_more_accurate(test, train, how_much):
    assert is_at_least_as_accurate(test, refined(train, how_much)) <= is_at_least_as_accurate(
        test, train
    )


@given(settings_of_a_solver, settings_of_a_solver)
def test_a_solver_of_lower_order_is_never_as_accurate(test, train):
    lower = test.solver.order < train.solver.order
    assert not (lower and is_at_least_as_accurate(test, train))


@given(
    st.one_of(
        st.tuples(fixed_settings, fixed_settings), st.tuples(adaptive_settings, adaptive_settings)
    )
)
def test_a_larger_step_or_tolerance_is_never_as_accurate(pair):
    test, train = pair
    assert not (is_coarser(test, train) and is_at_least_as_accurate(test, train))


@given(
    st.one_of(
        st.tuples(fixed, fixed, numbers_of_steps),
        st.tuples(adaptive, adaptive, tolerances),
    )
)
def test_a_solver_of_higher_order_is_as_accurate_at_the_same_step_or_tolerance(triple):
    test, train, value = triple
    expected = test.order > train.order or test == train
    assert is_at_least_as_accurate(Setting.of(test, value), Setting.of(train, value)) == expected


@given(fixed_settings, adaptive_settings)
def test_steps_and_tolerances_are_not_compared(with_steps, with_tolerance):
    assert not is_at_least_as_accurate(with_steps, with_tolerance)
    assert not is_at_least_as_accurate(with_tolerance, with_steps)


@given(st.one_of(st.tuples(*[fixed_settings] * 3), st.tuples(*[adaptive_settings] * 3)))
def test_accuracy_is_transitive(settings):
    first, second, third = settings
    if is_at_least_as_accurate(first, second) and is_at_least_as_accurate(second, third):
        assert is_at_least_as_accurate(first, third)


@pytest.mark.parametrize(
    ("test", "train"),
    [(("heun2", 16), ("midpoint", 8)), (("adaptive_heun", 0.01), ("fehlberg2", 0.1))],
)
def test_another_solver_of_the_same_order_is_not_known_to_be_as_accurate(test, train):
    (test_solver, finer), (train_solver, coarser) = test, train
    assert not is_at_least_as_accurate(
        Setting.of(SOLVERS[test_solver], finer), Setting.of(SOLVERS[train_solver], coarser)
    )


def test_an_unknown_solver_is_refused():
    with pytest.raises(KeyError, match="leapfrog"):
        Setting.from_json({"solver": "leapfrog", "steps": 8})
