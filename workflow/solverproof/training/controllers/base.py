"""The interface of a controller's definition, and of what it does during training."""

from __future__ import annotations  # batches are of tensors; planning does not load torch

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from solverproof.family import Family
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.families import FAMILIES
from solverproof.training.stateful import Stateful

if TYPE_CHECKING:
    from solverproof.models.samples import Samples
    from solverproof.training.batches import Batch
    from solverproof.training.loop import More

Decision = Literal[
    "shrink", "try", "grow", "keep", "finest", "coarsest", "unchanged", "passed", "failed"
]


class Controller(Family):
    """The definition of a rule that chooses the setting of every iteration of a training.

    Attributes:
        solver_keys: the keys whose values are names of solvers, or lists of them.
        adapts: whether its choices depend on the model, so that figure 5 shows them.
        probe_every: iterations between two measurements on the test set.
    """

    registry: ClassVar[Mapping[str, str]] = FAMILIES
    solver_keys: ClassVar[tuple[str, ...]] = ()
    adapts: ClassVar[bool]
    probe_every: int

    @classmethod
    def of(cls, definition: Mapping[str, Any], solvers: Mapping[str, Solver]) -> Self:
        """The controller that the configuration defines, with solvers in place of their names."""
        keys = cls.named(definition["family"]).solver_keys
        used = {key: _json(definition[key], solvers) for key in keys if key in definition}
        return cls.from_json({**definition, **used})

    def misfit(self, solver: Solver) -> str | None:
        """Why it does not fit a training solver, and what to write instead; None if it fits."""
        raise NotImplementedError

    def expected_steps(self, solver: Solver) -> int | None:
        """Steps of a forward pass in training, for planning; None if the definition has none."""
        raise NotImplementedError

    def held_out(self, *, classes: bool) -> int:
        """How many training samples it keeps from training, to test the model with at the end.

        Args:
            classes: whether the targets are labels of classes.

        Raises:
            InputError: if no test with so few can pass.
        """
        del classes
        return 0

    def more(self, schedule: Any, held_out: Samples | None) -> More | None:
        """What decides whether training goes on where it would end; None: it ends.

        Args:
            schedule: that of the seed.
            held_out: samples that were not trained with; None if there are none.
        """
        del schedule, held_out
        return None

    def probe_solvers_used(self) -> tuple[Solver, ...]:
        """Solvers to measure the model with during training, besides the training solver."""
        return ()

    def published(self) -> str | None:
        """The row of the paper's table 1 to compare the results with; None if there is none."""
        return None

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> Schedule:
        """The schedule of one seed's training.

        Args:
            solver: the training solver.
            seed: the seed.
            stream: seed of the run's random numbers.
        """
        raise NotImplementedError


def _json(names: Any, solvers: Mapping[str, Solver]) -> Any:
    if isinstance(names, str):
        return solvers[names].to_json()
    return [solvers[name].to_json() for name in names]


class Schedule(Stateful, Protocol):
    """Chooses the setting of every iteration of one seed's training.

    Attributes:
        checks: one row per check.
    """

    checks: list[Check]

    @property
    def deployed(self) -> Setting:
        """The setting with which the trained model is meant to be used."""

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A row of `checks.csv`: a comparison with a more accurate solver.

    Attributes:
        iteration: counted from 1.
        seed: the seed.
        step_size: step size of the training solver, as a fraction of the horizon; None for adaptive
            solvers.
        tolerance: tolerance of an adaptive training solver.
        steps: number of steps of a fixed-step training solver.
        train_score: accuracy on the batch with the training setting; of real values the error.
        test_solver, test_steps, test_tolerance: the more accurate setting.
        test_score: the same with the more accurate setting.
        larger_score: with the larger step size or tolerance that was tried; NaN if none was.
        decision: the decision that followed.
        total_nfe: evaluations in the forward passes of training before the check.
        monitoring_nfe: evaluations of all checks up to this one, and of the first step size.
        excess: what a rule with a set-point measured, over that; of its tests at the end the most
            samples that may miss the flow, over those that are accepted. NaN of rules without one.
    """

    iteration: int
    seed: int
    step_size: float | None
    tolerance: float | None = None
    steps: int | None
    train_score: float = math.nan
    test_solver: str = ""
    test_steps: int | None = None
    test_tolerance: float | None = None
    test_score: float = math.nan
    larger_score: float = math.nan
    decision: Decision
    total_nfe: int
    monitoring_nfe: int
    excess: float = math.nan
