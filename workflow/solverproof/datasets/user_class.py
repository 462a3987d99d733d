"""Data that the user's own code makes, named by import path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from solverproof.datasets.arrays import checked, data_set
from solverproof.datasets.base import Arrays, DataSet, Obtain
from solverproof.datasets.readers import SPLIT
from solverproof.errors import InputError, Problem
from solverproof.user_code import found, guarded


@dataclass(frozen=True, kw_only=True)
class UserData(DataSet):
    """Arrays that the user's own code makes.

    What `path` names is called with the options. It returns a mapping with `train_x`, `train_y`,
    `test_x` and `test_y`, in the shapes that an .npz file may have (`arrays.checked`).

    Attributes:
        path: `module:name` of a class or function.
        options: its keyword arguments.
        classes: number of classes.
        values: number of real-valued targets, in place of classes.
        code: hash of the module's code, so that an edit makes the data again.
    """

    family: ClassVar[str] = "module"
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: int | None = None
    values: int | None = None
    code: str | None = None

    @property
    def user_code(self) -> str:
        """The import path."""
        return self.path

    def problems(self) -> Iterator[Problem]:
        """Targets that are not told, or twice."""
        if (self.classes is None) == (self.values is None):
            yield (), "say what it makes, and once: write classes: 2, or values: 1 of real values"

    def class_count(self) -> int | None:
        """As given."""
        return self.classes

    def value_count(self) -> int | None:
        """As given."""
        return self.values

    def sample_shape(self) -> None:
        """Only the code knows."""
        return

    def test_count(self) -> None:
        """Only the code knows."""
        return

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays, checked."""
        del obtain
        with guarded(self.path):
            made = found(self.path)(**self.options)
        if not isinstance(made, Mapping):
            kind, wanted = type(made).__name__, f"a dictionary of {', '.join(SPLIT)}"
            raise InputError(f"{self.path} makes {kind}; make {wanted}")
        if missing := [name for name in SPLIT if name not in made]:
            raise InputError(f"{self.path} makes no {missing[0]}; make {', '.join(SPLIT)}")
        try:
            given = {name: np.asarray(made[name]) for name in SPLIT}
            arrays = checked(given, values=self.values)
            return data_set(arrays, classes=self.classes, values=self.values)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error
