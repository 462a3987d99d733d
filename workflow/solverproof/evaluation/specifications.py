"""What defines the evaluation, the audit and the trace of a trained cell."""

from dataclasses import dataclass

from solverproof.models.specifications import Model
from solverproof.ode.solvers import Setting, Solver
from solverproof.specifications import Specification


@dataclass(frozen=True, kw_only=True)
class BlockSpec(Specification):
    """A trained block of seeds, each with the setting it was trained with.

    Attributes:
        task: its task.
        model: what was trained.
        device: where it is computed, as in the configuration.
        controller: name of the controller that chose the setting in training; None without one.
        adapted: whether the controller's choices depended on the model.
        seeds: the block.
    """

    task: str
    model: Model
    device: str = "cpu"
    controller: str | None = None
    adapted: bool = False
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class AuditSpec(BlockSpec):
    """The audit of a trained block of seeds.

    Attributes:
        candidates: whether other settings are tried for the first seed that trained.
    """

    candidates: bool = False


@dataclass(frozen=True, kw_only=True)
class EvaluationSpec(BlockSpec):
    """A trained block of seeds under other solvers.

    Attributes:
        solvers: solvers to test with.
        ratios: step sizes or tolerances to test with, as multiples of the training one.
    """

    solvers: tuple[Solver, ...]
    ratios: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class TraceSpec(Specification):
    """Trajectories and decision regions of one seed.

    Attributes:
        model: what was trained.
        setting: its training setting.
        index: position of the seed in its block.
    """

    model: Model
    setting: Setting
    index: int
