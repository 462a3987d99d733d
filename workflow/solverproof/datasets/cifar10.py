"""CIFAR-10: small colour images of ten kinds of animals and vehicles."""

import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from solverproof.datasets.base import Arrays
from solverproof.datasets.images import LARGEST, PublishedImages, check_labels
from solverproof.errors import InputError

TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST = ("cifar-10-batches-bin/test_batch.bin",)
IMAGE = (3, 32, 32)  # planes of red, green and blue
ROW = 1 + 3 * 32 * 32  # a label, then an image


@dataclass(frozen=True, kw_only=True)
class Cifar10(PublishedImages):
    """The 32x32 colour images of CIFAR-10.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """

    family: ClassVar[str] = "cifar10"
    image: ClassVar[tuple[int, int]] = (3, 32)

    def read(self, files: Sequence[Path]) -> Arrays:
        """Labels and images from the archive of the binary version."""
        (archive,) = files
        members = _members(archive)
        arrays = {}
        for part, names in (("train", TRAIN), ("test", TEST)):
            rows = np.concatenate([_rows(members, name, archive) for name in names])
            arrays[f"{part}_x"], arrays[f"{part}_y"] = rows[:, 1:].reshape(-1, *IMAGE), rows[:, 0]
        return arrays


def _members(archive: Path) -> dict[str, bytes]:
    """Content of the wanted members by exact name, read in one pass."""
    # Nothing is extracted to disk, so the names in the archive cannot lead outside of a folder.
    found = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if member.name in TRAIN + TEST and (stream := tar.extractfile(member)):
                    if member.size > LARGEST:
                        wrong = f"{member.name} has more than {LARGEST} bytes"
                        raise InputError(f"{archive}: {wrong}; take another copy")
                    found[member.name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive}: no whole .tar.gz archive ({error}); take another copy"
        ) from error
    return found


def _rows(members: dict[str, bytes], name: str, archive: Path) -> np.ndarray:
    """Labels and images of a batch, shape (samples, 3073)."""
    if name not in members:
        raise InputError(f"{archive}: {name} is missing in it; take another copy")
    size = len(members[name])
    if not size or size % ROW:
        raise InputError(
            f"{archive}: {name} has {size} bytes, no multiple of {ROW}; take another copy"
        )
    rows = np.frombuffer(members[name], np.uint8).reshape(-1, ROW)
    check_labels(rows[:, 0], f"{archive}: {name}")
    return rows
