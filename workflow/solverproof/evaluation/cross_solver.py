"""Evaluating trained models with solvers other than their own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.evaluation.rows import Evaluation, Result
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.classifier import Classifier, Forward, classifier
from solverproof.models.devices import chosen_device
from solverproof.models.fields import Parameters
from solverproof.models.losses import seed_losses
from solverproof.models.samples import Samples, samples
from solverproof.ode.integration import SolverError
from solverproof.ode.solvers import Setting, Solver

# Samples solved together, to bound memory. Adaptive solvers control the mean error over a chunk, so
# their results depend on it.
CHUNK = 1000


def evaluate(
    spec: EvaluationSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> list[Evaluation]:
    """One row per seed and test setting.

    A seed that failed in training has rows with the status of its failure and no accuracy. If some
    outputs of a trained model are NaN or infinite under a test solver, the status is `nonfinite`,
    and those outputs count as wrong. If a test solver gives up, the row has its status and no
    accuracy.

    Args:
        spec: what is evaluated, and how.
        data: the task's data set; the whole test part is used.
        parameters: stacked parameters of the block.
        run: what training wrote: `setting`, the last one of training, and `failures`, a mapping of
            seeds (as text) to `status` and `reason`.

    Raises:
        InputError: if the task's device is not available.
    """
    test_set = samples(data, "test", chosen_device(spec.device))
    parameters = {name: p.to(test_set.x.device) for name, p in parameters.items()}
    model, train = classifier(spec.model, test_set.shape), Setting.from_json(run["setting"])
    return [
        _row(spec, train, seed, _with_failure(result, run["failures"].get(str(seed))))
        for test in test_settings(train, spec.solvers, spec.ratios)
        for seed, result in zip(
            spec.seeds, evaluate_setting(model, parameters, test_set, test), strict=True
        )
    ]


def _row(spec: EvaluationSpec, train: Setting, seed: int, result: Result) -> Evaluation:
    return Evaluation(
        task=spec.task,
        train_solver=train.solver.name,
        train_steps=train.steps,
        train_tolerance=train.tolerance,
        controller=spec.controller,
        adapted=spec.adapted,
        seed=seed,
        **vars(result),
    )


def _with_failure(result: Result, failure: Mapping[str, str] | None) -> Result:
    if not failure:
        return result
    return replace(
        result,
        accuracy=math.nan,
        loss=math.nan,
        status=failure["status"],
        reason=failure["reason"],
    )


def test_settings(
    train: Setting, solvers: Sequence[Solver], ratios: Sequence[float]
) -> list[Setting]:
    """The training setting, and every solver at each ratio of its step size or tolerance."""
    # A set, because ratios of few steps round up to the same number of steps. The training setting
    # is always in it: the drop is measured from its accuracy.
    sizes = [train, *(train.at_ratio(ratio) for ratio in ratios)]
    settings = {size.with_solver(solver) for solver in solvers for size in sizes} | {train}
    return sorted(settings, key=lambda s: (s.solver.name, s.value))


def evaluate_setting(
    model: Classifier, parameters: Parameters, test_set: Samples, test: Setting
) -> Iterator[Result]:
    """Results of one test setting, one per seed.

    Where an adaptive solver's work differs between chunks of samples, `test_steps` and `nfe` are
    the largest.
    """
    starts, y = range(0, len(test_set), CHUNK), test_set.labels
    chunks = [
        _forward(model, parameters, test_set.inputs(slice(i, i + CHUNK)), test) for i in starts
    ]
    logits = torch.cat([chunk.logits for chunk in chunks], 1)
    finite = logits.isfinite().all(2)
    # NaN logits may still have an argmax equal to the label. In float64, because float32 would
    # round a share of samples by more than the margin of `is_valid`.
    accuracies = ((logits.argmax(2) == y) & finite).double().mean(1).tolist()
    losses = seed_losses(logits, y.expand(len(logits), -1)).tolist()
    nonfinite = (~finite).sum(1).tolist()
    for i, (accuracy, loss, bad) in enumerate(zip(accuracies, losses, nonfinite, strict=True)):
        solutions = [chunk.solutions[i] for chunk in chunks]
        failure = next((s for s in solutions if isinstance(s, SolverError)), None)
        status, reason = "ok", None
        # One chunk without a solution leaves the accuracy on the whole test set unknown.
        if failure:
            accuracy = loss = math.nan  # noqa: PLW2901
            status, reason = failure.status, failure.reason
        elif bad:
            status, reason = "nonfinite", f"{bad} outputs not finite, counted as wrong"
        yield Result(
            test_solver=test.solver.name,
            test_steps=None if failure else max(s.steps or 0 for s in solutions),
            test_tolerance=test.tolerance,
            accuracy=accuracy,
            loss=loss,
            nfe=max(s.nfe for s in solutions),
            status=status,
            reason=reason,
        )


@torch.no_grad()
def _forward(model: Classifier, parameters: Parameters, x: Tensor, test: Setting) -> Forward:
    """A forward pass of every seed on the same samples.

    Raises:
        AssertionError: if a fixed-step solver took other steps or evaluations than asked for.
    """
    seeds = len(parameters["head.bias"])
    # A view: the seeds share the samples' memory.
    forward = model(parameters, x.expand(seeds, *x.shape), test)
    if test.solver.kind == "fixed":
        # Checked, because every conclusion about step sizes rests on these counts.
        assert test.steps is not None
        expected = test.steps, test.steps * test.solver.stages
        for taken in {(s.steps, s.nfe) for s in forward.solutions} - {expected}:
            raise AssertionError(f"{test} took (steps, evaluations) {taken}, not {expected}")
    return forward
