"""The law by which a step size follows its set-point: pure functions, of one page.

What is measured falls with a power of the step size, so that one measurement tells how far to move.
Per check, with the excess e = measured / accepted, the one before e', and the order p:

1. Not a number (a solver gave up): halve the step.
2. e > 1: shrink it, by a tenth at least, and remember the step that failed.
3. 1/4 <= e <= 1: keep it.
4. e < 1/4: let it grow, but to nine tenths at most of a step that failed within the last `memory`
   checks.
5. The factor is (aim/e)^(0.7/p) (e'/aim)^(0.4/p), between 1/2 and 2.
6. The next check comes after twice as many iterations as this one, `longest` at most; after a step
   that failed `shortest` at most.

The factor is the PI controller of stiff solvers (Gustafsson 1991; Hairer and Wanner, Solving ODEs
II, 2nd edition, p. 28): while the error grows, the second term holds the step back before it fails.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

Move = Literal["shrink", "keep", "grow", "finest"]


@dataclass(frozen=True)
class Law:
    """The constants of one training.

    Attributes:
        order: p, by which what is measured falls with the step size.
        finest, coarsest: smallest and largest step size, as fractions of the interval.
        shortest, longest: iterations between two checks.
        aim, band: of what is accepted, where to and below which a step grows.
        integral, proportional: the exponents of this measurement and of the one before, over the
            order.
        most: the largest factor of one move, whose inverse is the smallest.
        shrink: a step that failed shrinks to this of it or less, and grows to no more.
        memory: checks for which a step that failed is not tried again.
    """

    order: int
    finest: float
    coarsest: float
    shortest: int
    longest: int
    aim: float = 0.5
    band: float = 0.25
    integral: float = 0.7
    proportional: float = 0.4
    most: float = 2.0
    shrink: float = 0.9
    memory: int = 10


@dataclass(frozen=True)
class State:
    """What the law remembers.

    Attributes:
        size: step size, as a fraction of the interval.
        excess: e of the last check over the aim; 1 before the first.
        failed: the smallest size that failed lately; infinite if none did.
        since: checks since then.
        wait: iterations until the next check.
    """

    size: float
    excess: float = 1.0
    failed: float = math.inf
    since: int = 0
    wait: int = 1


def follow(law: Law, state: State, excess: float) -> tuple[State, Move]:
    """The state after a check that measured an excess, and what it did to the step size."""
    if not excess <= 1:  # or is not a number
        return _shrunk(law, state, excess)
    since = state.since + 1
    failed = state.failed if since < law.memory else math.inf
    wait = min(2 * state.wait, law.longest)
    grown = state.size * _factor(law, state, excess) if excess < law.band else state.size
    size = max(state.size, min(grown, law.shrink * failed, law.coarsest))
    kept = State(size, max(excess, _SMALLEST) / law.aim, failed, since, wait)
    return kept, "grow" if size > state.size else "keep"


def steps_of(size: float) -> int:
    """The number of equal steps, none of them longer than a size."""
    # The margin keeps 1 / (1/49), which is 49.00000000000001, at 49 steps.
    return math.ceil(1 / size - 1e-9)


_SMALLEST = 1e-6  # an excess of 0 has no logarithm


def _shrunk(law: Law, state: State, excess: float) -> tuple[State, Move]:
    factor = min(law.shrink, _factor(law, state, excess))
    size = max(law.finest, state.size * factor)
    shrunk = replace(
        state,
        size=size,
        excess=(excess if math.isfinite(excess) else 1.0) / law.aim,
        failed=min(state.failed, state.size),
        since=0,
        wait=min(2 * state.wait, law.shortest),
    )
    return shrunk, "shrink" if size < state.size else "finest"


def _factor(law: Law, state: State, excess: float) -> float:
    if not math.isfinite(excess):
        return 1 / law.most
    now, before = max(excess, _SMALLEST) / law.aim, state.excess
    factor: float = now ** (-law.integral / law.order) * before ** (law.proportional / law.order)
    return min(law.most, max(1 / law.most, factor))
