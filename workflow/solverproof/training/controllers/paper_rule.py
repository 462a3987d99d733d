"""The paper's algorithm, which chooses the step size (or tolerance) during training.

Source: Ott et al. 2021, section 4, step adaptation algorithm.
"""

from __future__ import annotations  # planning imports this module and must not load torch

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from solverproof.control.measurement import Measurement
from solverproof.control.paper_rule import (
    FINEST_TOLERANCE,
    FIRST_TOLERANCE,
    Adaptation,
    Checked,
    Rule,
)
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller
from solverproof.training.controllers.measuring import first_size, measure

if TYPE_CHECKING:
    from solverproof.training.batches import Batch


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

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> Adapting:
        """The algorithm for one seed; it draws no random numbers."""
        del stream
        return Adapting(self, solver, seed)


class Adapting:
    """The algorithm for one seed, with a check every `interval` iterations."""

    def __init__(self, options: PaperRule, solver: Solver, seed: int) -> None:
        finest = FINEST_TOLERANCE if solver.is_adaptive else 1 / options.most_steps
        rule = Rule(options.threshold, options.shrink, options.grow, finest)
        self.adaptation = Adaptation(rule, solver, options.test_solver, options.plateau)
        self.interval, self.first, self.seed = options.interval, options.initial, seed
        self.total_nfe = self.monitoring_nfe = 0
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: that of the size and the records so far."""
        return {
            "adaptation": self.adaptation.state_dict(),
            "total_nfe": self.total_nfe,
            "monitoring_nfe": self.monitoring_nfe,
            "checks": [asdict(check) for check in self.checks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.adaptation.load_state_dict(state["adaptation"])
        self.total_nfe, self.monitoring_nfe = state["total_nfe"], state["monitoring_nfe"]
        self.checks[:] = [Check(**check) for check in state["checks"]]

    @property
    def deployed(self) -> Setting:
        """The present setting."""
        return self.adaptation.setting

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with, after a check if one is due."""
        if math.isnan(self.adaptation.size):
            # The procedure may give a step longer than the interval, or more steps than allowed.
            self.adaptation.start(self._first_size(batch))
        (total_nfe,) = batch.total_nfe
        if batch.iteration > 1:
            self.adaptation.note_training(total_nfe - self.total_nfe)
        self.total_nfe = total_nfe
        # Before the update, on the batch that is trained on next.
        if batch.iteration % self.interval == 0:
            self._note(batch, self._checked(batch))
        return self.deployed

    def _first_size(self, batch: Batch) -> float:
        if self.first is not None:
            return float(self.first)
        solver = self.adaptation.solver
        if solver.is_adaptive:
            return FIRST_TOLERANCE
        size, nfe = first_size(batch, solver)
        self.monitoring_nfe += nfe
        return size

    def _checked(self, batch: Batch) -> Checked:
        def measured(setting: Setting) -> Measurement:
            # Counted apart from training, because the paper's NFE leave the checks out.
            found = measure(batch, setting)
            self.monitoring_nfe += found.nfe
            return found

        return self.adaptation.check(measured, values=batch.targets.is_floating_point())

    def _note(self, batch: Batch, found: Checked) -> None:
        own, test = found.own, found.test
        self.checks.append(
            Check(
                iteration=batch.iteration,
                seed=self.seed,
                step_size=None if own.setting.solver.is_adaptive else found.size,
                tolerance=own.setting.tolerance,
                steps=own.setting.steps,
                train_score=own.score,
                test_solver=test.setting.solver.name,
                test_steps=test.setting.steps,
                test_tolerance=test.setting.tolerance,
                test_score=test.score,
                larger_score=found.larger,
                decision=found.move,
                total_nfe=batch.total_nfe[0],
                monitoring_nfe=self.monitoring_nfe,
            )
        )
