"""What defines a training."""

from dataclasses import dataclass
from typing import Literal

from solverproof.datasets.base import DataSet
from solverproof.models.specifications import Gradient, Model
from solverproof.ode.solvers import Setting, Solver
from solverproof.specifications import Specification
from solverproof.training.controllers.base import Controller


@dataclass(frozen=True, kw_only=True)
class Protocol(Specification):
    """How a model is trained; by default with Adam (Ott et al. 2021, section 4).

    Attributes:
        iterations: number of optimiser updates.
        batch: samples per update.
        learning_rate: that of the first update.
        gradient: how gradients are computed.
        history_every: iterations between two rows of the history.
        optimizer: what turns gradients into updates.
        momentum: of SGD.
        weight_decay: added to the gradients as a multiple of the parameters; AdamW takes it from
            the parameters instead.
        clip: largest norm of a seed's gradient over all its parameters; None for no limit.
        schedule: how the learning rate falls; see `learning_rate`.
        decay_every, decay: of the schedule `step`, its interval in iterations and its factor.
        loss: what is minimised: `cross_entropy`, `mean_squared_error`, or an import path; None for
            that of the data, cross-entropy for classes and mean squared error for real values.
        loss_code: hash of the user's own code behind it.
        random_end: largest relative change of the end time, which every iteration draws anew.
        consistency: weight of what half as many steps change in end states, added to the loss.
        local_error: weight of the error of a random step, added to the loss.
    """

    iterations: int
    batch: int
    learning_rate: float
    gradient: Gradient = "backpropagation"
    history_every: int
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip: float | None = None
    schedule: Literal["constant", "cosine", "step"] = "constant"
    decay_every: int | None = None
    decay: float = 0.1
    loss: str | None = None
    loss_code: str | None = None
    random_end: float = 0.0
    consistency: float = 0.0
    local_error: float = 0.0


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
