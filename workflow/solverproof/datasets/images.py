"""Image data sets as training takes them: levels 0 … 255."""

from collections.abc import Mapping

import numpy as np

from solverproof.errors import InputError


def image_set(arrays: Mapping[str, np.ndarray], *, train: int, test: int, pool: int) -> dict[str, np.ndarray]:
    """A data set of the first images of each part, pooled.

    Args:
        arrays: `train_x`, `test_x` of shape (samples, channels, height, width), uint8; `train_y` and
            `test_y` of shape (samples,), all in the published order, which is shuffled already.
        train: training images to take.
        test: test images to take.
        pool: side of the squares of pixels that are averaged.

    Returns:
        The arrays, images uint8, labels int64.

    Raises:
        InputError: if there are fewer images than wanted.
    """
    data = {}
    for part, count in (("train", train), ("test", test)):
        x, y = arrays[f"{part}_x"], arrays[f"{part}_y"]
        if count > len(x):
            raise InputError(f"{part}: there are {len(x)} images, not {count}; write {part}: {len(x)} or less")
        data[f"{part}_x"], data[f"{part}_y"] = pooled(x[:count], pool), y[:count].astype(np.int64)
    return data


def pooled(x: np.ndarray, pool: int) -> np.ndarray:
    """Averages of squares of pool × pool pixels, rounded to the nearest level (to the even of two).

    Args:
        x: images of shape (..., height, width), uint8, both divisible by `pool`.
        pool: side of the squares.
    """
    if pool == 1:
        return x
    offsets = [(row, column) for row in range(pool) for column in range(pool)]
    sums = np.zeros_like(x[..., ::pool, ::pool], dtype=np.uint16)
    for row, column in offsets:
        sums += x[..., row::pool, column::pool]
    return np.rint(sums / np.float32(len(offsets))).astype(np.uint8)


def check_labels(y: np.ndarray, origin: str) -> None:
    """Refuse labels that are none of 0 … 9.

    Args:
        y: labels, unsigned.
        origin: where they were read, for the message.

    Raises:
        InputError: naming the first such label.
    """
    for index in np.flatnonzero(y > 9)[:1]:
        raise InputError(f"{origin}: label {index} is {y[index]}, none of 0 … 9; take another copy")
