"""Concentric spheres in any dimension."""

import numpy as np

SHELLS = ((0.10, 0.15), (0.25, 0.30), (0.40, 0.45))
LABELS = (0, 1, 0)


def _shell(rng: np.random.Generator, count: int, dimension: int, radii: tuple[float, float]) -> np.ndarray:
    """Points with uniform direction and radius r_min + (r_max - r_min) * u^(1/dimension)."""
    direction = rng.standard_normal((count, dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    inner, outer = radii
    return direction * (inner + (outer - inner) * rng.random((count, 1)) ** (1 / dimension))


def _sample(rng: np.random.Generator, count: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    quarter = count // 4
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
