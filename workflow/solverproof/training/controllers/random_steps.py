"""Training with a random number of steps in every iteration."""

from __future__ import annotations  # planning imports this module and must not load torch

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from solverproof.control.draws import DRAWS
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solverproof.errors import Problem
    from solverproof.training.batches import Batch


@dataclass(frozen=True, kw_only=True)
class RandomSteps(Controller):
    """A baseline: every iteration is trained with a random number of steps.

    The model is deployed with the fewest that are drawn at the end.

    Attributes:
        steps: the fewest and the most steps.
        draw: uniformly in the logarithm of the number of steps, or one of both ends.
        anneal: iterations in which the fewest grow to the most, geometrically; 0: they never do.
        probe_every: iterations between two measurements on the test set.
    """

    family: ClassVar[str] = "random"
    adapts: ClassVar[bool] = False
    steps: tuple[int, ...]
    draw: Literal["log_uniform", "two_point"] = "log_uniform"
    anneal: int = 0
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
        self.rule, self.solver, self.random = rule, solver, random
        self.fewest, self.most = rule.steps
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: the fewest steps, and the random generator's."""
        return {"fewest": self.fewest, "random": self.random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.fewest, self.random.bit_generator.state = state["fewest"], state["random"]

    @property
    def deployed(self) -> Setting:
        """The fewest steps that are drawn now."""
        return Setting(self.solver, steps=self.fewest)

    def __call__(self, batch: Batch) -> Setting:
        """A random setting; of the batch it uses the number of the iteration alone."""
        if self.rule.anneal:
            done = min(1, (batch.iteration - 1) / self.rule.anneal)
            first, _ = self.rule.steps
            self.fewest = round(first ** (1 - done) * self.most**done)
        steps = DRAWS[self.rule.draw](self.fewest, self.most, self.random)
        return Setting(self.solver, steps=steps)
