"""Arrays from a user's file, .npz or .csv."""

import math
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic

from solverproof.errors import InputError, shown

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 8 * 2**30  # bytes of one array
PARTS = ("train", "test")
WHOLE = ("x", "y")
SPLIT = ("train_x", "train_y", "test_x", "test_y")


def read(path: str, target: str | list[str] | None, split: str | None) -> dict[str, np.ndarray]:
    """The arrays of a file: `x` and `y`, or `train_x`, `train_y`, `test_x`, `test_y`.

    Args:
        path: an .npz with arrays of these names, or a .csv with a header line.
        target: column of labels, or columns of real values (.csv); all others are features.
        split: column that says `train` or `test` (.csv).

    Raises:
        InputError: if the file, an array or a column is missing or wrong.
    """
    kind = Path(path).suffix.lower()
    if kind == ".csv":
        return _from_csv(path, target, split)
    if kind != ".npz":
        raise InputError("neither .npz nor .csv; write the data as one of these")
    if target or split:
        raise InputError("the keys label and split name columns of a .csv; remove them")
    return _from_npz(path)


def _from_npz(path: str) -> dict[str, np.ndarray]:
    return read_npz(Path(path), lambda names: SPLIT if set(SPLIT) & set(names) else WHOLE)


def read_npz(path: Path, wanted: Callable[[list[str]], Iterable[str]]) -> dict[str, np.ndarray]:
    """Arrays of an .npz file.

    Args:
        path: the file.
        wanted: the names of arrays to read, given those that are there.

    Raises:
        InputError: if the file or an array is missing, damaged, or not of numbers or text.
    """
    if not zipfile.is_zipfile(path):
        raise InputError("not an .npz archive; write it with numpy.savez")
    arrays, part = {}, "the archive"
    try:
        # Opened here, because numpy leaves the file of a damaged archive open. A damaged header,
        # which numpy parses as a literal of Python's, may be worth a warning to Python.
        with (
            warnings.catch_warnings(action="ignore"),
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            for name in wanted(archive.files):
                part = f"array {name}"
                arrays[name] = _member(archive, name)
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise whatever comes
        raise InputError(f"{part} is damaged; write the file again") from error
    return arrays


def _member(archive: Any, name: str) -> np.ndarray:
    if f"{name}.npy" not in archive.zip.namelist():
        raise InputError(
            f"array {name} is missing; an .npz has {' and '.join(WHOLE)}, or {', '.join(SPLIT)}"
        )
    size = archive.zip.getinfo(f"{name}.npy").file_size
    if size > LARGEST:
        raise InputError(f"array {name} has {size / 2**30:.0f} GiB; write fewer or smaller samples")
    # Of the size that the header claims, memory is taken before anything is read.
    with archive.zip.open(f"{name}.npy") as member:
        header = read_array_header_1_0 if read_magic(member) == (1, 0) else read_array_header_2_0
        shape, _, dtype = header(member)
        rest = size - member.tell()
    if dtype.hasobject:
        raise InputError(f"{name} holds Python objects; save it as an array of numbers or text")
    if math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"an array of shape {shape} is not of {rest} bytes")
    return np.asarray(archive[name])


def _from_csv(
    path: str, target: str | list[str] | None, split: str | None
) -> dict[str, np.ndarray]:
    table = _table(path)
    if target is None:
        raise InputError("no column of labels is named; write label: with its name")
    named = [("label", target)] if isinstance(target, str) else [("targets", t) for t in target]
    named += [("split", split)] if split else []
    for key, name in named:
        if name not in table:
            raise InputError(
                f"{key}: there is no column '{name}'; the columns are {', '.join(map(str, table))}"
            )
    x = _numbers(table.drop(columns=[name for _, name in named]))
    y = _labels(table[target]) if isinstance(target, str) else _numbers(table[target])
    if split is None:
        return {"x": x, "y": y}
    chosen = _parts(table[split])
    return {
        f"{part}_{name}": array[chosen == part]
        for part in PARTS
        for name, array in {"x": x, "y": y}.items()
    }


def _table(path: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # Only an empty field is a missing value, because NA may be a label; and no column may
            # silently become row names.
            table = pd.read_csv(
                path, keep_default_na=False, na_values=[""], low_memory=False, index_col=False
            )
    except pd.errors.ParserWarning as error:
        raise InputError(
            "rows have more fields than the header line; write a name for each column"
        ) from error
    except ValueError as error:
        why = str(error).strip().splitlines()[0]
        raise InputError(
            f"not a table of comma-separated values ({why}); write UTF-8 with a header line"
        ) from error
    # Pandas renames the second of two, and a label by its new name would become a feature.
    names = header.iloc[0]
    for name in names[names.duplicated()]:
        raise InputError(f"two columns have the name {shown(name)}; give each its own")
    # A nameless column counts rows. Where rows are sorted by class it gives the label away, so it
    # must not become a feature.
    if any(str(name).startswith("Unnamed: ") for name in table):
        raise InputError(
            "a column has no name in the header line; remove it if it counts rows, else name it"
        )
    return table


def _numbers(table: "pd.DataFrame") -> np.ndarray:
    x: np.ndarray = table.apply(_numeric).to_numpy(dtype=float)
    for row, column in np.argwhere(~np.isfinite(x))[:1]:
        value = str(table.iloc[row, column])
        raise InputError(
            f"column '{table.columns[column]}' has {value!r} in row {row + 1}, no finite number; "
            "correct or remove it"
        )
    return x


def _numeric(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as numbers, with NaN for what is none, and infinity beyond the largest float."""
    import pandas as pd

    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:
        largest = sys.float_info.max
        return column.map(lambda n: math.inf if isinstance(n, int) and abs(n) > largest else n)


def _labels(column: "pd.Series[Any]") -> np.ndarray:
    for row in np.flatnonzero(column.isna())[:1]:
        raise InputError(
            f"column '{column.name}' has no label in row {row + 1}; add it or remove the row"
        )
    return column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy(dtype=str)


def _parts(column: "pd.Series[Any]") -> np.ndarray:
    for row in np.flatnonzero(~column.isin(PARTS))[:1]:
        raise InputError(
            f"column '{column.name}' has '{column.iloc[row]}' in row {row + 1}; write train or test"
        )
    return column.to_numpy(dtype=str)
