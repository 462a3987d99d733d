"""Intervals at 95 % confidence, over seeds."""

from typing import Any

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


def mean_interval(values: pd.Series | pd.DataFrame) -> tuple[Any, Any]:
    """Student's interval for a mean, or for that of each column of a table.

    NaN is no value; fewer than two values have no spread, and ends that are NaN.
    """
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, values.count() - 1) * values.sem()
    return values.mean() - reach, values.mean() + reach


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's interval for a probability, given `count` of `of` trials; it is exact.

    At least so often as stated it holds the probability, whatever that is. None of five is 0 to
    0.52.
    """
    found = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)
