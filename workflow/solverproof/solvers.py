"""The numerical methods of the study: what is known about each without running it."""

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Solver:
    """A fixed-step one-step method.

    Attributes:
        name: its name in torchdiffeq, in config and in every table.
        order: order of convergence p; the global error falls as h^p.
        stages: vector-field evaluations per step, so NFE = stages * steps.
        source: where the method is defined. HNW is Hairer, Nørsett, Wanner,
            Solving Ordinary Differential Equations I (2nd edition, 1993).
    """

    name: str
    order: int
    stages: int
    source: str


SOLVERS = {
    solver.name: solver
    for solver in (
        Solver("euler", order=1, stages=1, source="explicit Euler; HNW II.1"),
        Solver("midpoint", order=2, stages=2, source="explicit midpoint (Runge 1895); HNW II.1"),
        Solver("heun2", order=2, stages=2, source="explicit trapezoidal rule; HNW II.1"),
        Solver("heun3", order=3, stages=3, source="Heun 1900; HNW II.1, table 1.1"),
        Solver("rk4", order=4, stages=4, source="Kutta's 3/8 rule; HNW II.1, table 1.2"),
    )
}


def steps_at_ratio(train_steps: int, ratio: float) -> int:
    """Steps that make the test step at most `ratio` times the training step.

    A step of exactly `ratio * h` need not divide the interval. There is no shorter last step:
    the number of steps is rounded up and all steps are equal, so the step really taken is the
    largest one not above `ratio * h` that divides the interval (at least one step is taken).
    """
    return max(1, math.ceil(train_steps / Fraction(str(ratio))))


def is_at_least_as_accurate(test: tuple[str, int], train: tuple[str, int]) -> bool:
    """Whether `test` (solver, steps) has a numerical error equal to or below that of `train`.

    True for the same solver at an equal or smaller step, and for a solver of higher order at an
    equal or smaller step (a claim about small steps: orders say nothing about one large step).
    """
    (test_solver, test_n), (train_solver, train_n) = test, train
    better = SOLVERS[test_solver].order > SOLVERS[train_solver].order
    return test_n >= train_n and (test_solver == train_solver or better)
