"""What the explorer of a study's page shows of a model with a two-dimensional state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.evaluation.cross_solver import test_settings
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted
from solverproof.models.neural_ode import NeuralODE, neural_ode, select_seed
from solverproof.models.samples import Samples, samples
from solverproof.ode.solvers import Setting

POINTS = 40  # of the test set, in equal parts of every class
VERTICES = 25  # of a trajectory at most: more are not seen, and every one is in the page
RESOLUTION = 64


@torch.no_grad()
def explore(
    spec: EvaluationSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Trajectories and predictions of a few samples under every test setting of equal steps.

    They are of the first seed of the block that trained; without one there are none.

    Args:
        spec: the model, and the solvers and ratios to test with.
        data: the task's data set; its test part is used.
        parameters: stacked parameters of the block.
        run: what training wrote: `setting` and `failures`, as `evaluate` takes them.

    Returns:
        `seed`, one number; `targets` (points,), labels, or empty of real values; for every test
        setting `paths SOLVER STEPS` (vertices, points, 2), and of classes `classes SOLVER STEPS`
        (points,), predicted from the end points; `regions` (rows, columns), the head's class at
        each point of a grid over `box` (x_min, x_max, y_min, y_max).
    """
    trained = [i for i, seed in enumerate(spec.seeds) if str(seed) not in run["failures"]]
    if not trained:
        return {"seed": np.array([], dtype=np.int64)}
    own, test_set = select_seed(parameters, trained[0]), samples(data, "test", torch.device("cpu"))
    model, chosen = neural_ode(spec.model, test_set.shape), _chosen(test_set)
    classes = not test_set.targets.is_floating_point()
    x = test_set.inputs(chosen).unsqueeze(0)
    found = {
        "seed": np.array([spec.seeds[trained[0]]]),
        "targets": test_set.targets[chosen].numpy() if classes else np.array([], dtype=np.int64),
    }
    train = Setting.from_json(run["setting"])
    for test in test_settings(train, spec.solvers, spec.ratios):
        if test.steps is None:
            continue  # the steps of an adaptive solver differ from batch to batch
        states, name = model.trajectory(own, x, test), f"{test.solver.name} {test.steps}"
        found[f"paths {name}"] = _thinned(states).reshape(-1, len(chosen), 2)
        if classes:
            found[f"classes {name}"] = predicted(model.outputs(own, states[-1]))[0].numpy()
    paths = [array.reshape(-1, 2) for name, array in found.items() if name.startswith("paths ")]
    if paths:
        found["box"] = _box(np.concatenate(paths))
    if paths and classes:
        found["regions"] = _regions(model, own, found["box"])
    return found


def _chosen(test_set: Samples) -> Tensor:
    """The first samples of each class, in the order of the data, so that none hides another."""
    targets = test_set.targets
    if targets.is_floating_point():
        return torch.arange(min(POINTS, len(targets)))
    classes = torch.unique(targets)
    of_class = max(1, POINTS // len(classes))
    return torch.cat([(targets == c).nonzero()[:of_class, 0] for c in classes]).sort().values


def _thinned(states: Tensor) -> np.ndarray:
    """Some of the states of a trajectory, the first and the last among them."""
    last = len(states) - 1
    kept = np.unique(np.linspace(0, last, min(last + 1, VERTICES)).round().astype(int))
    thinned: np.ndarray = states[kept].numpy()
    return thinned


def _box(states: np.ndarray) -> np.ndarray:
    """A square with nearly all states in it; a few may be thousands of times as far."""
    finite = states[np.isfinite(states).all(axis=1)].astype(np.float64)
    if not len(finite):
        return np.array([-1.0, 1.0, -1.0, 1.0])
    low, high = np.percentile(finite, [2, 98], axis=0)
    (x, y), reach = (low + high) / 2, 0.6 * max(high - low) or 1.0
    return np.array([x - reach, x + reach, y - reach, y + reach])


def _regions(model: NeuralODE, parameters: Parameters, box: np.ndarray) -> np.ndarray:
    left, right, bottom, top = map(float, box)
    ys, xs = torch.linspace(bottom, top, RESOLUTION), torch.linspace(left, right, RESOLUTION)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    states = torch.stack([x, y], -1).reshape(1, -1, *model.shape)
    regions: np.ndarray = predicted(model.outputs(parameters, states)).view(y.shape).numpy()
    return regions
