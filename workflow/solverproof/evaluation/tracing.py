"""The data of the figures of the flow, for a model with a two-dimensional state."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from solverproof.evaluation.specifications import TraceSpec
from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted
from solverproof.models.neural_ode import NeuralODE, neural_ode, select_seed

POINTS_PER_CLASS = 20
RESOLUTION = 300


@torch.no_grad()
def trace(
    spec: TraceSpec, data: Mapping[str, np.ndarray], parameters: Parameters
) -> dict[str, np.ndarray]:
    """Trajectories, end points and decision regions of one seed.

    Args:
        spec: which seed of which model.
        data: the task's data set; its test part is used.
        parameters: stacked parameters of the seed's block.

    Returns:
        `trajectories` (steps + 1, points, 2) with `trajectory_labels`, computed with the training
        solver and steps; `ends` (samples, 2) at the training steps and `ends_half` at half the
        step size, with `labels`; `regions` (rows, columns), the head's class at each point of a
        grid over `box` (x_min, x_max, y_min, y_max), or `NO_CLASS` where its outputs are not
        finite, as for a run that diverged.
    """
    own, train = select_seed(parameters, spec.index), spec.setting
    x, labels = torch.from_numpy(data["test_x"]), data["test_y"]
    model = neural_ode(spec.model, tuple(x.shape[1:]))
    # As many points of each class, or the larger one would hide the other. Sorted back into the
    # order of the data, which mixes the classes, so that neither is drawn above the other.
    shown = np.sort(
        np.concatenate([np.flatnonzero(labels == c)[:POINTS_PER_CLASS] for c in np.unique(labels)])
    )
    paths = model.trajectory(own, x[shown].unsqueeze(0), train)
    ends, ends_half = (
        model(own, x.unsqueeze(0), s).state.reshape(-1, 2) for s in (train, train.at_ratio(0.5))
    )
    # One box for both, so that the two panels of figure 2 can be compared.
    box = _box(torch.cat([ends, ends_half]))
    return {
        "trajectories": paths.reshape(len(paths), -1, 2).numpy(),
        "trajectory_labels": labels[shown],
        "ends": ends.numpy(),
        "ends_half": ends_half.numpy(),
        "labels": labels,
        "regions": _regions(model, own, box),
        "box": np.array(box),
    }


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


def _regions(
    model: NeuralODE, parameters: Parameters, box: tuple[float, float, float, float]
) -> np.ndarray:
    x_min, x_max, y_min, y_max = box
    ys, xs = torch.linspace(y_min, y_max, RESOLUTION), torch.linspace(x_min, x_max, RESOLUTION)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    states = torch.stack([x, y], -1).reshape(1, -1, *model.shape)
    # The head alone: the grid is in the space of the ODE's output.
    logits = model.outputs(parameters, states)
    return predicted(logits).view(RESOLUTION, RESOLUTION).numpy()
