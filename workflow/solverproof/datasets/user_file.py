"""The user's own data set, from a file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from solverproof.datasets.arrays import checked, data_set
from solverproof.datasets.base import Arrays, DataSet, Obtain
from solverproof.datasets.readers import read
from solverproof.errors import InputError, Problem
from solverproof.files import sha256_of
from solverproof.paths import regular


@dataclass(frozen=True, kw_only=True)
class UserFile(DataSet):
    """The user's own .csv or .npz file.

    Attributes:
        path: path of the file, relative to the working directory.
        classes: number of classes in it. It is stated, because planning needs it and must not have
            to read files.
        values: number of real-valued targets in it (.npz), in place of classes.
        label: column of labels (.csv).
        targets: columns of real-valued targets (.csv), in place of classes.
        split: column that says `train` or `test` (.csv).
        test: share of the samples that is drawn for testing; of classes in equal shares.
        seed: seed of that draw.
        scale: `standard` or `none`.
        sha256: checksum that the file must have.
    """

    family: ClassVar[str] = "file"
    path: str
    classes: int | None = None
    values: int | None = None
    label: str | None = None
    targets: tuple[str, ...] | None = None
    split: str | None = None
    test: float
    seed: int
    scale: str
    sha256: str | None = None

    def class_count(self) -> int | None:
        """As given."""
        return self.classes

    def value_count(self) -> int | None:
        """As given, or as many as there are columns."""
        return len(self.targets) if self.targets else self.values

    def sample_shape(self) -> None:
        """Only the file knows."""
        return

    def test_count(self) -> None:
        """Only the file knows."""
        return

    def problems(self) -> Iterator[Problem]:
        """A file that is missing or not the expected one, or targets that are not told."""
        is_table, given = self.path.endswith(".csv"), (self.classes, self.values, self.targets)
        if sum(value is not None for value in given) != 1:
            real = "targets: [COLUMN]" if is_table else "values: 1"
            yield (), f"say what it has, and once: write classes: 2, or {real} if they are numbers"
        elif self.values if is_table else self.targets:
            wrong, right = ("values", "targets") if is_table else ("targets", "values")
            yield (wrong,), f"the targets of this kind of file are told by {right}; write that"
        elif self.targets and self.label is not None:
            yield ("label",), "the targets are real values; remove the key"
        path = Path(self.path)
        try:
            regular(path)
        except InputError as error:
            yield ("path",), str(error)
            return
        if self.sha256 and self.sha256 != sha256_of(path):
            found = f"'{path}' has the checksum {sha256_of(path)}"
            yield ("sha256",), f"{found}; write that, or another file"
        elif is_table and self.classes and self.label is None:
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
    test: float,
    seed: int,
    scale: str,
    classes: int | None = None,
    values: int | None = None,
    label: str | None = None,
    targets: tuple[str, ...] | None = None,
    split: str | None = None,
) -> dict[str, np.ndarray]:
    """Read samples and targets, and split them into training and test part unless the file does.

    An .npz file has arrays `x` and `y`, or `train_x`, `train_y`, `test_x` and `test_y`. A .csv file
    has a header line, a column of labels, or columns of real values, and, if it is split, one that
    says `train` or `test`; all others are features. What becomes of them: `arrays.checked` and
    `arrays.data_set`.

    Args:
        path: the file, relative to the working directory.
        sha256: its checksum, which it must still have.
        classes: number of classes that it must have.
        values: number of real-valued targets that it must have (.npz), in place of classes.
        test: share of the samples drawn for testing; of classes in equal shares.
        seed: seed of that draw.
        scale: "standard" brings each feature to zero mean and unit variance over the training part;
            "none" leaves features as they are.
        label: column of labels (.csv).
        targets: columns of real-valued targets (.csv), in place of classes.
        split: column that says `train` or `test` (.csv), instead of a draw.

    Raises:
        InputError: if the file has the wrong content.
    """
    try:
        _check_sum(path, sha256)
        values = len(targets) if targets else values
        columns = list(targets) if targets else label
        arrays = checked(read(path, columns, split), values=values)
        if "x" in arrays:
            arrays = _drawn(arrays["x"], arrays["y"], test, seed, by_class=not values)
        data = data_set(arrays, classes=classes, values=values)
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


def _drawn(x: np.ndarray, y: np.ndarray, test: float, seed: int, *, by_class: bool) -> Arrays:
    """Training and test part, of classes with equal shares of each."""
    # Imported here because it is slow, and planning imports this module.
    from sklearn.model_selection import train_test_split

    try:
        train_x, test_x, train_y, test_y = train_test_split(
            x, y, test_size=test, stratify=y if by_class else None, random_state=seed
        )
    except ValueError as error:
        if not by_class:
            raise InputError(
                f"{len(y)} samples are too few to test with a share of {test}; add samples"
            ) from error
        _, counts = np.unique(y, return_counts=True)
        few = (
            f"{len(y)} samples of {len(counts)} classes, {counts.min()} of the smallest, "
            "are too few"
        )
        raise InputError(
            f"{few} to test with a share of {test} of each; add samples or change test"
        ) from error
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}


def _standardised(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from sklearn.preprocessing import StandardScaler

    # Fitted to the training part only: statistics of all samples would leak the test part.
    flat = {name: data[name].reshape(len(data[name]), -1) for name in ("train_x", "test_x")}
    scaler = StandardScaler().fit(flat["train_x"])
    return {
        **data,
        **{name: scaler.transform(x).reshape(data[name].shape) for name, x in flat.items()},
    }
