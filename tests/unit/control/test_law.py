"""The law that moves a step size, alone: by cases, by properties, and on errors that are known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.control.law import Law, State, follow, steps_of

LAW = Law(order=2, finest=1 / 500, coarsest=1.0, shortest=50, longest=400)
states = st.builds(
    State,
    size=st.floats(1 / 500, 1.0),
    excess=st.floats(1e-6, 1e6),
    failed=st.one_of(st.just(math.inf), st.floats(1 / 500, 1.0)),
    since=st.integers(0, 10),
    wait=st.integers(1, 400),
)
laws = st.builds(
    Law,
    order=st.integers(1, 4),
    finest=st.just(1 / 500),
    coarsest=st.sampled_from([0.5, 1.0]),
    shortest=st.integers(1, 50),
    longest=st.integers(50, 400),
    aim=st.floats(0.1, 1),
    band=st.floats(0, 1),
    integral=st.floats(0.1, 2),
    proportional=st.floats(0, 2),
    most=st.floats(1.1, 8),
    shrink=st.floats(0.5, 0.99),
    memory=st.integers(0, 20),
)
excesses = st.one_of(st.floats(0, 1e12), st.just(math.inf), st.just(math.nan))


@pytest.mark.parametrize("excess", [1.001, 3.0, 1e9, math.inf, math.nan])
def test_what_is_too_much_shrinks_the_step_and_is_remembered(excess):
    after, move = follow(LAW, State(0.25), excess)
    assert move == "shrink"
    assert 0.25 / LAW.most <= after.size <= LAW.shrink * 0.25
    assert after.failed == 0.25


@pytest.mark.parametrize("excess", [LAW.band, LAW.aim, 1.0])
def test_within_the_band_nothing_moves(excess):
    assert follow(LAW, State(0.25), excess)[0].size == 0.25
    assert follow(LAW, State(0.25), excess)[1] == "keep"


@pytest.mark.parametrize("excess", [0.0, 1e-9, 0.1, 0.2499])
def test_below_the_band_the_step_grows(excess):
    after, move = follow(LAW, State(0.25), excess)
    assert move == "grow"
    assert 0.25 < after.size <= LAW.most * 0.25


def test_a_step_that_failed_is_not_tried_again_until_it_is_forgotten():
    state, _ = follow(LAW, State(0.25), 2.0)
    for _ in range(LAW.memory - 1):
        state, _ = follow(LAW, state, 1e-3)
        assert state.size < 0.25
    for _ in range(5):
        state, _ = follow(LAW, state, 1e-3)
    assert state.size >= 0.25


def test_a_growing_error_holds_the_step_back():
    steady, _ = follow(LAW, State(0.1, excess=0.4), 0.2)
    rising, _ = follow(LAW, State(0.1, excess=0.04), 0.2)
    assert rising.size < steady.size


def test_checks_become_rarer_while_all_is_well_and_frequent_after_a_failure():
    state, waits = State(0.1), []
    for _ in range(12):
        state, _ = follow(LAW, state, LAW.aim)
        waits.append(state.wait)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 400, 400, 400, 400]
    assert follow(LAW, state, 2.0)[0].wait == 50


def test_at_the_finest_step_a_failure_is_told():
    after, move = follow(LAW, State(1 / 500), 5.0)
    assert (after.size, move) == (1 / 500, "finest")


@given(laws, states, excesses)
def test_a_step_moves_by_the_largest_factor_at_most_and_within_its_bounds(law, state, excess):
    after, move = follow(law, state, excess)
    assert law.finest <= after.size <= max(law.coarsest, state.size)
    # the finest step may be nearer than a full move
    least = min(1 / law.most, law.shrink)
    assert least * state.size - 1e-15 <= after.size <= law.most * state.size + 1e-15
    assert (after.size > state.size) == (move == "grow")
    assert (after.size < state.size) == (move == "shrink")
    assert 1 <= after.wait <= law.longest


@given(laws, states, excesses)
def test_a_step_grows_only_where_all_is_well_and_never_to_one_that_failed(law, state, excess):
    after, move = follow(law, state, excess)
    if move == "grow":
        assert excess < law.band
        assert after.size < state.failed or state.since >= law.memory - 1
    if not excess <= 1:
        assert after.size < state.size or state.size == law.finest


@given(laws, states, st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_larger_error_never_leads_to_a_larger_step(law, state, one, other):
    low, high = sorted((one, other))
    assert follow(law, state, high)[0].size <= follow(law, state, low)[0].size


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("off", [1 / 8, 8])
def test_a_start_wrong_by_eight_is_right_after_a_few_checks_and_then_rests(order, off):
    # what is measured falls exactly as the order says, and is the aim at a size of 1/16
    law = Law(order=order, finest=1 / 500, coarsest=1.0, shortest=50, longest=400)
    state, sizes = State(off / 16), []
    for _ in range(20):
        state, _ = follow(law, state, law.aim * (16 * state.size) ** order)
        sizes.append(state.size)
    measured = law.aim * (16 * sizes[-1]) ** order
    assert law.band <= measured <= 1
    assert len(set(sizes[8:])) == 1


@pytest.mark.parametrize("steps", [*range(1, 200), 499])
def test_a_size_of_one_over_n_is_n_steps(steps):
    assert steps_of(1 / steps) == steps
