"""What is shown of a model with a two-dimensional state, in figures and on the page."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted
from solverproof.models.neural_ode import NeuralODE


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first samples of each class, at most so many of one.

    As many of each, or the larger class would hide the others; in the order of the data, which
    mixes the classes, so that none is drawn above another.
    """
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:count] for c in np.unique(labels)]))


def thinned(path: Tensor, steps: int) -> Tensor:
    """States of a trajectory (states, ...), at most so many after the first, evenly spread."""
    last = len(path) - 1
    return path[torch.linspace(0, last, min(last, steps) + 1).round().long()]


def head_regions(
    model: NeuralODE, parameters: Parameters, box: Sequence[float], resolution: int
) -> Tensor:
    """The head's class at each point of a grid over a box, shape (rows, columns), from the bottom.

    The head alone: the grid is in the space of the ODE's output.

    Args:
        model: with a head that tells classes.
        parameters: of one seed.
        box: x_min, x_max, y_min, y_max.
        resolution: points on a side.
    """
    x_min, x_max, y_min, y_max = box
    ys, xs = torch.linspace(y_min, y_max, resolution), torch.linspace(x_min, x_max, resolution)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    states = torch.stack([x, y], -1).reshape(1, -1, *model.shape)
    return predicted(model.outputs(parameters, states)).view(resolution, resolution)
