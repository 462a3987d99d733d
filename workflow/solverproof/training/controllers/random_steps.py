"""Training with a random number of steps in every iteration."""

from __future__ import annotations  # planning imports this module and must not load torch

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from solverproof.control.draws import steps_between
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solverproof.errors import Problem
    from solverproof.training.batches import Batch


@dataclass(frozen=True, kw_only=True)
class RandomSteps(Controller):
    """A baseline: every iteration is trained with a random number of steps.

    The draw is uniform in the logarithm of the number of steps. The model is deployed with the
    coarsest step it was trained with.

    Attributes:
        steps: the fewest and the most steps.
        probe_every: iterations between two measurements on the test set.
    """

    family: ClassVar[str] = "random"
    adapts: ClassVar[bool] = False
    steps: tuple[int, ...]
    probe_every: int

    def problems(self) -> Iterator[Problem]:
        """Steps in the wrong order."""
        fewest, most = self.steps
        if fewest > most:
            yield ("steps",), f"the fewest steps come first; write {[most, fewest]}"

    def misfit(self, solver: Solver) -> str | None:
        """Adaptive solvers have no number of steps."""
        wanted = f"{solver.name} has no steps to draw; write a fixed-step solver"
        return wanted if solver.is_adaptive else None

    def expected_steps(self, solver: Solver) -> int | None:
        """The most steps, because memory must suffice for them."""
        del solver
        return max(self.steps)

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> Draws:
        """The draws of one seed."""
        del seed
        return Draws(self, solver, np.random.default_rng(stream))


class Draws:
    """Draws the setting of every iteration, and checks nothing."""

    def __init__(self, rule: RandomSteps, solver: Solver, random: np.random.Generator) -> None:
        self.solver, self.random = solver, random
        self.fewest, self.most = rule.steps
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: that of the random generator."""
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.random.bit_generator.state = state["random"]

    @property
    def deployed(self) -> Setting:
        """The coarsest setting."""
        return Setting(self.solver, steps=self.fewest)

    def __call__(self, batch: Batch) -> Setting:
        """A random setting."""
        del batch  # the draw does not depend on it
        return Setting(self.solver, steps=steps_between(self.fewest, self.most, self.random))
