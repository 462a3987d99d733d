"""The paper's algorithm, which chooses the step size (or tolerance) during training.

Source: Ott et al. 2021, section 4, step adaptation algorithm.
"""

from __future__ import annotations  # planning imports this module and must not load torch

import math
import warnings
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from solverproof.control.law import steps_of
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller, Decision
from solverproof.training.controllers.measuring import Measurement, first_size, measure

if TYPE_CHECKING:
    from solverproof.training.batches import Batch

MARGIN = 50  # the test solver's error estimate is smaller by this factor
FIRST_TOLERANCE = 1e-6
FINEST_TOLERANCE = 1e-7  # float32 states resolve no smaller relative errors
MOST_TIGHTENINGS = 6  # of the tolerance, where the test solver is the training solver
# Checks without a change in NFE after which a tolerance is not raised. The paper says iterations;
# read literally, the tolerance would never rise from 1e-6, where the NFE are constant.
UNCHANGED = 5


@dataclass(frozen=True, kw_only=True)
class PaperRule(Controller):
    """Every few iterations the accuracy on the batch is compared with that of a better solver.

    Attributes:
        test_solver: the more accurate solver.
        threshold: largest accepted difference of the two accuracies; of errors of real values the
            largest relative one.
        interval: iterations between two checks.
        shrink: factor of the step size or tolerance on a violation, below 1.
        grow: factor that is tried otherwise, above 1.
        most_steps: largest number of steps.
        initial: first step size (as a fraction of the horizon) or tolerance; None for Hairer's
            procedure for a step size, 1e-6 for a tolerance.
        plateau: of tolerances that do not change the NFE: `reach` beyond them, or `wait`, as
            the paper has it, while the NFE of the last five iterations is the same.
        probe_every: iterations between two measurements on the test set.
        probe_solvers: solvers to measure with besides the training solver; None: the test solver.
    """

    family: ClassVar[str] = "adaptation"
    adapts: ClassVar[bool] = True
    solver_keys: ClassVar[tuple[str, ...]] = ("test_solver", "probe_solvers")
    test_solver: Solver
    threshold: float
    interval: int
    shrink: float
    grow: float
    most_steps: int
    initial: float | None = None
    plateau: Literal["reach", "wait"] = "reach"
    probe_every: int
    probe_solvers: tuple[Solver, ...] | None = None

    def misfit(self, solver: Solver) -> str | None:
        """A test solver that is no better, or solvers of another measure."""
        test = self.test_solver
        for other in (test, *self.probe_solvers_used()):
            if other.measure != solver.measure:
                wanted = f"write a solver of kind '{solver.kind}'"
                return f"{other.name} is not of the kind of {solver.name}; {wanted}"
        if test.order > solver.order or (solver.is_adaptive and test == solver):
            return None
        itself = f", or {solver.name} itself" if solver.is_adaptive else ""
        wanted = f"write one of order above {solver.order}{itself}"
        return f"its test solver {test.name} is no better than {solver.name}; {wanted}"

    def expected_steps(self, solver: Solver) -> int | None:
        """The steps of the first step size, if it is given."""
        if self.initial is None or solver.is_adaptive:
            return None
        return math.ceil(1 / self.initial)

    def probe_solvers_used(self) -> tuple[Solver, ...]:
        """The given ones; otherwise the test solver."""
        return (self.test_solver,) if self.probe_solvers is None else self.probe_solvers

    def published(self) -> str | None:
        """Adaptation, if the test solver is the paper's, the midpoint rule."""
        return "adaptation" if self.test_solver.name == "midpoint" else None

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> Adaptation:
        """The algorithm for one seed; it draws no random numbers."""
        del stream
        return Adaptation(self, solver, seed)


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

    def check(self, size: float, difference: float) -> tuple[float, Decision]:
        """Judge how much the training solver's score differs from that of a more accurate one.

        Returns:
            On a violation the next size, and `shrink`, or `finest` if it cannot shrink any more;
            otherwise the size to try, and `try`, or `coarsest` if there is no larger one.
        """
        if self._violated(difference):
            shrunk = max(self.finest, size * self.shrink)
            return shrunk, "shrink" if size > self.finest else "finest"
        return min(self.coarsest, size * self.grow), "try" if size < self.coarsest else "coarsest"

    def confirm(self, size: float, tried: float, difference: float) -> tuple[float, Decision]:
        """The next size after trying a larger one: the larger one, or on a violation the old.

        As in the paper, the difference is that from the test solver, not from the training solver's
        old step.
        """
        return (size, "keep") if self._violated(difference) else (tried, "grow")

    def _violated(self, difference: float) -> bool:
        """Whether a difference is too large; always if it is NaN (a solver gave up)."""
        # `not <=` and not `>`, which would be False for NaN.
        return not difference <= self.threshold


def difference(batch: Batch, one: Measurement, other: Measurement) -> float:
    """How much two measurements differ: accuracies absolutely, errors relative to the smaller."""
    apart = abs(one.score - other.score)
    if batch.targets.is_floating_point() and apart > 0:
        return apart / min(one.score, other.score) if min(one.score, other.score) else math.inf
    return apart


