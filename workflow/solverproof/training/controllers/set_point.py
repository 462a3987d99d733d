"""A controller that keeps what a finer step would change at a set-point, without labels."""

from __future__ import annotations  # planning imports this module and must not load torch

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from solverproof.errors import InputError
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller, Decision
from solverproof.training.controllers.measuring import first_size

if TYPE_CHECKING:
    from torch import Tensor

    from solverproof.auditing.measures import Standard
    from solverproof.auditing.verdict import Agreement
    from solverproof.control.set_point import Checked, SetPoint
    from solverproof.models.samples import Samples
    from solverproof.training.batches import Batch, Ending
    from solverproof.training.loop import More


@dataclass(frozen=True, kw_only=True)
class SetPointRule(Controller):
    """As few steps as let a finer step change no more than is accepted.

    Every iteration is trained with that number of steps or fewer, down to 1 / `spread` of them; see
    `solverproof.control`. The model is deployed with the most.

    Attributes:
        accept: the share of predictions that a finer step may change; of real values the relative
            error that 95 % of them may have.
        spread: the most steps that are drawn, over the fewest, which are two at least; 1 draws
            nothing.
        shortest, longest: iterations between two checks, after one that failed and while all is
            well.
        most_steps: the largest number of steps.
        law: constants of the law, by name, where they are not the usual ones; see `control.law`.
        hold_out: training samples to test the trained model with, as an audit would; 0: no test.
        most_tests: tests at most, the first included.
        prolong: iterations of training, with a step half as long, after a test that failed.
        initial: first step size, as a fraction of the horizon; None for Hairer's procedure.
        probe_every: iterations between two measurements on the test set.
        probe_solvers: solvers to measure with besides the training solver.
    """

    family: ClassVar[str] = "set_point"
    adapts: ClassVar[bool] = True
    solver_keys: ClassVar[tuple[str, ...]] = ("probe_solvers",)
    accept: float
    spread: float
    shortest: int
    longest: int
    most_steps: int
    law: Mapping[str, Any] | None = None
    hold_out: int = 0
    most_tests: int = 3
    prolong: int = 1000
    initial: float | None = None
    probe_every: int
    probe_solvers: tuple[Solver, ...]

    def misfit(self, solver: Solver) -> str | None:
        """Adaptive solvers have no number of steps."""
        if solver.is_adaptive:
            return f"{solver.name} chooses its own steps; write a fixed-step solver"
        for other in self.probe_solvers:
            if other.is_adaptive:
                wanted = f"write a solver of kind '{solver.kind}'"
                return f"{other.name} is not of the kind of {solver.name}; {wanted}"
        return None

    def expected_steps(self, solver: Solver) -> int | None:
        """The most of the first draws, if the first step size is given."""
        del solver
        return None if self.initial is None else math.ceil(1 / self.initial)

    def probe_solvers_used(self) -> tuple[Solver, ...]:
        """The given ones."""
        return self.probe_solvers

    def held_out(self, *, classes: bool) -> int:
        """So many that a model none of whose predictions differs passes every test."""
        if not self.hold_out:
            return 0
        from solverproof.auditing.measures import Standard
        from solverproof.control.guard import least_samples

        share = Standard(self.accept, classes).share
        least = least_samples(share, self.most_tests)
        if self.hold_out < least:
            raise InputError(
                f"hold_out: {self.hold_out} samples cannot show in {self.most_tests} tests that "
                f"{share:.3g} of them at most miss; write {least} or more, or 0"
            )
        return self.hold_out

    def more(self, schedule: Follower, held_out: Samples | None) -> More | None:
        """A test with the samples held out, if any."""
        return None if held_out is None else partial(schedule.tested, held_out)

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> Follower:
        """The step size of one seed."""
        return Follower(self, solver, seed, stream)


