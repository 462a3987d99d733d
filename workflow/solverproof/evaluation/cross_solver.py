"""Evaluating trained models with solvers other than their own."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.reference import Reference, norms_of, reference
from solverproof.evaluation.rows import BATCH, REFERENCE, SAMPLE, Evaluation, Result
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.classifier import Classifier, Forward, classifier, select_seed
from solverproof.models.devices import chosen_device
from solverproof.models.fields import Parameters
from solverproof.models.losses import seed_losses
from solverproof.models.samples import Samples, samples
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import Setting, Solver

# Samples solved together, to bound memory. Adaptive solvers with control `batch` control the mean
# error over a chunk, so their results depend on it.
CHUNK = 1000
REFERENCED = 1000  # samples at most that a reference is computed for, the first of the test set
NO_CLASS = -1
ForwardPass = Callable[[Parameters, Tensor, Setting], Forward]  # a classifier, or its `alone`


@dataclass(frozen=True)
class Outputs:
    """What all seeds make of all samples under one test setting.

    Attributes:
        logits: shape (seeds, samples, classes).
        state: final states, shape (seeds, samples, channels, *spatial).
        solutions: of each seed, one per chunk of samples; one that gave up comes first.
    """

    logits: Tensor
    state: Tensor
    solutions: list[list[Solution | SolverError]]


def evaluate(
    spec: EvaluationSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> list[Evaluation]:
    """One row per seed and test setting, and one per seed of its reference solution.

    An adaptive test solver has another row in which it solves every sample alone (`Evaluation`).

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
    trained, labels = _outputs(model, parameters, test_set, train), test_set.labels.cpu()
    flows = [
        None
        if str(seed) in run["failures"]
        else _reference(model, parameters, test_set, trained, i)
        for i, seed in enumerate(spec.seeds)
    ]
    rows = [
        _row(spec, train, seed, _flow(flow, labels), state_error=_median(flow.distance))
        for seed, flow in zip(spec.seeds, flows, strict=True)
        if flow
    ]
    for test in test_settings(train, spec.solvers, spec.ratios):
        # One setting at a time: the states of all would fill the memory.
        together = trained if test == train else _outputs(model, parameters, test_set, test)
        ways: dict[str | None, Outputs] = {None: together}
        if test.solver.is_adaptive:
            alone = _outputs(model.alone, parameters, test_set, test)
            ways = {BATCH: together, SAMPLE: alone}
        for control, outputs in ways.items():
            for i, (seed, flow) in enumerate(zip(spec.seeds, flows, strict=True)):
                result = _result(outputs, i, labels, test)
                judged = _distance(outputs, i, flow, labels)
                if control == SAMPLE and flow:  # a seed that failed has no predictions
                    judged["changed_alone"] = _changed(together, alone, i)
                result = _with_failure(result, run["failures"].get(str(seed)))
                rows.append(_row(spec, train, seed, result, control=control, **judged))
    return rows


def _reference(
    model: Classifier, parameters: Parameters, test_set: Samples, trained: Outputs, index: int
) -> Reference:
    """The flow of one seed, resolved as finely as its training setting needs."""
    own, first = select_seed(parameters, index), slice(REFERENCED)
    flow = reference(model, own, test_set.inputs(first), trained.state[index, first])
    return replace(
        flow, state=flow.state.cpu(), logits=flow.logits.cpu(), distance=flow.distance.cpu()
    )


def _distance(
    outputs: Outputs, index: int, flow: Reference | None, labels: Tensor
) -> dict[str, float]:
    """How far a seed's outputs under a test setting are from its flow, if both are known."""
    gave_up = isinstance(outputs.solutions[index][0], SolverError)
    if flow is None or flow.status != "ok" or gave_up:
        return {}
    state, predicted = outputs.state[index, :REFERENCED], _predicted(outputs, index)[:REFERENCED]
    errors = norms_of(state.double() - flow.state).nan_to_num(nan=math.inf, posinf=math.inf)
    return {
        "accuracy_paired": _share(predicted == labels[:REFERENCED]),
        "disagreement": _share(predicted != flow.logits.argmax(1)),
        "state_error": _median(errors),
    }


