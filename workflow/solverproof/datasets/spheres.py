"""Concentric spheres in any dimension."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from solverproof.datasets.base import Arrays, DataSet, Obtain

SHELLS = ((0.10, 0.15), (0.25, 0.30), (0.40, 0.45))
LABELS = (0, 1, 0)


@dataclass(frozen=True, kw_only=True)
class Spheres(DataSet):
    """Three concentric shells; the middle one is class 1, the others class 0.

    Attributes:
        dimension: dimension of the space.
        train, test: number of points.
        seed: seed of the data set itself.
    """

    family: ClassVar[str] = "spheres"
    dimension: int
    train: int
    test: int
    seed: int

    def class_count(self) -> int:
        """The middle shell, and the others."""
        return 2

    def sample_shape(self) -> tuple[int, ...]:
        """One channel on a line."""
        return (1, self.dimension)

    def test_count(self) -> int:
        """As given."""
        return self.test

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays."""
        del obtain
        return spheres(**vars(self))


def _shell(
    rng: np.random.Generator, count: int, dimension: int, radii: tuple[float, float]
) -> np.ndarray:
    """Points with uniform direction and radius r_min + (r_max - r_min) * u^(1/dimension)."""
    # A normalised Gaussian is uniform in direction, in any dimension.
    direction = rng.standard_normal((count, dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    inner, outer = radii
    return direction * (inner + (outer - inner) * rng.random((count, 1)) ** (1 / dimension))


def _sample(rng: np.random.Generator, count: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    quarter = count // 4
    # The middle shell takes what a count not divisible by 4 leaves over.
    counts = (quarter, count - 2 * quarter, quarter)
    points = [_shell(rng, n, dimension, radii) for n, radii in zip(counts, SHELLS, strict=True)]
    order = rng.permutation(count)
    x = np.concatenate(points)[order].astype(np.float32)
    return x[:, None, :], np.repeat(LABELS, counts)[order].astype(np.int64)


def spheres(*, dimension: int, train: int, test: int, seed: int) -> dict[str, np.ndarray]:
    """Three concentric shells; the middle one is class 1, the others class 0.

    A quarter of the points lies in each of the inner and outer shell, half in the middle one.
    Samples have shape (1, dimension): one channel on a line.

    Source: Dupont et al. 2019; radii and sampling as in Ott et al. 2021, appendix.
    """
    rng = np.random.default_rng(seed)
    train_x, train_y = _sample(rng, train, dimension)
    test_x, test_y = _sample(rng, test, dimension)
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}
