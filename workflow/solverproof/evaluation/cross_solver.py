"""Evaluating trained models with solvers other than their own."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.reference import Reference, norms_of, reference
from solverproof.evaluation.rows import BATCH, REFERENCE, SAMPLE, Evaluation, Result, run_of
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.devices import chosen_device
from solverproof.models.fields import Parameters
from solverproof.models.losses import predicted, seed_losses, seed_scores
from solverproof.models.neural_ode import Forward, NeuralODE, neural_ode, select_seed
from solverproof.models.samples import Samples, samples
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import Setting, Solver

# Samples solved together, to bound memory. Adaptive solvers with control `batch` control the mean
# error over a chunk, so their results depend on it.
CHUNK = 1000
REFERENCED = 1000  # samples at most that a reference is computed for, the first of the test set
ForwardPass = Callable[[Parameters, Tensor, Setting], Forward]  # a model, or its `alone`


@dataclass(frozen=True)
class Outputs:
    """What all seeds make of all samples under one test setting.

    Attributes:
        outputs: shape (seeds, samples, outputs).
        state: final states, shape (seeds, samples, channels, *spatial).
        solutions: of each seed, one per chunk of samples; one that gave up comes first.
    """

    outputs: Tensor
    state: Tensor
    solutions: list[list[Solution | SolverError]]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation finds.

    Attributes:
        rows: of `evaluations.csv`.
        flows: the reference solution of every seed that trained, on the CPU.
    """

    rows: list[Evaluation]
    flows: dict[int, Reference]


def evaluate(
    spec: EvaluationSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
) -> Evaluated:
    """One row per seed and test setting, and one per seed of its reference solution.

    An adaptive test solver has another row in which it solves every sample alone (`Evaluation`).

    A seed that failed in training has rows with the status of its failure and no accuracy. If some
    outputs of a trained model are NaN or infinite under a test solver, the status is `nonfinite`,
    and those outputs count as wrong, and as infinite errors. If a test solver gives up, the row has
    its status and neither accuracy nor error.

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
    model, train = neural_ode(spec.model, test_set.shape), Setting.from_json(run["setting"])
    trained, targets = _outputs(model, parameters, test_set, train), test_set.targets.cpu()
    flows = {
        seed: _reference(model, parameters, test_set, trained, i)
        for i, seed in enumerate(spec.seeds)
        if str(seed) not in run["failures"]
    }
    rows = [
        _row(spec, train, seed, _flow(flow, targets), state_error=_median(flow.distance))
        for seed, flow in flows.items()
    ]
    for test in test_settings(train, spec.solvers, spec.ratios):
        # One setting at a time: the states of all would fill the memory.
        together = trained if test == train else _outputs(model, parameters, test_set, test)
        ways: dict[str | None, Outputs] = {None: together}
        if test.solver.is_adaptive:
            alone = _outputs(model.alone, parameters, test_set, test)
            ways = {BATCH: together, SAMPLE: alone}
        for control, outputs in ways.items():
            for i, seed in enumerate(spec.seeds):
                flow, result = flows.get(seed), _result(outputs, i, targets, test)
                judged = _distance(outputs, i, flow, targets)
                # a seed that failed has no predictions, and real values always change
                if control == SAMPLE and flow and not targets.is_floating_point():
                    judged["changed_alone"] = _changed(together, alone, i)
                result = _with_failure(result, run["failures"].get(str(seed)))
                rows.append(_row(spec, train, seed, result, control=control, **judged))
    return Evaluated(rows, flows)


def _reference(
    model: NeuralODE, parameters: Parameters, test_set: Samples, trained: Outputs, index: int
) -> Reference:
    """The flow of one seed, resolved as finely as its training setting needs."""
    own, first = select_seed(parameters, index), slice(REFERENCED)
    classes = not test_set.targets.is_floating_point()
    inputs, measured = test_set.inputs(first), trained.state[index, first]
    flow = reference(model, own, inputs, measured, classes=classes)
    return replace(
        flow,
        state=flow.state.cpu(),
        outputs=flow.outputs.cpu(),
        distance=flow.distance.cpu(),
        resolved=flow.resolved.cpu(),
        sure=None if flow.sure is None else flow.sure.cpu(),
    )


def _distance(
    outputs: Outputs, index: int, flow: Reference | None, targets: Tensor
) -> dict[str, float]:
    """How far a seed's outputs under a test setting are from its flow, if both are known."""
    gave_up = isinstance(outputs.solutions[index][0], SolverError)
    if flow is None or flow.status != "ok" or gave_up:
        return {}
    state, of_seed = outputs.state[index, :REFERENCED], outputs.outputs[index, :REFERENCED]
    errors = norms_of(state.double() - flow.state).nan_to_num(nan=math.inf, posinf=math.inf)
    scores = {f"{name}_paired": score for name, score in _scores(of_seed, targets).items()}
    return {
        **scores,
        "disagreement": math.nan
        if targets.is_floating_point()
        else _share(predicted(of_seed) != flow.outputs.argmax(1)),
        "state_error": _median(errors),
    }


