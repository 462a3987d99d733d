"""Lady Windermere's fan: XOR that only Euler's numerical error makes linearly separable.

The planar system is the one of figure 3 in Ott et al., "ResNet After All?" (ICLR 2021,
arXiv 2007.15386):

    z' = [[alpha, 1], [-gamma * ||z||**delta, beta]] z,        0 <= t <= T.

The paper prints no parameter values. Those in ``FAN`` were found by a search: with the paper's
step ``COARSE_STEP`` the end points of the four XOR points can be divided by a line, with
``FINE_STEP`` (and in the limit of vanishing steps) they cannot. ``FAN`` turns the points about
the origin, which is fixed, between three and six times; the turning speed grows with the distance
from the origin, so the energy that Euler's method adds becomes an error in phase.

All quantities are dimensionless. Points are rows ``(x, y)`` of floating-point arrays.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FanSystem:
    """Parameters of the planar system and the time at which its flow is read off.

    Raises ValueError if ``delta`` is negative (the field would be singular at the origin, which
    is one of the XOR points) or ``end_time`` is not positive.
    """

    alpha: float
    beta: float
    gamma: float
    delta: float
    end_time: float

    def __post_init__(self) -> None:
        if not self.delta >= 0:
            raise ValueError(f"delta must not be negative, got {self.delta}")
        if not self.end_time > 0:
            raise ValueError(f"end_time must be positive, got {self.end_time}")


FAN = FanSystem(alpha=-0.15, beta=0.35, gamma=3.4, delta=1.5, end_time=14.0)
COARSE_STEP = 10**-2.5
FINE_STEP = 10**-3.5

XOR_POINTS: FloatArray = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
XOR_LABELS: IntArray = np.array([0, 0, 1, 1])

# A gap below this fraction of the extent of the points counts as rounding error: they touch.
_SMALLEST_GAP = 1e-6


def vector_field(system: FanSystem, z: FloatArray) -> FloatArray:
    """Right-hand side z' at points ``z`` of shape (..., 2); the result has the same shape.

    Source: arXiv 2007.15386, figure 3.
    """
    x, y = z[..., 0], z[..., 1]
    pull = system.gamma * np.hypot(x, y) ** system.delta
    return np.stack([system.alpha * x + y, system.beta * y - pull * x], axis=-1)


def euler_trajectories(system: FanSystem, points: FloatArray, step_size: float) -> FloatArray:
    """Solve from ``points``, shape (points, 2), to ``system.end_time`` with explicit Euler.

    The end time need not be a multiple of ``step_size``: n = round(end_time / step_size) equal
    steps of exactly end_time / n are taken. Returns every state, shape (n + 1, points, 2), the
    first being ``points``. Raises ValueError unless 0 < step_size <= end_time.
    """
    if not 0 < step_size <= system.end_time:
        raise ValueError(f"step_size must lie in (0, {system.end_time}], got {step_size}")
    steps = round(system.end_time / step_size)
    step = system.end_time / steps
    states = np.empty((steps + 1, *points.shape))
    states[0] = points
    for before, after in pairwise(states):
        after[:] = before + step * vector_field(system, before)
    return states


def linearly_separable(points: FloatArray, labels: IntArray) -> bool:
    """Whether some straight line has all points of label 0 strictly on one side, 1 on the other.

    ``points`` has shape (n, 2), ``labels`` shape (n,). Decided by linear programming: a line
    (w, c) with side * (w . point - c) >= 1 for every point exists, or does not. Sets nearer than
    about a millionth of the extent of the points count as touching, hence as not separable. Raises
    ValueError for labels other than 0 and 1, mismatched shapes or points that are not finite,
    RuntimeError if the solver reaches no verdict.
    """
    _check(points, labels)
    centred = points - points.mean(axis=0)
    scaled = centred / max(np.abs(centred).max(), np.finfo(float).tiny)
    sides = 2.0 * labels[:, None] - 1.0
    constraints = -sides * np.hstack([scaled, -np.ones_like(sides)])
    limit = 1 / _SMALLEST_GAP
    verdict = linprog(np.zeros(3), constraints, -np.ones(len(points)), bounds=(-limit, limit))
    if verdict.status not in (0, 2):
        raise RuntimeError(f"linear program undecided: {verdict.message}")
    return bool(verdict.status == 0)


def separation_margin(points: FloatArray, labels: IntArray) -> float:
    """Signed margin between two classes of two points each, in the units of ``points``.

    Positive: half the width of the widest strip that divides the classes. Negative: the segments
    that join each class cross, and this is minus half the shortest move of a single point that
    undoes the crossing. Zero: they touch. Raises ValueError unless each class has two points, and
    as ``linearly_separable`` does.
    """
    separable = linearly_separable(points, labels)
    first, second = points[labels == 0], points[labels == 1]
    if len(first) != 2 or len(second) != 2:
        raise ValueError("the margin is defined for two points in each class")
    gaps = [_distance(p, second) for p in first] + [_distance(p, first) for p in second]
    return min(gaps) / 2 if separable else -min(gaps) / 2


def _check(points: FloatArray, labels: IntArray) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(f"shapes {points.shape} and {labels.shape} are not (n, 2) and (n,)")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite")


def _distance(point: FloatArray, segment: FloatArray) -> float:
    start, along = segment[0], segment[1] - segment[0]
    # The guard lets a segment shrunk to a point pass: the numerator is then zero as well.
    share = along @ (point - start) / max(along @ along, np.finfo(float).tiny)
    return float(np.linalg.norm(point - start - np.clip(share, 0.0, 1.0) * along))
