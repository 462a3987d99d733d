"""The tables of a study, as everything that tells of them reads them."""

from pathlib import Path
from typing import get_args, get_type_hints

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


def read_rows(path: Path, row: type) -> pd.DataFrame:
    """Read a table whose rows are those of a dataclass; it may have more columns.

    Raises:
        InputError: if a column is missing, or what should be numbers is not.
    """
    table = read_csv(path)
    for name, kind in get_type_hints(row).items():
        if name not in table:
            raise InputError(f"{path}: it has no column {name}; {DAMAGED}")
        values = table[name]
        numeric = pd.api.types.is_numeric_dtype(values) or values.isna().all()
        if not numeric and not {int, float}.isdisjoint({kind, *get_args(kind)}):
            raise InputError(f"{path}: the column {name} has more than numbers; {DAMAGED}")
    return table


def check_columns(path: Path, row: type) -> None:
    """Check that a table has the columns of a dataclass; it may have more.

    Raises:
        InputError: if there is none, or it is damaged, or a column is missing.
    """
    try:
        head = pd.read_csv(regular(path), nrows=0)
    except ValueError as error:
        raise InputError(f"{path}: {DAMAGED}") from error
    missing = [name for name in get_type_hints(row) if name not in head]
    if missing:
        raise InputError(f"{path}: it has no column {missing[0]}; {DAMAGED}")


def critical_row(critical: pd.DataFrame, task: str, solver: str) -> pd.Series:
    """The row of `critical_steps.csv` by the paper's drop; all NaN where there is none."""
    keys = critical[["task", "train_solver", "measure"]]
    found = critical[(keys == [task, solver, "drop"]).all(axis=1)]
    return (found if len(found) else critical.reindex([-1])).iloc[0]
