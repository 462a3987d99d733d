"""The cheapest safe setting: chosen on one half of the samples, confirmed on the other."""

from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import TypeVar

from solverproof.auditing.intervals import share_interval

T = TypeVar("T")
FIRST, SECOND = slice(0, None, 2), slice(1, None, 2)


def choosing(samples: int, accepted: float, confidence: float) -> slice:
    """The samples that choose: the first half; all where so few could not confirm anything.

    What is tried must not depend on the second half, or confirming on it would prove less.
    """
    half = len(range(samples)[SECOND])
    decides = half > 0 and share_interval(0, half, confidence)[1] <= accepted
    return FIRST if decides else slice(None)


def confirmed(
    tried: Iterable[T],
    *,
    passes: Callable[[T, slice], bool],
    error: Callable[[T, slice], float],
) -> list[T]:
    """Settings that pass on the first half, and on the second, where they are not chosen.

    They are held against the second half in the order that the first gives, the most accurate
    first, each at full confidence, until one does not pass. Then an unsafe one is among them no
    more often than a single test errs: the first unsafe one in that order must have passed, and
    the order, and so that one, is known before the second half is looked at.

    Source: Maurer, Hothorn, Lehmacher, in Vollmar (ed.), Biometrie in der
    chemisch-pharmazeutischen Industrie 6 (1995), 3-18: hypotheses ordered a priori.

    Args:
        tried: settings, which ones must not depend on the second half.
        passes: whether a setting passes on some of the samples.
        error: of a setting on some of the samples.
    """
    chosen = sorted((one for one in tried if passes(one, FIRST)), key=lambda one: error(one, FIRST))
    return list(takewhile(lambda one: passes(one, SECOND), chosen))
