"""Intervals at 95 % confidence, over seeds."""

import math

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


def mean_interval(values: pd.Series) -> tuple[float, float]:
    """Student's interval for a mean; NaN for fewer than two values, which have no spread."""
    given = values.dropna()
    if len(given) < 2:
        return math.nan, math.nan
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(given) - 1) * given.sem()
    return float(given.mean() - reach), float(given.mean() + reach)


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's interval for a probability, given `count` of `of` trials; it is exact.

    At least so often as stated it holds the probability, whatever that is. None of five is 0 to
    0.52.
    """
    found = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)
