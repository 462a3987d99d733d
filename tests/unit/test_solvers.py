from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.solvers import SOLVERS, is_at_least_as_accurate, steps_at_ratio

names = st.sampled_from(sorted(SOLVERS))
numbers_of_steps = st.integers(1, 10_000)
settings_of_a_solver = st.tuples(names, numbers_of_steps)
decimals = st.decimals("0.001", 1000, places=3)


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
def test_whole_fractions_of_the_training_step_are_met_exactly_whatever_their_binary_rounding(train_steps, ratio):
    assert steps_at_ratio(train_steps, ratio) == train_steps * round(1 / ratio)


@given(settings_of_a_solver)
def test_a_setting_is_as_accurate_as_itself(setting):
    assert is_at_least_as_accurate(setting, setting)


@given(settings_of_a_solver, settings_of_a_solver, numbers_of_steps)
def test_more_test_steps_never_make_a_test_less_accurate(test, train, more):
    solver, steps = test
    finer = (solver, steps + more)
    assert is_at_least_as_accurate(finer, train) >= is_at_least_as_accurate(test, train)


@given(settings_of_a_solver, settings_of_a_solver, numbers_of_steps)
def test_more_training_steps_never_make_a_test_more_accurate(test, train, more):
    solver, steps = train
    finer = (solver, steps + more)
    assert is_at_least_as_accurate(test, finer) <= is_at_least_as_accurate(test, train)


@given(settings_of_a_solver, settings_of_a_solver)
def test_a_solver_of_lower_order_is_never_as_accurate(test, train):
    lower = SOLVERS[test[0]].order < SOLVERS[train[0]].order
    assert not (lower and is_at_least_as_accurate(test, train))


@given(settings_of_a_solver, settings_of_a_solver)
def test_a_larger_step_is_never_as_accurate(test, train):
    assert not (test[1] < train[1] and is_at_least_as_accurate(test, train))


@given(names, names, numbers_of_steps)
def test_a_solver_of_higher_order_is_as_accurate_at_the_same_step(test, train, steps):
    higher = SOLVERS[test].order > SOLVERS[train].order
    assert is_at_least_as_accurate((test, steps), (train, steps)) == (higher or test == train)


@given(settings_of_a_solver, settings_of_a_solver, settings_of_a_solver)
def test_accuracy_is_transitive(first, second, third):
    if is_at_least_as_accurate(first, second) and is_at_least_as_accurate(second, third):
        assert is_at_least_as_accurate(first, third)


def test_another_solver_of_the_same_order_is_not_known_to_be_as_accurate():
    assert not is_at_least_as_accurate(("heun2", 16), ("midpoint", 8))


def test_an_unknown_solver_is_refused():
    with pytest.raises(KeyError, match="leapfrog"):
        is_at_least_as_accurate(("leapfrog", 8), ("euler", 8))
