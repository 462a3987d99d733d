"""The user's own data set, from a file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from solverproof.datasets.base import Arrays, DataSet, Obtain
from solverproof.datasets.readers import SPLIT, read
from solverproof.errors import InputError, Problem
from solverproof.files import sha256_of


@dataclass(frozen=True, kw_only=True)
class UserFile(DataSet):
    """The user's own .csv or .npz file.

    Attributes:
        path: path of the file, relative to the working directory.
        classes: number of classes in it. It is stated, because planning needs it and must not have
            to read files.
        label: column of labels (.csv).
        split: column that says `train` or `test` (.csv).
        test: share of the samples that is drawn for testing, by class.
        seed: seed of that draw.
        scale: `standard` or `none`.
        sha256: checksum that the file must have.
    """

    family: ClassVar[str] = "file"
    path: str
    classes: int
    label: str | None = None
    split: str | None = None
    test: float
    seed: int
    scale: str
    sha256: str | None = None

    def class_count(self) -> int:
        """As given."""
        return self.classes

    def sample_shape(self) -> None:
        """Only the file knows."""
        return

    def test_count(self) -> None:
        """Only the file knows."""
        return

    def problems(self) -> Iterator[Problem]:
        """A file that is missing or not the expected one, or no column of labels."""
        path = Path(self.path)
        if not path.is_file():
            yield ("path",), f"there is no file '{path}'; write a path from the working directory"
        elif self.sha256 and self.sha256 != sha256_of(path):
            found = f"'{path}' has the checksum {sha256_of(path)}"
            yield ("sha256",), f"{found}; write that, or another file"
        elif path.suffix == ".csv" and self.label is None:
            yield ("label",), "a CSV file has its labels in a column; write its name"

    def identified(self) -> Self:
        """The definition with the file's current checksum."""
        return replace(self, sha256=_checksum(Path(self.path)))

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays of the file, which must not have changed since the plan was made."""
        del obtain
        return file(**vars(self))


@cache
def _checksum(path: Path) -> str:
    """The checksum of a file."""
    # Cached, because planning asks once per cell and the file may be large.
    return sha256_of(path)


def file(
    *,
    path: str,
    sha256: str,
    classes: int,
    test: float,
    seed: int,
    scale: str,
    label: str | None = None,
    split: str | None = None,
) -> dict[str, np.ndarray]:
    """Read samples and labels, and split them into training and test part unless the file does.

    An .npz file has arrays `x` and `y`, or `train_x`, `train_y`, `test_x` and `test_y`. A .csv file
    has a header line, a column of labels and, if it is split, one that says `train` or `test`; all
    others are features. Features become float32; flat ones (samples, features) get a channel in
    front, (1, features), as do grey images (samples, height, width); (samples, channels, height,
    width) stay. Labels, whole numbers or text, are numbered in sorted order.

    Args:
        path: the file, relative to the working directory.
        sha256: its checksum, which it must still have.
        classes: number of classes that it must have.
        test: share of the samples drawn for testing, by class.
        seed: seed of that draw.
        scale: "standard" brings each feature to zero mean and unit variance over the training part;
            "none" leaves features as they are.
        label: column of labels (.csv).
        split: column that says `train` or `test` (.csv), instead of a draw.

    Raises:
        InputError: if the file has the wrong content.
    """
    try:
        _check_sum(path, sha256)
        arrays = _checked(read(path, label, split))
        if "x" in arrays:
            arrays = _drawn(arrays["x"], arrays["y"], test, seed)
        data = _numbered(arrays, classes)
        return _standardised(data) if scale == "standard" else data
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; write a path from the working directory"
        ) from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _check_sum(path: str, expected: str) -> None:
    found = sha256_of(Path(path))
    if found != expected:
        raise InputError(f"its checksum is {found}, not {expected}; fix the file or the checksum")


def _checked(arrays: Arrays) -> Arrays:
    """Arrays with samples as float32 of shape (samples, channels, *spatial)."""
    samples = {name: _samples(name, array) for name, array in arrays.items() if name.endswith("x")}
    labels = {name: _labels(name, array) for name, array in arrays.items() if name.endswith("y")}
    for (x_name, x), (y_name, y) in zip(samples.items(), labels.items(), strict=True):
        if len(x) != len(y):
            raise InputError(
                f"{x_name} has {len(x)} samples, {y_name} {len(y)} labels; "
                "write one label for each sample"
            )
    return {**samples, **labels}


def _samples(name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {x.dtype}; features are real numbers")
    if x.ndim not in {2, 3, 4} or x.size == 0:
        shapes = (
            "(samples, features), (samples, height, width) or (samples, channels, height, width)"
        )
        raise InputError(f"{name} has shape {x.shape}; give it a shape {shapes} without zeros")
    # An overflow to infinity is reported below, with its place.
    with np.errstate(over="ignore"):
        samples = x.astype(np.float32)
    for index in np.argwhere(~np.isfinite(samples))[:1]:
        where = ", ".join(map(str, index))
        raise InputError(
            f"{name}[{where}] is {x[tuple(index)]}, not finite in float32; "
            "correct or remove the sample"
        )
    return samples if x.ndim == 4 else samples[:, None]


def _labels(name: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "biufU":
        raise InputError(f"{name} has dtype {y.dtype}; labels are whole numbers or text")
    if y.ndim != 1:
        raise InputError(f"{name} has shape {y.shape}; give it the shape (samples,)")
    for index in np.flatnonzero(y == "" if y.dtype.kind == "U" else ~np.isfinite(y))[:1]:
        raise InputError(
            f"{name}[{index}] is '{y[index]}', which labels nothing; correct or remove the sample"
        )
    for index in np.flatnonzero(np.floor(y) != y)[:1] if y.dtype.kind == "f" else ():
        raise InputError(
            f"{name}[{index}] is {y[index]}; labels of classes are whole numbers or text"
        )
    return y


def _drawn(x: np.ndarray, y: np.ndarray, test: float, seed: int) -> Arrays:
    """Training and test part, with equal shares of each class."""
    # Imported here because it is slow, and planning imports this module.
    from sklearn.model_selection import train_test_split

    try:
        train_x, test_x, train_y, test_y = train_test_split(
            x, y, test_size=test, stratify=y, random_state=seed
        )
    except ValueError as error:
        _, counts = np.unique(y, return_counts=True)
        few = (
            f"{len(y)} samples of {len(counts)} classes, {counts.min()} of the smallest, "
            "are too few"
        )
        raise InputError(
            f"{few} to test with a share of {test} of each; add samples or change test"
        ) from error
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}


def _numbered(arrays: Arrays, classes: int) -> dict[str, np.ndarray]:
    """Arrays with labels counted from 0 in sorted order, after checks of both parts."""
    train_x, train_y, test_x, test_y = (arrays[name] for name in SPLIT)
    _check_parts(train_x, test_x)
    names = np.unique(train_y)
    if len(names) < 2:
        raise InputError(
            f"all labels to train with are '{names[0]}'; a classifier needs two classes or more"
        )
    if len(names) != classes:
        raise InputError(
            f"there are {len(names)} classes in the training part; write classes: {len(names)}"
        )
    for unknown in np.setdiff1d(test_y, names)[:1]:
        raise InputError(f"class '{unknown}' is tested but not trained; add training samples of it")
    labels = {
        name: np.searchsorted(names, arrays[name]).astype(np.int64)
        for name in ("train_y", "test_y")
    }
    return {"train_x": train_x, "test_x": test_x, **labels}


def _check_parts(train_x: np.ndarray, test_x: np.ndarray) -> None:
    train, test = train_x.shape[1:], test_x.shape[1:]
    if train != test:
        raise InputError(
            f"samples to train with have shape {train}, to test with {test}; make them equal"
        )
    if both := _contents(train_x) & _contents(test_x):
        raise InputError(
            f"{len(both)} samples are both trained and tested with; "
            "remove the duplicates from the file"
        )


def _contents(x: np.ndarray) -> set[bytes]:
    """The set of samples, as bytes."""
    # Adding zero turns -0.0 into 0.0, which has other bytes.
    return {sample.tobytes() for sample in x + np.float32(0)}


def _standardised(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from sklearn.preprocessing import StandardScaler

    # Fitted to the training part only: statistics of all samples would leak the test part.
    flat = {name: data[name].reshape(len(data[name]), -1) for name in ("train_x", "test_x")}
    scaler = StandardScaler().fit(flat["train_x"])
    return {
        **data,
        **{name: scaler.transform(x).reshape(data[name].shape) for name, x in flat.items()},
    }
