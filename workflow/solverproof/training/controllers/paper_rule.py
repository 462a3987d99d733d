"""Choosing the step size (or tolerance) during training: the paper's algorithm.

Source: Ott et al. 2021, section 4, step adaptation algorithm.
"""

import math
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from solverproof.ode.initial_step import initial_step
from solverproof.ode.integration import Solution
from solverproof.ode.solvers import SOLVERS, Setting, Solver
from solverproof.training.controllers.base import CHECK_COLUMNS
from solverproof.training.loop import Batch

MARGIN = 50  # how many times smaller the error estimate of the test solver is
FIRST_TOLERANCE = 1e-6
FINEST_TOLERANCE = 1e-7  # float32 states resolve no smaller relative errors
MOST_TIGHTENINGS = 6  # of the tolerance of a test solver that is the training solver
UNCHANGED = 5  # checks without a change in NFE after which a tolerance is not raised

Decision = Literal["shrink", "try", "grow", "keep", "finest", "coarsest", "unchanged"]


@dataclass(frozen=True)
class Rule:
    """When and by how much a step size or tolerance changes.

    Attributes:
        threshold: largest difference of two accuracies on a batch that is accepted.
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

    def check(self, size: float, train_accuracy: float, test_accuracy: float) -> tuple[float, Decision]:
        """Compare the training solver with a more accurate one.

        Returns:
            On a violation the size to go on with, and `shrink`, or `finest` where it cannot shrink any
            more; else the size to try, and `try`, or `coarsest` where there is no larger one.
        """
        if self._violated(train_accuracy, test_accuracy):
            return max(self.finest, size * self.shrink), "shrink" if size > self.finest else "finest"
        return min(self.coarsest, size * self.grow), "try" if size < self.coarsest else "coarsest"

    def confirm(self, size: float, tried: float, accuracy: float, test_accuracy: float) -> tuple[float, Decision]:
        """The size to go on with after trying a larger one: that one, or, on a violation, the old."""
        return (size, "keep") if self._violated(accuracy, test_accuracy) else (tried, "grow")

    def _violated(self, accuracy: float, test_accuracy: float) -> bool:
        """Whether two accuracies differ too much; always, where a solver gave up and one is NaN."""
        return not abs(accuracy - test_accuracy) <= self.threshold


@dataclass(frozen=True)
class Measurement:
    """A batch under one setting: accuracy (NaN if the solver gave up) and evaluations."""

    setting: Setting
    accuracy: float
    nfe: int


class Adaptation:
    """The paper's algorithm, for one seed.

    Every `interval` iterations the accuracy on the batch with the training setting is compared with
    that under a more accurate test setting. If they differ by more than the threshold the step size
    (or tolerance) shrinks; else a larger one is tried, and kept unless it differs itself.

    `total_nfe` of a check counts the forward passes of training before it, `monitoring_nfe` the
    evaluations of all checks until and with it, and of the initial step size.
    """

    def __init__(self, options: Mapping[str, Any], solver: Solver, seed: int) -> None:
        self.solver, self.test_solver = solver, SOLVERS[options["test_solver"]]
        self.interval, self.first, self.seed = options["interval"], options["initial"], seed
        finest = FINEST_TOLERANCE if solver.is_adaptive else 1 / options["most_steps"]
        self.rule = Rule(options["threshold"], options["shrink"], options["grow"], finest)
        self.size = math.nan
        self.recent_nfe: deque[int] = deque(maxlen=UNCHANGED)
        self.monitoring_nfe = 0
        self.checks: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: the size, and what was noted so far."""
        return {
            "size": self.size,
            "recent_nfe": list(self.recent_nfe),
            "monitoring_nfe": self.monitoring_nfe,
            "checks": self.checks,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up such a state."""
        self.size, self.monitoring_nfe = state["size"], state["monitoring_nfe"]
        self.recent_nfe.extend(state["recent_nfe"])
        self.checks[:] = state["checks"]

    @property
    def deployed(self) -> Setting:
        """The setting at the current size."""
        return self._setting(self.size)

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with, after a check where one is due."""
        if math.isnan(self.size):
            self.size = min(self.rule.coarsest, max(self.rule.finest, self._first_size(batch)))
        if batch.iteration % self.interval == 0:
            self._check(batch)
        return self.deployed

    def _setting(self, size: float) -> Setting:
        if self.solver.is_adaptive:
            return Setting(self.solver, size)
        return Setting(self.solver, math.ceil(1 / size - 1e-9))

    def _first_size(self, batch: Batch) -> float:
        if self.first is not None:
            return float(self.first)
        if self.solver.is_adaptive:
            return FIRST_TOLERANCE
        model = batch.model
        state = model.field.pack(batch.x)
        step, nfe = initial_step(model.vector_field(batch.parameters), state, self.solver.order)
        self.monitoring_nfe += nfe
        return step / model.horizon

    def _check(self, batch: Batch) -> None:
        size, larger = self.size, math.nan
        own = self._measure(batch, self._setting(size))
        test = self._test(batch, own)
        following, decision = self.rule.check(size, own.accuracy, test.accuracy)
        self.recent_nfe.append(own.nfe)
        if decision == "try" and self._growth_is_idle():
            following, decision = size, "unchanged"
        elif decision == "try":
            larger = self._measure(batch, self._setting(following)).accuracy
            following, decision = self.rule.confirm(size, following, larger, test.accuracy)
        elif decision == "finest":
            warnings.warn(f"invalid at the finest size, {self._setting(size).label}", stacklevel=2)
        self.size = following
        self._note(batch, size, own, test, larger, decision)

    def _growth_is_idle(self) -> bool:
        """Whether the tolerance has lately had no effect on the steps, so that raising it means nothing."""
        full = len(self.recent_nfe) == UNCHANGED
        return self.solver.is_adaptive and full and len(set(self.recent_nfe)) == 1

    def _test(self, batch: Batch, own: Measurement) -> Measurement:
        """The batch under the test setting; an adaptive solver that tests itself is tightened until it works harder."""
        test = self._measure(batch, test_setting(own.setting, self.test_solver))
        if self.test_solver == self.solver:
            for _ in range(MOST_TIGHTENINGS):
                if test.nfe > own.nfe:
                    break
                test = self._measure(batch, test.setting.finer(0.1))
        return test

    @torch.no_grad()
    def _measure(self, batch: Batch, setting: Setting) -> Measurement:
        forward = batch.model(batch.parameters, batch.x, setting)
        (solution,) = forward.solutions
        self.monitoring_nfe += solution.nfe
        accuracy = (forward.logits.argmax(2) == batch.labels).double().mean().item()
        return Measurement(setting, accuracy if isinstance(solution, Solution) else math.nan, solution.nfe)

    def _note(
        self, batch: Batch, size: float, own: Measurement, test: Measurement, larger: float, decision: Decision
    ) -> None:
        values = (
            batch.iteration, self.seed, None if self.solver.is_adaptive else size, own.setting.tolerance,
            own.setting.steps, own.accuracy, test.setting.solver.name, test.setting.steps, test.setting.tolerance,
            test.accuracy, larger, decision, batch.total_nfe[0], self.monitoring_nfe,
        )  # fmt: skip
        self.checks.append(dict(zip(CHECK_COLUMNS, values, strict=True)))


def test_setting(train: Setting, solver: Solver) -> Setting:
    """The setting that checks a training setting: its error estimate is at least `MARGIN` times smaller.

    Fixed steps of size h = 1/N (in units of the horizon), orders p and q: at most h, and at most
    (h^p / 50)^(1/q), which for Euler and midpoint is the paper's (h/50)^(1/2), for Euler and rk4 its
    (h/50)^(1/4), for midpoint and rk4 its (h^2/50)^(1/4). Adaptive solvers: a fifth of the tolerance
    with another solver, a tenth with the same.
    """
    if train.solver.is_adaptive:
        return train.finer(0.1) if solver == train.solver else train.finer(0.2).with_solver(solver)
    smallest = MARGIN * int(train.fineness) ** train.solver.order
    steps = max(int(train.fineness), math.floor(smallest ** (1 / solver.order)))
    while steps**solver.order < smallest:
        steps += 1
    return Setting(solver, steps)