def _scores(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Accuracy and error of one seed's outputs on as many of the first samples; one is NaN."""
    first = targets[: len(outputs)].unsqueeze(0)
    score = seed_scores(outputs.unsqueeze(0), first).item()
    real = targets.is_floating_point()
    return {"accuracy": math.nan if real else score, "error": score if real else math.nan}


def _changed(together: Outputs, alone: Outputs, index: int) -> float:
    """Share of a seed's predictions that differ; NaN where the batch has none."""
    if isinstance(together.solutions[index][0], SolverError):
        return math.nan
    return _share(predicted(together.outputs[index]) != predicted(alone.outputs[index]))


def _share(chosen: Tensor) -> float:
    return float(chosen.double().mean())


def _median(values: Tensor) -> float:
    return float(values.median())


def _flow(flow: Reference, targets: Tensor) -> Result:
    """The reference as the result of a test; without score and loss where it is not resolved."""
    judged = {"accuracy": math.nan, "error": math.nan, "loss": math.nan}
    if flow.status == "ok":
        judged = {**_scores(flow.outputs, targets), "loss": _loss(flow.outputs, targets)}
    return Result(
        test_solver=REFERENCE,
        test_steps=None,
        test_tolerance=None,
        nfe=flow.nfe,
        status=flow.status,
        reason=flow.reason,
        **judged,
    )


def _loss(outputs: Tensor, targets: Tensor) -> float:
    first = targets[: len(outputs)].unsqueeze(0)
    return float(seed_losses(outputs.unsqueeze(0), first))


def _row(
    spec: EvaluationSpec,
    train: Setting,
    seed: int,
    result: Result,
    *,
    control: str | None = None,
    **judged: Any,
) -> Evaluation:
    run = vars(run_of(spec, train, seed))
    return Evaluation(**run, **vars(result), control=control, **judged)


def _with_failure(result: Result, failure: Mapping[str, str] | None) -> Result:
    if not failure:
        return result
    return replace(
        result,
        accuracy=math.nan,
        error=math.nan,
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
    model: NeuralODE, parameters: Parameters, test_set: Samples, test: Setting
) -> Iterator[Result]:
    """Results of one test setting, one per seed."""
    outputs = _outputs(model, parameters, test_set, test)
    for i in range(len(outputs.solutions)):
        yield _result(outputs, i, test_set.targets.cpu(), test)


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
        torch.cat([chunk.outputs for chunk in chunks], 1).cpu(),
        torch.cat([chunk.state for chunk in chunks], 1).cpu(),
        solutions,
    )


def _result(outputs: Outputs, index: int, targets: Tensor, test: Setting) -> Result:
    """The result of one seed.

    Where an adaptive solver's work differs between chunks of samples, `test_steps` and `nfe` are
    the largest.
    """
    of_seed, solutions = outputs.outputs[index], outputs.solutions[index]
    judged = {**_scores(of_seed, targets), "loss": _loss(of_seed, targets)}
    bad = int((~of_seed.isfinite().all(1)).sum())
    status, reason = "ok", None
    failure = solutions[0] if isinstance(solutions[0], SolverError) else None
    # One chunk without a solution leaves the score on the whole test set unknown.
    if failure:
        judged = dict.fromkeys(judged, math.nan)
        status, reason = failure.status, failure.reason
    elif bad:
        status, reason = "nonfinite", f"{bad} outputs not finite, counted as wrong"
    return Result(
        test_solver=test.solver.name,
        test_steps=None if failure else max(s.steps or 0 for s in solutions),
        test_tolerance=test.tolerance,
        nfe=max(s.nfe for s in solutions),
        status=status,
        reason=reason,
        **judged,
    )


@torch.no_grad()
def _forward(model: ForwardPass, parameters: Parameters, x: Tensor, test: Setting) -> Forward:
    """A forward pass of every seed on the same samples.

    Raises:
        AssertionError: if a fixed-step solver took other steps or evaluations than asked for.
    """
    seeds = len(next(iter(parameters.values())))
    # A view: the seeds share the samples' memory.
    forward = model(parameters, x.expand(seeds, *x.shape), test)
    if test.solver.kind == "fixed":
        # Checked, because every conclusion about step sizes rests on these counts.
        assert test.steps is not None
        expected = test.steps, test.steps * test.solver.stages
        for taken in {(s.steps, s.nfe) for s in forward.solutions} - {expected}:
            raise AssertionError(f"{test} took (steps, evaluations) {taken}, not {expected}")
    return forward
