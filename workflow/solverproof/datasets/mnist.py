"""MNIST: handwritten digits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from solverproof.datasets.idx import read_parts
from solverproof.datasets.images import image_set


def mnist(*, files: Sequence[Path], train: int, test: int, pool: int) -> dict[str, np.ndarray]:
    """The first images of both parts, in the published order.

    Samples have shape (1, 28 / pool, 28 / pool), uint8.

    Args:
        files: the four files, verified: images and labels to train with, images and labels to test with.
        train: training images to take.
        test: test images to take.
        pool: side of the squares of pixels that are averaged.

    Raises:
        InputError: if a file does not hold what it should.

    Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition".
    """
    return image_set(read_parts(files), train=train, test=test, pool=pool)