def _predicted(outputs: Outputs, index: int) -> Tensor:
    """The classes that a seed predicts."""
    logits = outputs.logits[index]
    # a prediction from numbers that are not finite is none
    return logits.argmax(1).where(logits.isfinite().all(1), NO_CLASS)


def _changed(together: Outputs, alone: Outputs, index: int) -> float:
    """Share of a seed's predictions that differ; NaN where the batch has none."""
    if isinstance(together.solutions[index][0], SolverError):
        return math.nan
    return _share(_predicted(together, index) != _predicted(alone, index))


def _share(chosen: Tensor) -> float:
    return float(chosen.double().mean())


def _median(values: Tensor) -> float:
    return float(values.median())


def _flow(flow: Reference, labels: Tensor) -> Result:
    """The reference as the result of a test; without accuracy where it is not resolved."""
    resolved = flow.status == "ok"
    labels = labels[:REFERENCED]
    accuracy = _share(flow.logits.argmax(1) == labels)
    loss = seed_losses(flow.logits.unsqueeze(0), labels.unsqueeze(0)).item()
    return Result(
        test_solver=REFERENCE,
        test_steps=None,
        test_tolerance=None,
        accuracy=accuracy if resolved else math.nan,
        loss=loss if resolved else math.nan,
        nfe=flow.nfe,
        status=flow.status,
        reason=flow.reason,
    )


def _row(
    spec: EvaluationSpec,
    train: Setting,
    seed: int,
    result: Result,
    *,
    control: str | None = None,
    **judged: Any,
) -> Evaluation:
    return Evaluation(
        task=spec.task,
        train_solver=train.solver.name,
        train_steps=train.steps,
        train_tolerance=train.tolerance,
        controller=spec.controller,
        adapted=spec.adapted,
        seed=seed,
        **vars(result),
        control=control,
        **judged,
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
    """Results of one test setting, one per seed."""
    outputs = _outputs(model, parameters, test_set, test)
    for i in range(len(outputs.solutions)):
        yield _result(outputs, i, test_set.labels.cpu(), test)


def _outputs(
    model: ForwardPass, parameters: Parameters, test_set: Samples, test: Setting
) -> Outputs:
    starts = range(0, len(test_set), CHUNK)
    chunks = [
        _forward(model, parameters, test_set.inputs(slice(i, i + CHUNK)), test) for i in starts
    ]
    solutions = [
        sorted(of_seed, key=lambda s: not isinstance(s, SolverError))
        for of_seed in map(list, zip(*(chunk.solutions for chunk in chunks), strict=True))
    ]
    return Outputs(
        # on the CPU, because shares are taken in float64, which not every device has
        torch.cat([chunk.logits for chunk in chunks], 1).cpu(),
        torch.cat([chunk.state for chunk in chunks], 1).cpu(),
        solutions,
    )


def _result(outputs: Outputs, index: int, labels: Tensor, test: Setting) -> Result:
    """The result of one seed.

    Where an adaptive solver's work differs between chunks of samples, `test_steps` and `nfe` are
    the largest.
    """
    logits, solutions = outputs.logits[index], outputs.solutions[index]
    finite = logits.isfinite().all(1)
    # NaN logits may still have an argmax equal to the label. In float64, because float32 would
    # round a share of samples by more than the margin of `is_valid`.
    accuracy = ((logits.argmax(1) == labels) & finite).double().mean().item()
    loss = seed_losses(logits.unsqueeze(0), labels.unsqueeze(0)).item()
    bad = int((~finite).sum())
    status, reason = "ok", None
    failure = solutions[0] if isinstance(solutions[0], SolverError) else None
    # One chunk without a solution leaves the accuracy on the whole test set unknown.
    if failure:
        accuracy = loss = math.nan
        status, reason = failure.status, failure.reason
    elif bad:
        status, reason = "nonfinite", f"{bad} outputs not finite, counted as wrong"
    return Result(
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
def _forward(model: ForwardPass, parameters: Parameters, x: Tensor, test: Setting) -> Forward:
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
