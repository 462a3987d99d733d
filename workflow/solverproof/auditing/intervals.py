"""Intervals over seeds and over samples, at 95 % confidence unless asked otherwise."""

import math
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


def share_interval(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval for a probability, given `count` of `of` trials; it is exact.

    At least so often as stated it holds the probability, whatever that is. None of five is 0 to
    0.52.
    """
    found = stats.binomtest(count, of).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def paired_interval(
    both: int, lost: int, won: int, neither: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """An interval for the difference of two shares of the same samples.

    It is Newcombe's, from Wilson's intervals of both shares and their correlation (Newcombe 1998,
    Statistics in Medicine 17, 2635-2650, method 10). Not McNemar's test: that asks whether the
    difference is 0, and not how large it may be.

    Args:
        both: samples that both have right.
        lost: samples that only the first has right.
        won: samples that only the second has right.
        neither: samples that none has right.
        confidence: of the interval.

    Returns:
        The ends, for the share of the first minus that of the second.
    """
    of = both + lost + won + neither
    first, second = (both + lost) / of, (both + won) / of
    (low1, high1), (low2, high2) = (
        stats.binomtest(count, of).proportion_ci(confidence, method="wilson")
        for count in (both + lost, both + won)
    )
    phi = _correlation(both, lost, won, neither)
    down = _reach(first - low1, high2 - second, phi)
    up = _reach(high1 - first, second - low2, phi)
    return float(first - second - down), float(first - second + up)


def _correlation(both: int, lost: int, won: int, neither: int) -> float:
    """Newcombe's correlation of two yes-or-no answers, with his correction of continuity."""
    margins = (both + lost) * (won + neither) * (both + won) * (lost + neither)
    if not margins:
        return 0.0
    product: float = both * neither - lost * won
    if product > 0:
        product = max(product - (both + lost + won + neither) / 2, 0)
    return float(product / math.sqrt(margins))


def _reach(one: float, other: float, correlation: float) -> float:
    # Rounding may leave a hair below zero where both agree entirely.
    return math.sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))
