"""What a controller is."""

from typing import Any, Protocol

from solverproof.ode.solvers import Setting
from solverproof.training.loop import Batch
from solverproof.training.stateful import Stateful

CHECK_COLUMNS = (
    "iteration", "seed", "step_size", "tolerance", "steps", "train_accuracy", "test_solver", "test_steps",
    "test_tolerance", "test_accuracy", "larger_accuracy", "decision", "total_nfe", "monitoring_nfe",
)  # fmt: skip


class Controller(Stateful, Protocol):
    """Chooses the setting of every iteration.

    Attributes:
        checks: one row per check, in the columns `CHECK_COLUMNS`.
    """

    checks: list[dict[str, Any]]

    @property
    def deployed(self) -> Setting:
        """The setting the trained model is meant to be used with."""

    def __call__(self, batch: Batch) -> Setting:
        """The setting to train a batch with."""
