"""Evaluating trained models with solvers other than their own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.models.classifier import Classifier, Forward, classifier
from solverproof.models.devices import device
from solverproof.models.fields import Parameters
from solverproof.models.losses import seed_losses
from solverproof.models.samples import Samples, samples
from solverproof.ode.integration import SolverError
from solverproof.ode.solvers import SOLVERS, Setting, setting

RUN_COLUMNS = ("task", "train_solver", "train_steps", "train_tolerance", "controller", "adapted", "seed")
TEST_COLUMNS = ("test_solver", "test_steps", "test_tolerance", "accuracy", "loss", "nfe", "status", "reason")
COLUMNS = RUN_COLUMNS + TEST_COLUMNS
CHUNK = 1000  # samples solved together; an adaptive solver controls the error over a chunk


def evaluate(
    spec: Mapping[str, Any],
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """One row per seed and test setting, in the columns of `evaluations.csv`.

    A seed that failed in training gives rows with the status of its failure and no accuracy. A
    trained model some of whose outputs are NaN or infinite under a test solver gives status
    `nonfinite`; those outputs count as wrong. A test solver that gives up gives its own status and
    no accuracy.

    Args:
        spec: an evaluation specification.
        data: the task's data set; all of its test part is used.
        parameters: stacked parameters of the block.
        run: what training wrote: `setting`, the last one of training, and `failures`, a mapping of
            seeds (as text) to `status` and `reason`.

    Raises:
        InputError: if the task's device is not there.
    """
    test_set = samples(data, "test", device(spec["device"]))
    parameters = {name: p.to(test_set.x.device) for name, p in parameters.items()}
    model, train = classifier(spec["model"], test_set.shape), setting(run["setting"])
    return [
        {**_run_columns(spec, train, seed), **_with_failure(result, run["failures"].get(str(seed)))}
        for test in test_settings(train, spec["solvers"], spec["ratios"])
        for seed, result in zip(spec["seeds"], results(model, parameters, test_set, test), strict=True)
    ]


def _run_columns(spec: Mapping[str, Any], train: Setting, seed: int) -> dict[str, Any]:
    values = (
        spec["task"], train.solver.name, train.steps, train.tolerance, spec["controller"], spec["adapted"], seed,
    )  # fmt: skip
    return dict(zip(RUN_COLUMNS, values, strict=True))


def _with_failure(result: dict[str, Any], failure: Mapping[str, str] | None) -> dict[str, Any]:
    return {**result, "accuracy": math.nan, "loss": math.nan, **failure} if failure else result


def test_settings(train: Setting, solvers: Sequence[str], ratios: Sequence[float]) -> list[Setting]:
    """The training setting itself, and every solver at each ratio of its step size or tolerance, without repeats."""
    finenesses = [train, *(train.finer(ratio) for ratio in ratios)]
    settings = {fineness.with_solver(SOLVERS[solver]) for solver in solvers for fineness in finenesses} | {train}
    return sorted(settings, key=lambda s: (s.solver.name, s.fineness))


def results(model: Classifier, parameters: Parameters, test_set: Samples, test: Setting) -> Iterator[dict[str, Any]]:
    """Results of one test setting, one per seed, in columns of `evaluations.csv`.

    Where an adaptive solver's effort differs between chunks of samples, `test_steps` and `nfe` are the most.
    """
    starts, y = range(0, len(test_set), CHUNK), test_set.labels
    chunks = [_forward(model, parameters, test_set.inputs(slice(i, i + CHUNK)), test) for i in starts]
    logits = torch.cat([chunk.logits for chunk in chunks], 1)
    finite = logits.isfinite().all(2)
    accuracies = ((logits.argmax(2) == y) & finite).double().mean(1).tolist()
    losses = seed_losses(logits, y.expand(len(logits), -1)).tolist()
    nonfinite = (~finite).sum(1).tolist()
    for i, (accuracy, loss, bad) in enumerate(zip(accuracies, losses, nonfinite, strict=True)):
        solutions = [chunk.solutions[i] for chunk in chunks]
        nfe = max(s.nfe for s in solutions)
        failure = next((s for s in solutions if isinstance(s, SolverError)), None)
        steps = None if failure else max(s.steps or 0 for s in solutions)
        status, reason = "ok", None
        if failure:
            accuracy, loss, status, reason = math.nan, math.nan, failure.status, failure.reason  # noqa: PLW2901
        elif bad:
            status, reason = "nonfinite", f"{bad} outputs not finite, counted as wrong"
        row = (test.solver.name, steps, test.tolerance, accuracy, loss, nfe, status, reason)
        yield dict(zip(TEST_COLUMNS, row, strict=True))


@torch.no_grad()
def _forward(model: Classifier, parameters: Parameters, x: Tensor, test: Setting) -> Forward:
    """A forward pass of every seed on the same samples; a fixed-step solver takes just its steps."""
    seeds = len(parameters["head.bias"])
    forward = model(parameters, x.expand(seeds, *x.shape), test)
    for solution in forward.solutions:
        if test.solver.kind == "fixed" and (solution.nfe, solution.steps) != (
            test.fineness * test.solver.stages,
            test.fineness,
        ):
            raise AssertionError(f"{test} took {solution.steps} steps and {solution.nfe} evaluations")
    return forward