class Follower:
    """The step size of one seed."""

    def __init__(self, options: SetPointRule, solver: Solver, seed: int, stream: int) -> None:
        self.options, self.solver, self.seed, self.stream = options, solver, seed, stream
        self.point: SetPoint | None = None  # made by the first batch, whose size is unknown
        self.monitoring_nfe = 0
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: that of the step size and the records so far."""
        return {
            "point": self.point and self.point.state_dict(),
            "monitoring_nfe": self.monitoring_nfe,
            "checks": [asdict(check) for check in self.checks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        if state["point"]:
            self.point = self._made(1.0)
            self.point.load_state_dict(state["point"])
        self.monitoring_nfe = state["monitoring_nfe"]
        self.checks[:] = [Check(**check) for check in state["checks"]]

    @property
    def deployed(self) -> Setting:
        """The most steps that are drawn."""
        assert self.point is not None  # a training has one iteration at least
        return self.point.finest

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with, after a check if one is due."""
        if self.point is None:
            self.point = self._made(self._first_size(batch))
        setting, found = self.point.choose(
            lambda setting: _outputs(batch, setting),
            lambda own, finer: self._excess(batch, own, finer),
        )
        if found:
            self.monitoring_nfe += found.nfe
            self._note(batch, found)
        return setting

    def tested(self, held_out: Samples, end: Ending) -> int:
        """For how many iterations training goes on after a test of the model.

        Args:
            held_out: samples that were not trained with; their labels are not used.
            end: the training of the seed, where it would end.
        """
        from solverproof.auditing.trained import double_problem, trained_problem
        from solverproof.control.guard import agreement, passed

        x, standard = held_out.inputs(slice(None)), self._standard(held_out.targets)
        own = trained_problem(end.model, end.parameters, x)
        double = double_problem(end.model, end.parameters, x)

        def passes(setting: Setting, test: int) -> bool:
            found, nfe = agreement(own, double, setting, standard, test)
            # As passes of a training batch, as all evaluations are.
            self.monitoring_nfe += math.ceil(nfe * len(x) / end.batch)
            self._note_test(end, setting, found, "passed" if passed(found) else "failed")
            return passed(found)

        assert self.point is not None  # made by the first batch
        if self.point.confirm(passes) or self.point.tests == self.options.most_tests:
            return 0
        self.point.refine()
        return self.options.prolong

    def _made(self, size: float) -> SetPoint:
        # Imported here because it loads torch.
        from solverproof.control.set_point import Rule, SetPoint

        options = self.options
        rule = Rule(
            solver=self.solver,
            spread=options.spread,
            shortest=options.shortest,
            longest=options.longest,
            most_steps=options.most_steps,
            constants=options.law or {},
        )
        return SetPoint(rule, size, self.stream)

    def _first_size(self, batch: Batch) -> float:
        if self.options.initial is not None:
            return float(self.options.initial)
        size, nfe = first_size(batch, self.solver)
        self.monitoring_nfe += nfe
        return size

    def _excess(self, batch: Batch, own: Tensor, finer: Tensor) -> float:
        from solverproof.control.set_point import excess_of

        return excess_of(self._standard(batch.targets), own, finer)

    def _standard(self, targets: Tensor) -> Standard:
        from solverproof.auditing.measures import Standard

        return Standard(self.options.accept, classes=not targets.is_floating_point())

    def _note(self, batch: Batch, found: Checked) -> None:
        from solverproof.models.losses import seed_scores

        own, finer = (
            seed_scores(outputs.unsqueeze(0), batch.targets).item()
            for outputs in (found.outputs, found.finer_outputs)
        )
        self.checks.append(
            Check(
                iteration=batch.iteration,
                seed=self.seed,
                step_size=1 / found.setting.value,
                steps=found.setting.steps,
                train_score=own,
                test_solver=found.finer.solver.name,
                test_steps=found.finer.steps,
                test_score=finer,
                decision=found.move,
                total_nfe=batch.total_nfe[0],
                monitoring_nfe=self.monitoring_nfe,
                excess=found.excess,
            )
        )

    def _note_test(
        self, end: Ending, setting: Setting, found: Agreement | None, decision: Decision
    ) -> None:
        self.checks.append(
            Check(
                iteration=end.iteration,
                seed=self.seed,
                step_size=1 / setting.value,
                steps=setting.steps,
                test_solver="reference",
                decision=decision,
                total_nfe=end.total_nfe[0],
                monitoring_nfe=self.monitoring_nfe,
                excess=found.high / found.accepted if found else math.nan,
            )
        )


def _outputs(batch: Batch, setting: Setting) -> tuple[Tensor, int]:
    """Those of the only seed of a batch, without a gradient, and their evaluations."""
    import torch

    with torch.no_grad():
        forward = batch.model(batch.parameters, batch.x, setting)
    return forward.outputs[0], forward.solutions[0].nfe
