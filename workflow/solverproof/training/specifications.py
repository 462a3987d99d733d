"""What defines a training."""

from dataclasses import dataclass

from solverproof.datasets.base import DataSet
from solverproof.models.specifications import Gradient, Model
from solverproof.ode.solvers import Setting, Solver
from solverproof.specifications import Specification
from solverproof.training.controllers.base import Controller


@dataclass(frozen=True, kw_only=True)
class Protocol(Specification):
    """How a model is trained: Adam on cross-entropy (Ott et al. 2021, section 4).

    Attributes:
        iterations: number of optimiser updates.
        batch: samples per update.
        learning_rate: Adam's learning rate.
        gradient: how gradients are computed.
        history_every: iterations between two rows of the history.
    """

    iterations: int
    batch: int
    learning_rate: float
    gradient: Gradient = "backpropagation"
    history_every: int


@dataclass(frozen=True, kw_only=True)
class Training(Specification):
    """A block of seeds, however its settings are chosen.

    Attributes:
        task: name of the task, from which the random numbers derive.
        data: the data set.
        model: what is trained.
        protocol: how it is trained.
        seeds: the block.
        device: where it is computed, as in the configuration.
    """

    task: str
    data: DataSet
    model: Model
    protocol: Protocol
    seeds: tuple[int, ...]
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class SettingTraining(Training):
    """A block of seeds trained with one setting."""

    setting: Setting


@dataclass(frozen=True, kw_only=True)
class ControlledTraining(Training):
    """One seed whose settings a controller chooses.

    Attributes:
        name: the controller's.
        solver: the training solver.
        controller: what chooses its steps or tolerance.
    """

    name: str
    solver: Solver
    controller: Controller
