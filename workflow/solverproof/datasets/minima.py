"""A damped particle in a potential with three minima: which one does it settle in?"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.polynomial import Polynomial

from solverproof.datasets.base import Arrays, DataSet, Obtain

SLOPE = Polynomial([-0.192, 0.176, 2.364, -0.768, -2.5, 1.2])
POTENTIAL = SLOPE.integ()
FRICTION = 0.2
STARTS = ((-1.0, 2.0), (-2.0, 2.0))
ZEROS = np.sort(SLOPE.roots().real)
MINIMA, MAXIMA = ZEROS[::2], ZEROS[1::2]
# The lower barrier beside each minimum; the outermost ones have one barrier and one infinite wall.
LOWER_BARRIERS = POTENTIAL(MAXIMA)[[0, 0, 1]]
# A label must not change within this distance of a start. Integration errors are far smaller.
MARGIN = 1e-6
# scipy controls the mean error of all particles; this leaves room for the worst one.
TOLERANCE = 1e-12
PERIOD, PERIODS = 2.0, 50  # nearly all particles have settled after a tenth of these


@dataclass(frozen=True, kw_only=True)
class Minima(DataSet):
    """Positions and velocities of a damped particle, labelled by the minimum it settles in.

    Attributes:
        train, test: number of points.
        seed: seed of the data set itself.
    """

    family: ClassVar[str] = "minima"
    train: int
    test: int
    seed: int

    def class_count(self) -> int:
        """The three minima."""
        return 3

    def sample_shape(self) -> tuple[int, ...]:
        """One channel on a line: position, velocity."""
        return (1, 2)

    def test_count(self) -> int:
        """As given."""
        return self.test

    def make(self, obtain: Obtain) -> Arrays:
        """The arrays."""
        del obtain
        return minima(**vars(self))


def motion(_: float, state: np.ndarray) -> np.ndarray:
    """Right-hand side of x'' = -V'(x) - 0.2 x'.

    States (2, particles) hold position and velocity, and are flattened.
    """
    x, v = state.reshape(2, -1)
    return np.concatenate([v, -SLOPE(x) - FRICTION * v])


def energy(state: np.ndarray) -> np.ndarray:
    """Kinetic plus potential energy of states (2, particles); friction can only lower it."""
    x, v = state
    total: np.ndarray = POTENTIAL(x) + v**2 / 2
    return total


def settle(state: np.ndarray) -> np.ndarray:
    """Index, from the left, of the minimum in which each particle comes to rest; -1 if undecided.

    It is decided once the energy is below both neighbouring barriers: the particle can never
    leave again, and need not be followed further.

    Args:
        state: positions and velocities, shape (2, particles).
    """
    from scipy.integrate import solve_ivp  # slow to import, and planning imports this module

    labels = np.full(state.shape[1], -1)
    moving = np.arange(state.shape[1])
    for _ in range(PERIODS):
        well = np.searchsorted(MAXIMA, state[0])
        settled = energy(state) < LOWER_BARRIERS[well]
        labels[moving[settled]] = well[settled]
        moving, state = moving[~settled], state[:, ~settled]
        if not len(moving):
            break
        solution = solve_ivp(
            motion, (0, PERIOD), state.ravel(), method="DOP853", rtol=TOLERANCE, atol=TOLERANCE
        )
        state = solution.y[:, -1].reshape(2, -1)
    return labels


def _clear_labels(points: np.ndarray) -> np.ndarray:
    """Labels of points of shape (samples, 2); -1 if a basin boundary is within the margin."""
    # A boundary through the square around a point has corners of the square on both sides.
    offsets = MARGIN * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    corners = (points[:, None].astype(float) + offsets).reshape(-1, 2)
    labels = settle(corners.T).reshape(-1, 4)
    return np.where((labels == labels[:, :1]).all(1), labels[:, 0], -1)


def _sample(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points with a clear label; the others, a few in a million, are drawn again."""
    low, high = zip(*STARTS, strict=True)
    x, y = np.empty((0, 2), np.float32), np.empty(0, np.int64)
    while len(x) < count:
        # Rounded first, so that labels belong to the points as they are stored.
        points = rng.uniform(low, high, (count - len(x), 2)).astype(np.float32)
        labels = _clear_labels(points)
        x, y = np.concatenate([x, points[labels >= 0]]), np.concatenate([y, labels[labels >= 0]])
    return x[:, None, :], y


def minima(*, train: int, test: int, seed: int) -> dict[str, np.ndarray]:
    """Positions and velocities of a damped particle, labelled by the minimum it settles in.

    x'' = -V'(x) - 0.2 x' with V' of degree five; positions are uniform in [-1, 2], velocities in
    [-2, 2], without units. Labels 0, 1, 2 are the minima from left to right. Samples have shape
    (1, 2): one channel on a line.

    Source: the three minima of the first version of Ott et al. (arXiv 2007.15386v1).
    """
    rng = np.random.default_rng(seed)
    train_x, train_y = _sample(rng, train)
    test_x, test_y = _sample(rng, test)
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}
