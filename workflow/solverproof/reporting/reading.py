"""The tables of a study, as everything that tells of them reads them."""

from pathlib import Path

import pandas as pd

from solverproof.errors import InputError
from solverproof.files import DAMAGED
from solverproof.paths import regular

# the columns of a run that tell how its model was trained
OF_WAY = ["task", "train_solver", "controller", "train_steps", "train_tolerance"]


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table; only an empty cell is a missing value, for a controller may be called NA.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    try:
        return pd.read_csv(regular(path), keep_default_na=False, na_values=[""], low_memory=False)
    except ValueError as error:
        raise InputError(f"{path}: {DAMAGED}") from error


def critical_row(critical: pd.DataFrame, task: str, solver: str) -> pd.Series:
    """The row of `critical_steps.csv` by the paper's drop; all NaN where there is none."""
    keys = critical[["task", "train_solver", "measure"]]
    found = critical[(keys == [task, solver, "drop"]).all(axis=1)]
    return (found if len(found) else critical.reindex([-1])).iloc[0]
