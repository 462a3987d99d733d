"""Evaluating trained models with solvers other than their own."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.networks import Classifier, Parameters, classifier
from solverproof.solvers import SOLVERS
from solverproof.training import seed_losses

CHUNK = 256


def evaluate(
    spec: Mapping[str, Any], data: Mapping[str, np.ndarray], parameters: Parameters, failures: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row per seed and test setting, in the columns of `evaluations.csv`.

    A seed that failed in training gives rows with status `diverged` and no accuracy. A trained
    model some of whose outputs are NaN or infinite under a test solver gives status `nonfinite`;
    those outputs count as wrong.

    Args:
        spec: an evaluation specification.
        data: the task's data set; all of its test part is used.
        parameters: stacked parameters of the block.
        failures: seed (as text) to reason, of the seeds that failed in training.
    """
    x, y = torch.from_numpy(data["test_x"]), torch.from_numpy(data["test_y"])
    model = classifier(spec["model"], tuple(x.shape[1:]))
    return [
        {**_cell_columns(spec, seed), **_with_status(result, failures.get(str(seed)))}
        for solver, steps in spec["tests"]
        for seed, result in zip(spec["seeds"], _test(model, parameters, x, y, solver, steps), strict=True)
    ]


def _cell_columns(spec: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {
        "task": spec["task"],
        "train_solver": spec["solver"],
        "train_steps": spec["steps"],
        "train_tolerance": None,
        "adapted": False,
        "seed": seed,
    }


def _test(
    model: Classifier, parameters: Parameters, x: Tensor, y: Tensor, solver: str, steps: int
) -> Iterator[dict[str, Any]]:
    """Results of one test setting, one per seed."""
    logits, taken, nfe = _logits(model, parameters, x, solver, steps)
    finite = logits.isfinite().all(2)
    correct = (logits.argmax(2) == y) & finite
    losses = seed_losses(logits, y.expand(len(logits), -1))
    for right, loss, ok in zip(correct, losses.tolist(), finite, strict=True):
        yield {
            "test_solver": solver,
            "test_steps": taken,
            "test_tolerance": None,
            "accuracy": int(right.sum()) / len(y),
            "loss": loss,
            "nfe": nfe,
            "nonfinite": int((~ok).sum()),
        }


@torch.no_grad()
def _logits(model: Classifier, parameters: Parameters, x: Tensor, solver: str, steps: int) -> tuple[Tensor, int, int]:
    """Logits (seeds, samples, classes) of all samples, the steps really taken, and the NFE."""
    seeds = len(parameters["head.bias"])
    chunks = []
    for part in torch.split(x, CHUNK):
        logits, solution = model(parameters, part.expand(seeds, *part.shape), solver=solver, steps=steps)
        if solution.steps != steps or solution.nfe != steps * SOLVERS[solver].stages:
            raise AssertionError(f"{solver}: {solution.steps} steps and {solution.nfe} NFE instead of {steps} steps")
        chunks.append(logits)
    return torch.cat(chunks, 1), solution.steps, solution.nfe


def _with_status(result: dict[str, Any], failure: str | None) -> dict[str, Any]:
    """A result with status and reason in place of its count of non-finite outputs."""
    nonfinite = result.pop("nonfinite")
    if failure:
        return {**result, "accuracy": math.nan, "loss": math.nan, "status": "diverged", "reason": failure}
    if nonfinite:
        return {**result, "status": "nonfinite", "reason": f"{nonfinite} outputs not finite, counted as wrong"}
    return {**result, "status": "ok", "reason": None}