class Adaptation:
    """The algorithm for one seed.

    Every `interval` iterations the accuracy on the batch with the training setting is compared
    with that under a more accurate test setting. If they differ by more than the threshold, the
    step size (or tolerance) shrinks; otherwise a larger one is tried, and kept unless its own
    accuracy differs too much.
    """

    def __init__(self, options: PaperRule, solver: Solver, seed: int) -> None:
        self.solver, self.test_solver = solver, options.test_solver
        self.interval, self.first, self.seed = options.interval, options.initial, seed
        finest = FINEST_TOLERANCE if solver.is_adaptive else 1 / options.most_steps
        self.rule = Rule(options.threshold, options.shrink, options.grow, finest)
        self.size = math.nan  # unknown until the first batch, which Hairer's procedure needs
        self.plateau = options.plateau
        self.recent_nfe: deque[int] = deque(maxlen=UNCHANGED)  # of checks
        self.recent_training_nfe: deque[int] = deque(maxlen=UNCHANGED)  # of iterations
        self.total_nfe = self.reach = 0
        self.monitoring_nfe = 0
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: the size and the records so far."""
        return {
            "size": self.size,
            "recent_nfe": list(self.recent_nfe),
            "recent_training_nfe": list(self.recent_training_nfe),
            "total_nfe": self.total_nfe,
            "reach": self.reach,
            "monitoring_nfe": self.monitoring_nfe,
            "checks": [asdict(check) for check in self.checks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.size, self.monitoring_nfe = state["size"], state["monitoring_nfe"]
        self.recent_nfe.extend(state["recent_nfe"])
        self.recent_training_nfe.extend(state["recent_training_nfe"])
        self.total_nfe, self.reach = state["total_nfe"], state["reach"]
        self.checks[:] = [Check(**check) for check in state["checks"]]

    @property
    def deployed(self) -> Setting:
        """The setting at the current size."""
        return self._setting(self.size)

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with, after a check if one is due."""
        if math.isnan(self.size):
            # The procedure may give a step longer than the interval, or more steps than allowed.
            first = self._first_size(batch)
            self.size = min(self.rule.coarsest, max(self.rule.finest, first))
        (total_nfe,) = batch.total_nfe
        if batch.iteration > 1:
            self.recent_training_nfe.append(total_nfe - self.total_nfe)
        self.total_nfe = total_nfe
        # Before the update, on the batch that is trained on next.
        if batch.iteration % self.interval == 0:
            self._check(batch)
        return self.deployed

    def _setting(self, size: float) -> Setting:
        if self.solver.is_adaptive:
            return Setting(self.solver, tolerance=size)
        return Setting(self.solver, steps=steps_of(size))

    def _first_size(self, batch: Batch) -> float:
        if self.first is not None:
            return float(self.first)
        if self.solver.is_adaptive:
            return FIRST_TOLERANCE
        size, nfe = first_size(batch, self.solver)
        self.monitoring_nfe += nfe
        return size

    def _check(self, batch: Batch) -> None:
        size, larger = self.size, math.nan
        own = self._measure(batch, self._setting(size))
        test = self._test(batch, own)
        following, decision = self.rule.check(size, difference(batch, own, test))
        self.recent_nfe.append(own.nfe)
        if decision == "try":
            following, decision, larger = self._try(batch, own, test)
        elif decision == "finest":
            warnings.warn(f"invalid at the finest size, {self._setting(size).label}", stacklevel=2)
        self.size = following
        self._note(batch, size, own, test, larger, decision)

    def _try(
        self, batch: Batch, own: Measurement, test: Measurement
    ) -> tuple[float, Decision, float]:
        """The next size after trying a larger one, the decision, and the score of the try.

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
        larger = own if setting == own.setting else self._measure(batch, setting)
        if idle and larger.nfe == own.nfe:
            self.reach = reach
            return self.size, "unchanged", larger.score
        apart = difference(batch, larger, test)
        following, decision = self.rule.confirm(self.size, tried, apart)
        return following, decision, larger.score

    def _growth_is_idle(self) -> bool:
        """Whether the tolerance has lately had no effect on the NFE."""
        recent = self.recent_training_nfe if self.plateau == "wait" else self.recent_nfe
        full = len(recent) == UNCHANGED
        return self.solver.is_adaptive and full and len(set(recent)) == 1

    def _test(self, batch: Batch, own: Measurement) -> Measurement:
        """The batch under the checking setting.

        If an adaptive solver checks itself, its tolerance is tightened until it takes more
        evaluations: with the same steps it would agree with itself by construction.
        """
        test = self._measure(batch, checking_setting(own.setting, self.test_solver))
        if self.test_solver == self.solver:
            for _ in range(MOST_TIGHTENINGS):
                if test.nfe > own.nfe:
                    break
                test = self._measure(batch, test.setting.at_ratio(0.1))
        return test

    def _measure(self, batch: Batch, setting: Setting) -> Measurement:
        # Counted apart from training, because the paper's NFE leave the checks out.
        found = measure(batch, setting)
        self.monitoring_nfe += found.nfe
        return found

    def _note(
        self,
        batch: Batch,
        size: float,
        own: Measurement,
        test: Measurement,
        larger: float,
        decision: Decision,
    ) -> None:
        self.checks.append(
            Check(
                iteration=batch.iteration,
                seed=self.seed,
                step_size=None if self.solver.is_adaptive else size,
                tolerance=own.setting.tolerance,
                steps=own.setting.steps,
                train_score=own.score,
                test_solver=test.setting.solver.name,
                test_steps=test.setting.steps,
                test_tolerance=test.setting.tolerance,
                test_score=test.score,
                larger_score=larger,
                decision=decision,
                total_nfe=batch.total_nfe[0],
                monitoring_nfe=self.monitoring_nfe,
            )
        )


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
