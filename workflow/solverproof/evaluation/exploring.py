"""What the explorer of a study's page shows of a model with a two-dimensional state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.evaluation.cross_solver import CHUNK, test_settings
from solverproof.evaluation.plane import first_of_each_class, head_regions, thinned
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted
from solverproof.models.neural_ode import NeuralODE, neural_ode, select_seed
from solverproof.models.samples import Samples, samples
from solverproof.ode.integration import SolverError, solve
from solverproof.ode.solvers import Setting

POINTS = 40  # of the test set, in equal parts of every class
VERTICES = 17  # of a trajectory at most: more are not seen, and every one is in the page
PARTS = 12  # of the interval, at whose ends the states of an adaptive solver are shown
RESOLUTION = 64


@torch.no_grad()
def explore(
    spec: EvaluationSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Trajectories and predictions of a few samples under every test setting.

    They are of the first seed of the block that trained; without one there are none. A setting
    under which the solver gives up is left out.

    Args:
        spec: the model, and the solvers and ratios to test with.
        data: the task's data set; its test part is used.
        parameters: stacked parameters of the block.
        run: what training wrote: `setting` and `failures`, as `evaluate` takes them.

    Returns:
        `seed`, one number; `targets` (points,), labels, or empty of real values; for every test
        setting, such as `paths euler steps-64`, `paths` (vertices, points, 2), and of classes
        `classes` (points,), predicted from the end points; `box` (x_min, x_max, y_min, y_max) of
        the training setting, for others may lead a hundred times as far; and of classes `regions`
        (rows, columns), the head's class at each point of a grid over the box.
    """
    trained = [i for i, seed in enumerate(spec.seeds) if str(seed) not in run["failures"]]
    if not trained:
        return {"seed": np.array([], dtype=np.int64)}
    own, test_set = select_seed(parameters, trained[0]), samples(data, "test", torch.device("cpu"))
    model, chosen = neural_ode(spec.model, test_set.shape), _chosen(test_set)
    classes = not test_set.targets.is_floating_point()
    targets = test_set.targets[chosen] if classes else torch.tensor([], dtype=torch.int64)
    found = {"seed": np.array([spec.seeds[trained[0]]]), "targets": targets.numpy()}
    train = Setting.from_json(run["setting"])
    for test in test_settings(train, spec.solvers, spec.ratios):
        states = _states(model, own, test_set, chosen, test)
        if states is None:
            continue
        name = f"{test.solver.name} {test.label}"
        found[f"paths {name}"] = states.reshape(len(states), -1, 2).numpy()
        if classes:
            found[f"classes {name}"] = predicted(model.outputs(own, states[-1]))[0].numpy()
    found["box"] = _box(found.get(f"paths {train.solver.name} {train.label}", np.empty((0, 2))))
    if classes:
        regions = head_regions(model, own, found["box"].tolist(), RESOLUTION)
        found["regions"] = regions.to(torch.int16).numpy()
    return found


def _chosen(test_set: Samples) -> Tensor:
    """The first samples, of classes as many of each."""
    targets = test_set.targets[:CHUNK]
    if targets.is_floating_point():
        return torch.arange(min(POINTS, len(targets)))
    labels = targets.numpy()
    return torch.from_numpy(first_of_each_class(labels, max(1, POINTS // len(np.unique(labels)))))


def _states(
    model: NeuralODE, parameters: Parameters, test_set: Samples, chosen: Tensor, test: Setting
) -> Tensor | None:
    """States of the chosen samples, shape (vertices, 1, points, channels, *spatial)."""
    if test.steps is not None:
        states = model.trajectory(parameters, test_set.inputs(chosen).unsqueeze(0), test)
        return thinned(states, VERTICES - 1)
    # An adaptive solver chooses its steps for all samples that are solved together: those that its
    # accuracy is measured on.
    start = model.start(parameters, test_set.inputs(slice(CHUNK)).unsqueeze(0))
    field, packed = model.vector_field(parameters), model.field.pack(start)
    ends = [model.horizon * (part + 1) / PARTS for part in range(PARTS)]
    try:
        solved = [solve(field, packed, test, horizon=end).state for end in ends]
    except SolverError:
        return None
    return torch.stack([start, *map(model.field.unpack, solved)])[:, :, chosen]


def _box(paths: np.ndarray) -> np.ndarray:
    """A square with nearly all states in it; a few may be thousands of times as far."""
    finite = paths[np.isfinite(paths).all(axis=-1)].astype(np.float64)
    if not len(finite):
        return np.array([-1.0, 1.0, -1.0, 1.0])
    low, high = np.percentile(finite, [2, 98], axis=0)
    (x, y), reach = (low + high) / 2, 0.6 * max(high - low) or 1.0
    return np.array([x - reach, x + reach, y - reach, y + reach])
