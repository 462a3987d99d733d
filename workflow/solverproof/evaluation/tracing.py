"""The data of the figures of the flow, for a model with a two-dimensional state."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from solverproof.evaluation.plane import first_of_each_class, head_regions, thinned
from solverproof.evaluation.specifications import TraceSpec
from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted
from solverproof.models.neural_ode import neural_ode, select_seed
from solverproof.ode.solvers import Setting

POINTS_PER_CLASS = 20
RESOLUTION = 300
FINER = [1 + i / 2 for i in range(15)]  # test steps as multiples of the training steps
HALF = FINER.index(2)  # at half the training step size
DRAWN_STEPS = 64  # of a trajectory; more could not be told apart


@torch.no_grad()
def trace(
    spec: TraceSpec, data: Mapping[str, np.ndarray], parameters: Parameters
) -> dict[str, np.ndarray]:
    """Trajectories, end points and decision regions of one seed under ever finer steps.

    Args:
        spec: which seed of which model.
        data: the task's data set; its test part is used.
        parameters: stacked parameters of the seed's block.

    Returns:
        With the training solver and each number of test `steps` (settings,), from that of training
        on: `ends` (settings, samples, 2) and `predicted` (settings, samples), classes, beside
        `starts` (samples, 2) and `labels`; `trajectories_0`, `trajectories_1`, ..., one per
        setting, (states, points, 2), at most `DRAWN_STEPS` states after the first, of the samples
        `shown` (points,). `regions` (rows, columns) is the head's class at each point of a grid
        over `box` (x_min, x_max, y_min, y_max), which holds the ends at the training step and at
        half of it. Classes are `NO_CLASS` where outputs are not finite, as for a run that diverged.
    """
    own, train = select_seed(parameters, spec.index), spec.setting
    x, labels = torch.from_numpy(data["test_x"]).unsqueeze(0), data["test_y"]
    model = neural_ode(spec.model, tuple(x.shape[2:]))
    shown = first_of_each_class(labels, POINTS_PER_CLASS)
    assert train.steps is not None, "the configuration names numbers of steps"
    settings = [Setting(train.solver, steps=round(finer * train.steps)) for finer in FINER]
    passes = [model(own, x, setting) for setting in settings]
    paths = [model.trajectory(own, x[:, shown], setting) for setting in settings]
    ends = torch.stack([solved.state.reshape(-1, 2) for solved in passes])
    # One box for both, so that the two panels of figure 2 can be compared.
    box = _box(ends[[0, HALF]].flatten(0, 1))
    return {
        "steps": np.array([setting.steps for setting in settings]),
        "starts": model.start(own, x).reshape(-1, 2).numpy(),
        "ends": ends.numpy(),
        "predicted": torch.cat([predicted(solved.outputs) for solved in passes]).numpy(),
        "labels": labels,
        **{f"trajectories_{i}": _shown(path) for i, path in enumerate(paths)},
        "shown": shown,
        "regions": head_regions(model, own, box, RESOLUTION).numpy(),
        "box": np.array(box),
    }


def _shown(path: Tensor) -> np.ndarray:
    drawn = thinned(path, DRAWN_STEPS)
    return drawn.reshape(len(drawn), -1, 2).numpy()


def _box(points: Tensor) -> tuple[float, float, float, float]:
    """Bounding box of the finite points with a margin of 8 %; a square when there are none."""
    # The difference of two finite float32 numbers may overflow; in float64 it does not.
    finite = points[points.isfinite().all(1)].double()
    if not len(finite):
        return -1.0, 1.0, -1.0, 1.0
    low, high = finite.min(0).values, finite.max(0).values
    margin = 0.08 * (high - low)
    (x_min, y_min), (x_max, y_max) = (low - margin).tolist(), (high + margin).tolist()
    return x_min, x_max, y_min, y_max
