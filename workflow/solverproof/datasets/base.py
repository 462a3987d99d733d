"""The interface of a data set's definition."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from solverproof.datasets.families import FAMILIES
from solverproof.family import Family

Arrays = Mapping[str, np.ndarray]
Obtain = Callable[[str, Mapping[str, str]], Sequence[Path]]
"""Finds files of published images, given the family's name and checksums of the user's copies."""


class DataSet(Family):
    """The definition of a data set.

    A data set is four arrays: `train_x`, `test_x` of shape (samples, channels, *spatial), float32,
    and `train_y`, `test_y` of shape (samples,), int64, with labels 0 … classes - 1. The samples of
    published images are levels 0 … 255 instead, uint8. Real-valued targets, in place of labels, are
    float32 of shape (samples, values), in units of their deviation from their mean in training.
    """

    registry: ClassVar[Mapping[str, str]] = FAMILIES

    def class_count(self) -> int | None:
        """Number of classes; None of real-valued targets."""
        raise NotImplementedError

    def value_count(self) -> int | None:
        """Number of real-valued targets; None of classes."""
        return None

    def sample_shape(self) -> tuple[int, ...] | None:
        """(channels, *spatial) of a sample; None if unknown before the data set is made."""
        raise NotImplementedError

    def test_count(self) -> int | None:
        """Number of test samples; None if unknown before the data set is made."""
        raise NotImplementedError

    def identified(self) -> Self:
        """The definition, with checksums of the files that it names."""
        return self

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays.

        Args:
            obtain: finds the files of published images. It is an argument, so that the code which
                defines a data set does not depend on where files come from.

        Raises:
            InputError: if a file cannot be obtained or has the wrong content.
        """
        raise NotImplementedError
