"""The law by which a step size follows its set-point: pure functions, of one page.

What is measured falls with a power of the step size, so that one measurement tells how far to move.
Per check, with the excess e = measured / accepted, the one before e', and the order p:

1. Not a number (a solver gave up): halve the step.
2. e > 1: shrink it, by a tenth at least, and remember the step that failed.
3. 1/4 <= e <= 1: keep it.
4. e < 1/4: let it grow, but to nine tenths at most of a step that failed within the last `MEMORY`
   checks.
5. The factor is (AIM/e)^(0.7/p) (e'/AIM)^(0.4/p), between 1/2 and 2.
6. The next check comes after twice as many iterations as this one, `longest` at most; after a step
   that failed `shortest` at most.

The factor is the PI controller of stiff solvers (Gustafsson 1991; Hairer and Wanner, Solving ODEs
II, 2nd edition, p. 28): while the error grows, the second term holds the step back before it fails.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

AIM, BAND = 0.5, 0.25  # of what is accepted: where to, and below which a step grows
PROPORTIONAL, INTEGRAL = 0.4, 0.7  # exponents, over the order
MOST, LEAST = 2.0, 0.5  # of one move
SHRINK = 0.9  # a step that failed shrinks to this or less, and grows to no more
MEMORY = 10  # checks for which a step that failed is not tried again

Move = Literal["shrink", "keep", "grow", "finest"]


@dataclass(frozen=True)
class Law:
    """The constants of one training.

    Attributes:
        order: p, by which what is measured falls with the step size.
        finest, coarsest: smallest and largest step size, as fractions of the interval.
        shortest, longest: iterations between two checks.
    """

    order: int
    finest: float
    coarsest: float
    shortest: int
    longest: int


@dataclass(frozen=True)
class State:
    """What the law remembers.

    Attributes:
        size: step size, as a fraction of the interval.
        excess: e of the last check; AIM before the first.
        failed: the smallest size that failed lately; infinite if none did.
        since: checks since then.
        wait: iterations until the next check.
    """

    size: float
    excess: float = AIM
    failed: float = math.inf
    since: int = 0
    wait: int = 1


def follow(law: Law, state: State, excess: float) -> tuple[State, Move]:
    """The state after a check that measured an excess, and what it did to the step size."""
    if not excess <= 1:  # or is not a number
        return _shrunk(law, state, excess)
    since = state.since + 1
    failed = state.failed if since < MEMORY else math.inf
    wait = min(2 * state.wait, law.longest)
    grown = state.size * _factor(law, state, excess) if excess < BAND else state.size
    size = max(state.size, min(grown, SHRINK * failed, law.coarsest))
    kept = State(size, max(excess, _SMALLEST), failed, since, wait)
    return kept, "grow" if size > state.size else "keep"


def steps_of(size: float) -> int:
    """The number of equal steps, none of them longer than a size."""
    # The margin keeps 1 / (1/49), which is 49.00000000000001, at 49 steps.
    return math.ceil(1 / size - 1e-9)


_SMALLEST = 1e-6  # an excess of 0 has no logarithm


def _shrunk(law: Law, state: State, excess: float) -> tuple[State, Move]:
    factor = min(SHRINK, _factor(law, state, excess))
    size = max(law.finest, state.size * factor)
    shrunk = replace(
        state,
        size=size,
        excess=excess if math.isfinite(excess) else 1.0,
        failed=min(state.failed, state.size),
        since=0,
        wait=min(2 * state.wait, law.shortest),
    )
    return shrunk, "shrink" if size < state.size else "finest"


def _factor(law: Law, state: State, excess: float) -> float:
    if not math.isfinite(excess):
        return LEAST
    now, before = max(excess, _SMALLEST) / AIM, state.excess / AIM
    factor: float = now ** (-INTEGRAL / law.order) * before ** (PROPORTIONAL / law.order)
    return min(MOST, max(LEAST, factor))
