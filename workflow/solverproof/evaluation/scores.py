"""The score of a model: its accuracy; or of real values its error, of which more is worse."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

SCORES = ("accuracy", "error")
WORTHLESS = {"accuracy": 0.0, "error": math.inf}  # of a model without predictions
GUESS_ERROR = 1.0  # of the mean of the training targets, in units of their deviation


def score_of(table: pd.DataFrame) -> str:
    """Which score the rows of a task have: the column `accuracy` or `error`."""
    return score_with(table["error"]) if "error" in table else "accuracy"


def score_with(errors: Sequence[float] | pd.Series) -> str:
    """The same, from the errors of the rows alone; NaN where there is none."""
    return "accuracy" if np.isnan(np.asarray(errors, dtype=float)).all() else "error"


def has_score(table: pd.DataFrame) -> pd.Series:
    """Whether each row has its score."""
    return table["accuracy"].notna() | table["error"].notna()


def goodness(table: pd.DataFrame) -> pd.Series:
    """A number of which more is better: the accuracy, or minus the error."""
    return table["accuracy"].fillna(-table["error"])


def lost(own: float, other: float, score: str) -> float:
    """What a model loses if another score takes the place of its own.

    Of accuracies it is the difference. Errors have no scale of their own, so of them it is the
    relative increase; it is infinite where there was no error.
    """
    if score == "accuracy":
        return own - other
    if own == other:
        return 0.0
    return other / own - 1 if own else math.inf
