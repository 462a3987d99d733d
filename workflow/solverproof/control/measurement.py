"""What a rule for the step size measures."""

from dataclasses import dataclass

from solverproof.ode.solvers import Setting


@dataclass(frozen=True)
class Measurement:
    """A batch under one setting: accuracy, or error of real values, and NFE.

    The score is NaN if the solver gave up.
    """

    setting: Setting
    score: float
    nfe: int
