"""Training with a random number of steps in every iteration."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from solverproof.ode.solvers import Setting, Solver
from solverproof.training.loop import Batch


class RandomSteps:
    """A baseline: every iteration is trained with a number of steps drawn at random, uniformly in its logarithm.

    The model is deployed with the coarsest step it was trained with.
    """

    def __init__(self, options: Mapping[str, Any], solver: Solver, random: np.random.Generator) -> None:
        self.solver, self.random = solver, random
        self.fewest, self.most = options["steps"]
        self.checks: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: the state of the random numbers."""
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up such a state."""
        self.random.bit_generator.state = state["random"]

    @property
    def deployed(self) -> Setting:
        """The coarsest setting."""
        return Setting(self.solver, self.fewest)

    def __call__(self, batch: Batch) -> Setting:
        """A setting drawn at random."""
        del batch  # the draw does not depend on it
        ends = math.log(self.fewest), math.log(self.most + 1)
        return Setting(self.solver, math.floor(math.exp(self.random.uniform(*ends))))
