"""Intervals over seeds and over samples, at 95 % confidence unless asked otherwise.

Quantiles are those of scipy.special: scipy.stats takes as long to import as many a stage takes.
"""

from __future__ import annotations  # an audit's job has no table, and does not load pandas

import math
from typing import TYPE_CHECKING, Any

from scipy.special import betaincinv, ndtri, stdtrit

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95


def mean_interval(values: pd.Series | pd.DataFrame) -> tuple[Any, Any]:
    """Student's interval for a mean, or for that of each column of a table.

    NaN is no value; fewer than two values have no spread, and ends that are NaN.
    """
    reach = stdtrit(values.count() - 1, (1 + CONFIDENCE) / 2) * values.sem()
    return values.mean() - reach, values.mean() + reach


def share_interval(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval for a probability, given `count` of `of` trials; it is exact.

    At least so often as stated it holds the probability, whatever that is. None of five is 0 to
    0.52.
    """
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    return (
        float(betaincinv(count, of - count + 1, low)) if count else 0.0,
        float(betaincinv(count + 1, of - count, high)) if count < of else 1.0,
    )


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
    low1, high1 = _wilson(first, of, confidence)
    low2, high2 = _wilson(second, of, confidence)
    phi = _correlation(both, lost, won, neither)
    down = _reach(first - low1, high2 - second, phi)
    up = _reach(high1 - first, second - low2, phi)
    return float(first - second - down), float(first - second + up)


def _wilson(share: float, of: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval for a probability (1927, J. Am. Stat. Assoc. 22, 209-212)."""
    z = float(ndtri((1 + confidence) / 2))
    centre = share + z**2 / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return (centre - reach) / (1 + z**2 / of), (centre + reach) / (1 + z**2 / of)


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
