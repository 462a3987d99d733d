"""The columns of the results of a trained model under a test setting."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

# For types alone: figures know these columns, and must not depend on what computes them.
if TYPE_CHECKING:
    from solverproof.evaluation.specifications import BlockSpec
    from solverproof.ode.solvers import Setting

REFERENCE = "reference"  # in place of a test solver's name
UNTRAINED = "untrained"  # status of a run that is no better than the floor of its task
BATCH, SAMPLE = "batch", "sample"  # over what an adaptive solver controls its error


@dataclass(frozen=True, kw_only=True)
class Run:
    """One trained model.

    Attributes:
        task: its task.
        train_solver: the solver it was trained with.
        train_steps: its number of steps (with a controller, the deployed one); None for adaptive
            solvers.
        train_tolerance: its tolerance; None for fixed-step solvers.
        controller: name of the controller that chose the setting in training; None without one.
        adapted: whether the controller's choices depended on the model.
        seed: its seed.
    """

    task: str
    train_solver: str
    train_steps: int | None
    train_tolerance: float | None
    controller: str | None
    adapted: bool
    seed: int


def run_of(spec: "BlockSpec", train: "Setting", seed: int) -> Run:
    """One model of a trained cell.

    Args:
        spec: the cell.
        train: its training setting; with a controller, the deployed one.
        seed: the model's.
    """
    return Run(
        task=spec.task,
        train_solver=train.solver.name,
        train_steps=train.steps,
        train_tolerance=train.tolerance,
        controller=spec.controller,
        adapted=spec.adapted,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """A test setting and its results.

    Attributes:
        test_solver: the solver.
        test_steps: steps counted while solving; None where the solver gave up.
        test_tolerance: the tolerance; None for fixed-step solvers.
        accuracy: share of samples classified correctly; NaN where there is none.
        error: of real values, in place of an accuracy, the root of the mean squared error over
            samples and outputs, in units of the targets' standard deviation in training.
        loss: mean cross-entropy, or mean squared error of real values.
        nfe: number of function evaluations.
        status: `ok`, or one word for what failed.
        reason: what failed, in a few words; None if nothing did.
    """

    test_solver: str
    test_steps: int | None
    test_tolerance: float | None
    accuracy: float
    error: float
    loss: float
    nfe: int
    status: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class _Judged:
    control: str | None = None
    changed_alone: float = math.nan
    accuracy_paired: float = math.nan
    error_paired: float = math.nan
    disagreement: float = math.nan
    state_error: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Evaluation(_Judged, Result, Run):
    """A row of `evaluations.csv`: the columns of `Run`, then those of `Result`.

    Every model has a row of the solver `reference`: the flow itself, with status `unresolved` where
    two solvers do not agree on it. It is computed for the first 1,000 test samples, and what is
    held against it is of these as well.

    An adaptive test solver has two rows for each tolerance. In the one it chooses its steps for all
    samples that are solved together, as in training; in the other for every sample alone.

    Attributes:
        control: `batch` or `sample`, over what an adaptive solver controls its error; None for all
            other rows.
        changed_alone: share of the predicted classes that change when samples are solved alone;
            only in rows with control `sample`, NaN elsewhere.
        accuracy_paired, error_paired: on the samples of the reference; NaN without one.
        disagreement: share of the samples whose predicted class is not that of the reference; NaN
            without one.
        state_error: median over samples (the lower of the middle two) of the distance of the final
            state from the reference's; in the row of the reference, that of its two solvers.
    """
