"""Published image data sets, as levels 0 … 255."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from solverproof.datasets.base import Arrays, DataSet, Obtain
from solverproof.errors import InputError

LARGEST = 2**26  # bytes of a packed file; the published ones have up to 47 million


@dataclass(frozen=True, kw_only=True)
class PublishedImages(DataSet):
    """The first images of both parts of a published data set, in its order.

    Attributes:
        train, test: number of images to take.
        pool: side of the squares of pixels that are averaged.
        sha256: checksums, by file name, of the user's copies that differ from the published files.
        image: (channels, side) of the published images.
    """

    image: ClassVar[tuple[int, int]]
    train: int
    test: int
    pool: int
    sha256: Mapping[str, str] | None = None

    def class_count(self) -> int:
        """All data sets known here have ten classes."""
        return 10

    def sample_shape(self) -> tuple[int, ...]:
        """The shape after pooling."""
        channels, side = self.image
        return (channels, side // self.pool, side // self.pool)

    def test_count(self) -> int:
        """As given."""
        return self.test

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays."""
        arrays = self.read(obtain(self.family, self.sha256 or {}))
        return image_set(arrays, train=self.train, test=self.test, pool=self.pool)

    def read(self, files: Sequence[Path]) -> Arrays:
        """All images and labels of both parts, uint8, in the form that `image_set` expects.

        Args:
            files: the published files, verified, in the order of their list in `published`.

        Raises:
            InputError: if a file has the wrong content.
        """
        raise NotImplementedError


def image_set(
    arrays: Mapping[str, np.ndarray], *, train: int, test: int, pool: int
) -> dict[str, np.ndarray]:
    """A data set of the first images of each part, pooled.

    Args:
        arrays: `train_x`, `test_x` of shape (samples, channels, height, width), uint8; `train_y`
            and `test_y` of shape (samples,), all in the published order, which is shuffled already.
        train: number of training images to take.
        test: number of test images to take.
        pool: side of the squares of pixels that are averaged.

    Returns:
        The arrays: images uint8, labels int64.

    Raises:
        InputError: if there are too few images.
    """
    data = {}
    for part, count in (("train", train), ("test", test)):
        x, y = arrays[f"{part}_x"], arrays[f"{part}_y"]
        if count > len(x):
            raise InputError(
                f"{part}: there are {len(x)} images, not {count}; write {part}: {len(x)} or less"
            )
        data[f"{part}_x"], data[f"{part}_y"] = pooled(x[:count], pool), y[:count].astype(np.int64)
    return data


def pooled(x: np.ndarray, pool: int) -> np.ndarray:
    """Averages of squares of pool × pool pixels, rounded to the nearest level (ties to even).

    Args:
        x: images of shape (..., height, width), uint8, both divisible by `pool`.
        pool: side of the squares.
    """
    if pool == 1:
        return x
    # Sums of whole levels are exact, and with pools of up to 4 (the schema's limit) far below the
    # maximum of uint16.
    offsets = [(row, column) for row in range(pool) for column in range(pool)]
    sums = np.zeros_like(x[..., ::pool, ::pool], dtype=np.uint16)
    for row, column in offsets:
        sums += x[..., row::pool, column::pool]
    return np.rint(sums / np.float32(len(offsets))).astype(np.uint8)


def check_labels(y: np.ndarray, origin: str) -> None:
    """Refuse labels other than 0 … 9.

    Args:
        y: labels, unsigned.
        origin: where they come from, for the message.

    Raises:
        InputError: naming the first such label.
    """
    for index in np.flatnonzero(y > 9)[:1]:
        raise InputError(f"{origin}: label {index} is {y[index]}, none of 0 … 9; take another copy")
