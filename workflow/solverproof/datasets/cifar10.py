"""CIFAR-10: small colour images of ten kinds of animals and vehicles."""

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from solverproof.datasets.images import check_labels, image_set
from solverproof.errors import InputError

TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST = ("cifar-10-batches-bin/test_batch.bin",)
IMAGE = (3, 32, 32)  # planes of red, green and blue
ROW = 1 + 3 * 32 * 32  # a label, then an image


def cifar10(*, files: Sequence[Path], train: int, test: int, pool: int) -> dict[str, np.ndarray]:
    """The first images of both parts, in the published order.

    Samples have shape (3, 32 / pool, 32 / pool), uint8.

    Args:
        files: the archive of the binary version, verified.
        train: training images to take.
        test: test images to take.
        pool: side of the squares of pixels that are averaged.

    Raises:
        InputError: if the archive does not hold what it should.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    (archive,) = files
    members = _members(archive)
    arrays = {}
    for part, names in (("train", TRAIN), ("test", TEST)):
        rows = np.concatenate([_rows(members, name, archive) for name in names])
        arrays[f"{part}_x"], arrays[f"{part}_y"] = rows[:, 1:].reshape(-1, *IMAGE), rows[:, 0]
    return image_set(arrays, train=train, test=test, pool=pool)


def _members(archive: Path) -> dict[str, bytes]:
    """Content of the wanted members by their exact names, read in one pass; nothing is extracted."""
    found = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if member.name in TRAIN + TEST and (stream := tar.extractfile(member)):
                    found[member.name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{archive}: no whole .tar.gz archive ({error}); take another copy") from error
    return found


def _rows(members: dict[str, bytes], name: str, archive: Path) -> np.ndarray:
    """Labels and images of a batch, shape (samples, 3073)."""
    if name not in members:
        raise InputError(f"{archive}: {name} is missing in it; take another copy")
    size = len(members[name])
    if not size or size % ROW:
        raise InputError(f"{archive}: {name} has {size} bytes, no multiple of {ROW}; take another copy")
    rows = np.frombuffer(members[name], np.uint8).reshape(-1, ROW)
    check_labels(rows[:, 0], f"{archive}: {name}")
    return rows
