"""The columns of the results of a trained model under a test setting."""

from dataclasses import dataclass


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


@dataclass(frozen=True, kw_only=True)
class Result:
    """A test setting and its results.

    Attributes:
        test_solver: the solver.
        test_steps: steps counted while solving; None where the solver gave up.
        test_tolerance: the tolerance; None for fixed-step solvers.
        accuracy: share of samples classified correctly; NaN where there is none.
        loss: mean cross-entropy.
        nfe: number of function evaluations.
        status: `ok`, or one word for what failed.
        reason: what failed, in a few words; None if nothing did.
    """

    test_solver: str
    test_steps: int | None
    test_tolerance: float | None
    accuracy: float
    loss: float
    nfe: int
    status: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Evaluation(Result, Run):
    """A row of `evaluations.csv`: the columns of `Run`, then those of `Result`."""
