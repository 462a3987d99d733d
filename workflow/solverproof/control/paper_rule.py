"""The paper's algorithm, which chooses a step size (or tolerance) while a model trains.

Now and then the score of a batch with the training setting is compared with that under a more
accurate test setting. If they differ by more than the threshold, the step size (or tolerance)
shrinks; otherwise a larger one is tried, and kept unless its own score differs too much.

Source: Ott et al. 2021, section 4, step adaptation algorithm.
"""

import math
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from solverproof.control.law import steps_of
from solverproof.control.measurement import Measurement
from solverproof.ode.solvers import Setting, Solver

MARGIN = 50  # the test solver's error estimate is smaller by this factor
FIRST_TOLERANCE = 1e-6
FINEST_TOLERANCE = 1e-7  # float32 states resolve no smaller relative errors
MOST_TIGHTENINGS = 6  # of the tolerance, where the test solver is the training solver
# Checks without a change in NFE after which a tolerance is not raised. The paper says iterations;
# read literally, the tolerance would never rise from 1e-6, where the NFE are constant.
UNCHANGED = 5

Move = Literal["shrink", "try", "grow", "keep", "finest", "coarsest", "unchanged"]


Measure = Callable[[Setting], Measurement]


@dataclass(frozen=True)
class Rule:
    """When and by how much a step size or tolerance changes.

    Attributes:
        threshold: largest accepted difference of two scores on a batch; see `difference`.
        shrink: factor on a violation, below 1.
        grow: factor that is tried otherwise, above 1.
        finest: smallest step size (as a fraction of the horizon) or tolerance.
        coarsest: largest one.
    """

    threshold: float
    shrink: float
    grow: float
    finest: float
    coarsest: float = 1.0

    def check(self, size: float, difference: float) -> tuple[float, Move]:
        """Judge how much the training solver's score differs from that of a more accurate one.

        Returns:
            On a violation the next size, and `shrink`, or `finest` if it cannot shrink any more;
            otherwise the size to try, and `try`, or `coarsest` if there is no larger one.
        """
        if self._violated(difference):
            shrunk = max(self.finest, size * self.shrink)
            return shrunk, "shrink" if size > self.finest else "finest"
        return min(self.coarsest, size * self.grow), "try" if size < self.coarsest else "coarsest"

    def confirm(self, size: float, tried: float, difference: float) -> tuple[float, Move]:
        """The next size after trying a larger one: the larger one, or on a violation the old.

        As in the paper, the difference is that from the test solver, not from the training solver's
        old step.
        """
        return (size, "keep") if self._violated(difference) else (tried, "grow")

    def _violated(self, difference: float) -> bool:
        """Whether a difference is too large; always if it is NaN (a solver gave up)."""
        # `not <=` and not `>`, which would be False for NaN.
        return not difference <= self.threshold


