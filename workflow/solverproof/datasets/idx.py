"""Images and labels in the IDX format of MNIST, gzipped.

Source: LeCun, Cortes, Burges, "The MNIST database", file formats.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from solverproof.datasets.images import LARGEST, check_labels
from solverproof.errors import InputError

SIDE = 28


def read_parts(files: Sequence[Path]) -> dict[str, np.ndarray]:
    """Images and labels of both parts.

    Args:
        files: the verified files: training images and labels, then test images and labels.

    Returns:
        Arrays `train_x`, `test_x` of shape (samples, 1, 28, 28) and `train_y`, `test_y` of shape
        (samples,), uint8.

    Raises:
        InputError: if a file has the wrong content.
    """
    arrays = {}
    for part, (images, labels) in {"train": files[:2], "test": files[2:]}.items():
        x, y = _read(images, 3), _read(labels, 1)
        if x.shape[1:] != (SIDE, SIDE):
            raise InputError(
                f"{images}: images are {x.shape[1]}x{x.shape[2]} pixels, not 28x28; "
                "take another copy"
            )
        if len(x) != len(y):
            raise InputError(
                f"{labels}: there are {len(y)} labels of {len(x)} images; take files that fit"
            )
        check_labels(y, str(labels))
        arrays[f"{part}_x"], arrays[f"{part}_y"] = x[:, None], y
    return arrays


def _read(path: Path, dimensions: int) -> np.ndarray:
    """An array of bytes with the given number of dimensions."""
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST + 1)  # a few bytes may unpack to more than there is memory
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: no whole .gz file ({error}); take another copy") from error
    if len(content) > LARGEST:
        raise InputError(f"{path}: more than {LARGEST} bytes are packed in it; take another copy")
    start = 4 + 4 * dimensions
    # The header: two zeros, the code of unsigned bytes (8), the number of dimensions, and the size
    # in each dimension, big-endian.
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise InputError(
            f"{path}: no IDX file of bytes in {dimensions} dimensions; take another copy"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        held = f"{len(content) - start} bytes follow a header that says {math.prod(shape)}"
        raise InputError(f"{path}: {held}; take another copy")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
