"""Measuring a model on the test set during training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from solverproof.evaluation.cross_solver import evaluate_setting
from solverproof.evaluation.rows import Result
from solverproof.models.devices import chosen_device
from solverproof.models.samples import samples
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.batches import Batch
from solverproof.training.controllers.base import Schedule
from solverproof.training.specifications import ControlledTraining


@dataclass(frozen=True, kw_only=True)
class _When:
    iteration: int
    seed: int
    role: Literal["deployed", "finer"]


@dataclass(frozen=True, kw_only=True)
class Probe(Result, _When):
    """A row of `probes.csv`: iteration, seed, role, and the columns of `Result`."""


class Probed:
    """A controller's schedule, which also measures the model every `probe_every` iterations.

    It measures the deployed setting, half its step size (or a tenth of its tolerance), and each
    other solver that the controller names, at the deployed step size or tolerance.

    Attributes:
        rows: the results.
    """

    def __init__(
        self, schedule: Schedule, spec: ControlledTraining, data: Mapping[str, np.ndarray]
    ) -> None:
        self.schedule = schedule
        self.test_set = samples(data, "test", chosen_device(spec.device))
        (self.seed,) = spec.seeds
        self.solvers = spec.controller.probe_solvers_used()
        self.interval = spec.controller.probe_every
        self.rows: list[Probe] = []

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with."""
        # The schedule sees only training batches: no choice may depend on the test set.
        setting = self.schedule(batch)
        if batch.iteration % self.interval == 0:
            self._probe(batch)
        return setting

    def _probe(self, batch: Batch) -> None:
        # Counted in no NFE: figure 5 needs these evaluations, the controller does not.
        deployed = self.schedule.deployed
        for test in _settings(deployed, self.solvers):
            (result,) = evaluate_setting(batch.model, batch.parameters, self.test_set, test)
            role: Literal["deployed", "finer"] = "deployed" if test == deployed else "finer"
            when = _When(iteration=batch.iteration, seed=self.seed, role=role)
            self.rows.append(Probe(**vars(when), **vars(result)))

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: the results and the controller's state."""
        return {"rows": [asdict(row) for row in self.rows], "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.rows = [Probe(**row) for row in state["rows"]]
        self.schedule.load_state_dict(state["schedule"])


def _settings(deployed: Setting, solvers: tuple[Solver, ...]) -> list[Setting]:
    others = [deployed.with_solver(solver) for solver in solvers if solver != deployed.solver]
    finer = deployed.at_ratio(0.1 if deployed.solver.is_adaptive else 0.5)
    return [deployed, finer, *others]
