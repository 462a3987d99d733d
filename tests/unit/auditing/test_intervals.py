"""Intervals hold the truth as often as they say, by simulation and against known values."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.auditing.intervals import mean_interval, paired_interval, share_interval


def test_five_of_five_is_at_least_48_percent():
    low, high = share_interval(5, 5)
    assert (round(low, 3), high) == (0.478, 1.0)


def test_to_claim_90_percent_takes_29_of_29_one_sided():
    # two-sided at 95 % the lower end of n of n is 0.025^(1/n): 36 are needed, 35 do not suffice
    assert share_interval(35, 35)[0] < 0.9 < share_interval(36, 36)[0]


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_of_a_share_holds_the_share_and_mirrors_its_complement(pair):
    count, of = pair
    low, high = share_interval(count, of)
    assert 0 <= low <= count / of <= high <= 1
    assert share_interval(of - count, of) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("probability", [0.05, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("of", [5, 20])
def test_an_interval_of_a_share_covers_the_probability_at_least_as_often_as_stated(probability, of):
    counts = np.random.default_rng(0).binomial(of, probability, 20_000)
    ends = np.array([share_interval(count, of) for count in range(of + 1)])[counts]
    covered = (ends[:, 0] <= probability) & (probability <= ends[:, 1])
    assert covered.mean() >= 0.95 - 0.005


@pytest.mark.parametrize("of", [2, 5, 20])
def test_an_interval_of_a_mean_covers_it_as_often_as_stated(of):
    random = np.random.default_rng(0)
    trials = [mean_interval(pd.Series(random.normal(3.0, 2.0, of))) for _ in range(4000)]
    covered = [low <= 3.0 <= high for low, high in trials]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan]])
def test_a_single_value_has_no_interval(values):
    assert all(math.isnan(end) for end in mean_interval(pd.Series(values, dtype=float)))


# Newcombe 1998, table I gives examples of paired data; his method 10 on two of them:
def test_the_interval_of_a_paired_difference_is_newcombes():
    low, high = paired_interval(36, 12, 2, 0)
    assert (low, high) == pytest.approx((0.0569, 0.3404), abs=2e-4)
    low, high = paired_interval(0, 0, 0, 50)
    assert (low, high) == pytest.approx((-0.0714, 0.0714), abs=2e-4)


@given(*[st.integers(0, 40)] * 3, st.integers(1, 40))
def test_a_paired_interval_holds_the_difference_and_turns_with_the_roles(both, lost, won, neither):
    low, high = paired_interval(both, lost, won, neither)
    of = both + lost + won + neither
    assert -1 - 1e-12 <= low <= (lost - won) / of <= high <= 1 + 1e-12
    turned = paired_interval(both, won, lost, neither)
    assert turned == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.02, 0.03), (0.5, 0.2, 0.05, 0.25)])
@pytest.mark.parametrize("samples", [30, 200])
def test_a_paired_interval_covers_the_difference_as_often_as_it_says(shares, samples):
    tables = np.random.default_rng(0).multinomial(samples, shares, size=1000)
    truth = shares[1] - shares[2]
    covered = np.mean([low <= truth <= high for low, high in (paired_interval(*t) for t in tables)])
    # two standard errors below; with few discordant pairs it covers more than it says
    assert covered >= 0.95 - 2 * math.sqrt(0.95 * 0.05 / 1000)
