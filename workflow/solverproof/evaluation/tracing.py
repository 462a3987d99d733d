"""What the figures of the flow need to know of a model with a two-dimensional state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.models.classifier import Classifier, classifier, only
from solverproof.models.fields import Parameters
from solverproof.ode.solvers import setting

POINTS_PER_CLASS = 20
RESOLUTION = 300
NO_CLASS = -1


@torch.no_grad()
def trace(spec: Mapping[str, Any], data: Mapping[str, np.ndarray], parameters: Parameters) -> dict[str, np.ndarray]:
    """Trajectories, end points and decision regions of one seed.

    Args:
        spec: a flow specification.
        data: the task's data set; its test part is used.
        parameters: stacked parameters of the block the seed belongs to.

    Returns:
        `trajectories` (steps + 1, points, 2) with `trajectory_labels`, taken with the training
        solver and steps; `ends` (samples, 2) at the training steps and `ends_half` at half the
        step size, with `labels`; `regions` (rows, columns), the head's class at each point of a
        grid over `box` (x_min, x_max, y_min, y_max), or `NO_CLASS` where its outputs are not
        finite, as those of a run that diverged.
    """
    own, train = only(parameters, spec["index"]), setting(spec)
    x, labels = torch.from_numpy(data["test_x"]), data["test_y"]
    model = classifier(spec["model"], tuple(x.shape[1:]))
    shown = np.sort(np.concatenate([np.flatnonzero(labels == c)[:POINTS_PER_CLASS] for c in np.unique(labels)]))
    paths = model.trajectory(own, x[shown].unsqueeze(0), train)
    ends, ends_half = (model(own, x.unsqueeze(0), s).state.reshape(-1, 2) for s in (train, train.finer(0.5)))
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
    finite = points[points.isfinite().all(1)].double()  # float32 could overflow below
    if not len(finite):
        return -1.0, 1.0, -1.0, 1.0
    low, high = finite.min(0).values, finite.max(0).values
    margin = 0.08 * (high - low)
    (x_min, y_min), (x_max, y_max) = (low - margin).tolist(), (high + margin).tolist()
    return x_min, x_max, y_min, y_max


def _regions(model: Classifier, parameters: Parameters, box: tuple[float, float, float, float]) -> np.ndarray:
    x_min, x_max, y_min, y_max = box
    ys, xs = torch.linspace(y_min, y_max, RESOLUTION), torch.linspace(x_min, x_max, RESOLUTION)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    states = torch.stack([x, y], -1).reshape(1, -1, *model.shape)
    logits = model.head(parameters, states)
    classes = torch.where(logits.isfinite().all(2), logits.argmax(2), NO_CLASS)
    return classes.view(RESOLUTION, RESOLUTION).numpy()
