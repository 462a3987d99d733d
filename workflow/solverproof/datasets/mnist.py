"""MNIST: handwritten digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from solverproof.datasets.base import Arrays
from solverproof.datasets.idx import read_parts
from solverproof.datasets.images import PublishedImages


@dataclass(frozen=True, kw_only=True)
class Mnist(PublishedImages):
    """The 28x28 grey images of MNIST.

    Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition".
    """

    family: ClassVar[str] = "mnist"
    image: ClassVar[tuple[int, int]] = (1, 28)

    def read(self, files: Sequence[Path]) -> Arrays:
        """Images and labels of both parts."""
        return read_parts(files)
