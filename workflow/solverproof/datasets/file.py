"""A data set from a file of the user's own: CSV, or NumPy's .npz."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from solverproof.errors import InputError
from solverproof.files import sha256_of

Arrays = dict[str, np.ndarray]
PARTS = ("train_x", "train_y", "test_x", "test_y")


def file(
    *, path: str, sha256: str, classes: int, test: float, seed: int, label: str | None = None, split: str | None = None
) -> Arrays:
    """Read samples and labels, and split them into training and test set unless the file does.

    A CSV file has a column of labels, numbers or text; all others are features. An .npz file has
    arrays `x` (samples, …) and `y` (samples,), or `train_x`, `train_y`, `test_x` and `test_y`.
    Features become float32; flat ones get one channel, (1, features), as do images without, (1,
    height, width). Labels are numbered in sorted order.

    Args:
        path: the file, relative to the working directory.
        sha256: its checksum, which it must still have.
        classes: how many classes it must have.
        test: share of the samples drawn for testing, by class.
        seed: of that draw.
        label: of a CSV file, the column of labels.
        split: of a CSV file, a column that says `train` or `test`, instead of a draw.

    Raises:
        InputError: if the file does not hold what it should.
    """
    source = Path(path)
    if sha256_of(source) != sha256:
        raise InputError(f"{path}: its checksum is {sha256_of(source)}, not {sha256}; mend the file or the checksum")
    try:
        parts = _read_npz(source) if source.suffix == ".npz" else _read_csv(source, label, split)
        parts = parts if "train_x" in parts else _draw(parts, test, seed)
        return _checked(parts, classes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_npz(path: Path) -> Arrays:
    if not is_zipfile(path):
        raise InputError("it is not an .npz archive; save arrays with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"cannot be read as .npz without pickles ({error}); save arrays with numpy.savez") from error
    for names in (("x", "y"), PARTS):
        if set(names) <= arrays.keys():
            return {name: arrays[name] for name in names}
    raise InputError(f"it has the arrays {sorted(arrays)}; save x and y, or {', '.join(PARTS)}")


def _read_csv(path: Path, label: str | None, split: str | None) -> Arrays:
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise InputError(f"cannot be read as CSV ({error}); write a .csv or .npz file") from error
    for key, column in (("label", label), ("split", split)):
        if column not in table and (column is not None or key == "label"):
            raise InputError(f"there is no column '{column}'; write {key}: with one of {', '.join(table.columns)}")
    y, x = table[label].to_numpy(), table.drop(columns=[name for name in (label, split) if name])
    if table[label].isna().any():
        raise InputError(f"row {int(table[label].isna().argmax()) + 2} has no label; fill column '{label}'")
    for name in x:
        if not pd.api.types.is_numeric_dtype(x[name]):
            raise InputError(f"column '{name}' is not numeric; write numbers or leave it out")
    if split is None:
        return {"x": x.to_numpy(np.float64), "y": y}
    if not table[split].isin(["train", "test"]).all():
        raise InputError(f"column '{split}' has other entries than train and test; write these")
    features = x.to_numpy(np.float64)
    parts: Arrays = {}
    for part in ("train", "test"):
        rows = (table[split] == part).to_numpy()
        parts |= {f"{part}_x": features[rows], f"{part}_y": y[rows]}
    return parts


def _draw(parts: Arrays, test: float, seed: int) -> Arrays:
    """Training and test part, by class in equal shares."""
    x, y = parts["x"], parts["y"]
    if len(x) != len(y):
        raise InputError(f"there are {len(x)} samples and {len(y)} labels; write one label for each")
    try:
        train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=test, stratify=y, random_state=seed)
    except ValueError as error:
        raise InputError(f"too few samples to draw {test:g} of each class for testing ({error})") from error
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}


def _checked(parts: Arrays, classes: int) -> Arrays:
    """The four arrays in the form every data set has."""
    for part in ("train", "test"):
        x, y = parts[f"{part}_x"], parts[f"{part}_y"]
        if len(x) != len(y) or y.ndim != 1 or x.ndim < 2 or not len(x):
            raise InputError(
                f"{part}: samples {x.shape} and labels {y.shape} do not go together; write (n, …) and (n,)"
            )
        if x.dtype.kind not in "fiub":
            raise InputError(f"{part}: features are of type {x.dtype}; write numbers")
        if not np.isfinite(x).all():
            raise InputError(f"{part}: sample {int((~np.isfinite(x)).nonzero()[0][0])} has NaN or infinity; fill it in")
    if parts["train_x"].shape[1:] != parts["test_x"].shape[1:]:
        shapes = f"{parts['train_x'].shape[1:]} and {parts['test_x'].shape[1:]}"
        raise InputError(f"training and test samples have shapes {shapes}; write one shape")
    names = np.unique(parts["train_y"])
    _check_labels(parts, names, classes)
    _check_overlap(parts)
    return {
        **{f"{part}_x": _with_channels(parts[f"{part}_x"].astype(np.float32)) for part in ("train", "test")},
        **{f"{part}_y": np.searchsorted(names, parts[f"{part}_y"]).astype(np.int64) for part in ("train", "test")},
    }


def _check_labels(parts: Arrays, names: Any, classes: int) -> None:
    if parts["train_y"].dtype.kind == "f" and not np.isfinite(parts["train_y"]).all():
        raise InputError("there are samples without a label; fill them in or leave them out")
    if len(names) < 2:
        raise InputError(f"all training samples have the label {names[0]}; write two classes at least")
    if len(names) != classes:
        raise InputError(f"there are {len(names)} classes in the training part; write classes: {len(names)}")
    for name in np.setdiff1d(parts["test_y"], names):
        raise InputError(f"the class {name} is in the test part alone; add training samples of it")


def _check_overlap(parts: Arrays) -> None:
    seen = {row.tobytes() for row in np.ascontiguousarray(parts["train_x"], dtype=np.float32)}
    for i, row in enumerate(np.ascontiguousarray(parts["test_x"], dtype=np.float32)):
        if row.tobytes() in seen:
            raise InputError(f"test sample {i} is also a training sample; leave out repeated samples")


def _with_channels(x: np.ndarray) -> np.ndarray:
    """Samples with a channel in front: flat ones and images without channels get one."""
    return x if x.ndim == 4 else x[:, None]