def difference(one: Measurement, other: Measurement, *, values: bool) -> float:
    """How much two measurements differ: accuracies absolutely, errors relative to the smaller.

    NaN if a solver gave up.
    """
    apart = abs(one.score - other.score)
    if values and apart > 0:
        return apart / min(one.score, other.score) if min(one.score, other.score) else math.inf
    return apart


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        size: step size or tolerance before the check.
        own, test: the batch with the training setting, and with the test setting.
        larger: the score with the larger size that was tried; NaN if none was.
        move: what followed.
    """

    size: float
    own: Measurement
    test: Measurement
    larger: float
    move: Move


class Adaptation:
    """The step size or tolerance of one training.

    Args:
        rule: when and by how much it changes.
        solver, test_solver: the training solver, and the more accurate one.
        plateau: of tolerances that do not change the NFE: `reach` beyond them, or `wait`, as the
            paper has it, while the NFE of the last iterations is the same.

    Attributes:
        size: the present one; NaN before `start`.
    """

    def __init__(
        self,
        rule: Rule,
        solver: Solver,
        test_solver: Solver,
        plateau: Literal["reach", "wait"] = "reach",
    ) -> None:
        self.rule, self.solver, self.test_solver, self.plateau = rule, solver, test_solver, plateau
        self.size = math.nan
        self.recent_nfe: deque[int] = deque(maxlen=UNCHANGED)  # of checks
        self.recent_training_nfe: deque[int] = deque(maxlen=UNCHANGED)  # of iterations
        self.reach = 0

    @property
    def setting(self) -> Setting:
        """The present one."""
        return self._setting(self.size)

    def start(self, size: float) -> None:
        """Begin with a size, or the nearest one that is allowed."""
        self.size = min(self.rule.coarsest, max(self.rule.finest, size))

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: plain numbers."""
        return {
            "size": self.size,
            "recent_nfe": list(self.recent_nfe),
            "recent_training_nfe": list(self.recent_training_nfe),
            "reach": self.reach,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.size, self.reach = state["size"], state["reach"]
        self.recent_nfe.extend(state["recent_nfe"])
        self.recent_training_nfe.extend(state["recent_training_nfe"])

    def note_training(self, nfe: int) -> None:
        """Take note of the evaluations of an iteration, by which `wait` goes."""
        self.recent_training_nfe.append(nfe)

    def check(self, measure: Measure, *, values: bool) -> Checked:
        """Compare the present setting with the test setting, and change it accordingly.

        Args:
            measure: the score of the batch under a setting.
            values: whether scores are errors of real values, not accuracies.
        """
        size, larger = self.size, math.nan
        own = measure(self._setting(size))
        test = self._test(measure, own)
        following, move = self.rule.check(size, difference(own, test, values=values))
        self.recent_nfe.append(own.nfe)
        if move == "try":
            following, move, larger = self._try(measure, own, test, values=values)
        elif move == "finest":
            warnings.warn(f"invalid at the finest size, {self._setting(size).label}", stacklevel=3)
        self.size = following
        return Checked(size, own, test, larger, move)

    def _setting(self, size: float) -> Setting:
        if self.solver.is_adaptive:
            return Setting(self.solver, tolerance=size)
        return Setting(self.solver, steps=steps_of(size))

    def _try(
        self, measure: Measure, own: Measurement, test: Measurement, *, values: bool
    ) -> tuple[float, Move, float]:
        """The next size after trying a larger one, the move, and the score of the try.

        A tolerance is not raised while the NFE does not change: it would buy nothing. But then
        nothing would ever change it again, so while the NFE stays the same each try reaches one
        factor further, up to the first tolerance that takes another NFE, which is taken if it is
        valid. If it is not, the reach begins anew: it must not get ever farther from what was found
        valid, where one lucky batch would accept it.
        """
        idle = self._growth_is_idle()
        reach = self.reach + 1 if idle else 0
        self.reach = 0
        if idle and self.plateau == "wait":
            return self.size, "unchanged", math.nan
        tried = min(self.rule.coarsest, self.size * self.rule.grow ** (1 + reach))
        setting = self._setting(tried)
        # With few steps a larger step size is often the same number of steps: nothing to solve.
        larger = own if setting == own.setting else measure(setting)
        if idle and larger.nfe == own.nfe:
            self.reach = reach
            return self.size, "unchanged", larger.score
        apart = difference(larger, test, values=values)
        following, move = self.rule.confirm(self.size, tried, apart)
        return following, move, larger.score

    def _growth_is_idle(self) -> bool:
        """Whether the tolerance has lately had no effect on the NFE."""
        recent = self.recent_training_nfe if self.plateau == "wait" else self.recent_nfe
        full = len(recent) == UNCHANGED
        return self.solver.is_adaptive and full and len(set(recent)) == 1

    def _test(self, measure: Measure, own: Measurement) -> Measurement:
        """The batch under the checking setting.

        If an adaptive solver checks itself, its tolerance is tightened until it takes more
        evaluations: with the same steps it would agree with itself by construction.
        """
        test = measure(checking_setting(own.setting, self.test_solver))
        if self.test_solver == self.solver:
            for _ in range(MOST_TIGHTENINGS):
                if test.nfe > own.nfe:
                    break
                test = measure(test.setting.at_ratio(0.1))
        return test


def checking_setting(train: Setting, solver: Solver) -> Setting:
    """The setting that checks a training setting, with an error estimate `MARGIN` times smaller.

    For fixed steps of size h = 1/N (as a fraction of the horizon) and orders p and q, the test step
    is at most h and at most (h^p / 50)^(1/q). For Euler and midpoint that is the paper's
    (h/50)^(1/2), for Euler and rk4 its (h/50)^(1/4), for midpoint and rk4 its (h^2/50)^(1/4). For
    adaptive solvers the tolerance is a fifth with another solver, a tenth with the same.
    """
    if train.steps is None:
        other = train.at_ratio(0.2).with_solver(solver)
        return train.at_ratio(0.1) if solver == train.solver else other
    smallest = MARGIN * train.steps**train.solver.order
    steps = max(train.steps, math.floor(smallest ** (1 / solver.order)))
    # In whole numbers, because the root may have been rounded down.
    while steps**solver.order < smallest:
        steps += 1
    return Setting(solver, steps=steps)
