"""The optical digits that scikit-learn carries: real images without a download."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from solverproof.datasets.base import Arrays, DataSet, Obtain


@dataclass(frozen=True, kw_only=True)
class Digits(DataSet):
    """The 1,797 grey images of 8x8 pixels that scikit-learn carries.

    Attributes:
        test: number of test images, drawn in equal shares from each class; the rest is for
            training.
        seed: seed of the split.
    """

    family: ClassVar[str] = "digits"
    test: int
    seed: int

    def class_count(self) -> int:
        """The ten digits."""
        return 10

    def sample_shape(self) -> tuple[int, ...]:
        """Grey images."""
        return (1, 8, 8)

    def test_count(self) -> int:
        """As given."""
        return self.test

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays."""
        del obtain
        return digits(**vars(self))


def digits(*, test: int, seed: int) -> dict[str, np.ndarray]:
    """Split the 1,797 grey images of 8x8 pixels into training and test set, by class.

    Pixels are scaled from 0 … 16 to [0, 1]; samples have shape (1, 8, 8).

    Source: Alpaydin, Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (test part).
    """
    # Imported here because it takes a second, and planning imports this module.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    x = (bunch.images / 16).astype(np.float32)[:, None]
    y = bunch.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        x, y, test_size=test, stratify=y, random_state=seed
    )
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}
