"""The tables of a study, as everything that tells of them reads them."""

from pathlib import Path
from typing import get_args, get_type_hints

import pandas as pd

from solverproof.errors import InputError
from solverproof.files import DAMAGED
from solverproof.paths import regular

# the columns of a run that tell how its model was trained
OF_WAY = ["task", "train_solver", "controller", "train_steps", "train_tolerance"]


def read_csv(path: Path, nrows: int | None = None) -> pd.DataFrame:
    """Read a table; only an empty cell is a missing value, for a controller may be called NA.

    Args:
        path: of the table.
        nrows: how many rows to read; None for all.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    try:
        return pd.read_csv(
            regular(path), keep_default_na=False, na_values=[""], low_memory=False, nrows=nrows
        )
    except ValueError as error:
        raise InputError(f"{path}: {DAMAGED}") from error


def rows_of(task: str, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The rows of a task.

    Args:
        task: its name.
        table: with a column `task`.
        path: where it was read.

    Raises:
        InputError: if there are none: the table is older than the configuration that has the task,
            and Snakemake was told to look at times alone.
    """
    rows = table[table["task"] == task]
    if rows.empty:
        raise InputError(
            f"{path}: no row of the task {task}; have the tables made anew: --forcerun tabulate"
        )
    return rows


def read_rows(path: Path, row: type) -> pd.DataFrame:
    """Read a table whose rows are those of a dataclass; it may have more columns.

    Raises:
        InputError: if a column is missing, or what should be numbers is not.
    """
    table = read_csv(path)
    _require_columns(path, table, row)
    for name, kind in get_type_hints(row).items():
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
    _require_columns(path, read_csv(path, nrows=0), row)


def _require_columns(path: Path, table: pd.DataFrame, row: type) -> None:
    for name in get_type_hints(row):
        if name not in table:
            raise InputError(f"{path}: it has no column {name}; {DAMAGED}")


def critical_row(critical: pd.DataFrame, task: str, solver: str) -> pd.Series:
    """The row of `critical_steps.csv` by the paper's drop; all NaN where there is none."""
    keys = critical[["task", "train_solver", "measure"]]
    found = critical[(keys == [task, solver, "drop"]).all(axis=1)]
    return (found if len(found) else critical.reindex([-1])).iloc[0]
