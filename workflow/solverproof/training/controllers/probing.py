"""Measuring a model on the test set while it is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from solverproof.evaluation.cross_solver import TEST_COLUMNS, results
from solverproof.models.devices import device
from solverproof.models.samples import samples
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.controllers.base import Controller
from solverproof.training.loop import Batch

PROBE_COLUMNS = ("iteration", "seed", "role", *TEST_COLUMNS)


class Probed:
    """A controller's schedule, which also measures the model on the test set, every `probe_every` iterations.

    Tested are the deployed setting, half its step size (or a tenth of its tolerance), and each other
    solver of `probe_solvers` at its step size or tolerance.

    Attributes:
        rows: the results, in the columns `PROBE_COLUMNS`.
    """

    def __init__(self, schedule: Controller, spec: Mapping[str, Any], data: Mapping[str, np.ndarray]) -> None:
        self.schedule = schedule
        self.test_set = samples(data, "test", device(spec["device"]))
        (self.seed,) = spec["seeds"]
        self.solvers, self.interval = spec["probe_solvers"], spec["controller"]["probe_every"]
        self.rows: list[dict[str, Any]] = []

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with."""
        setting = self.schedule(batch)
        if batch.iteration % self.interval == 0:
            self._probe(batch)
        return setting

    def _probe(self, batch: Batch) -> None:
        deployed = self.schedule.deployed
        for test in _probes(deployed, self.solvers):
            (result,) = results(batch.model, batch.parameters, self.test_set, test)
            role = "deployed" if test == deployed else "finer"
            self.rows.append({"iteration": batch.iteration, "seed": self.seed, "role": role, **result})

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: the results, and the controller's state."""
        return {"rows": self.rows, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up such a state."""
        self.rows = state["rows"]
        self.schedule.load_state_dict(state["schedule"])


def _probes(deployed: Setting, solvers: list[str]) -> list[Setting]:
    others = [deployed.with_solver(SOLVERS[name]) for name in solvers if name != deployed.solver.name]
    return [deployed, deployed.finer(0.1 if deployed.solver.is_adaptive else 0.5), *others]
