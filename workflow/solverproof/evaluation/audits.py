"""Audits of the models of a trained cell, each as deployed with its own setting."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.advising import advice, others
from solverproof.auditing.call import Call
from solverproof.auditing.flow import Flow
from solverproof.auditing.intervals import CONFIDENCE
from solverproof.auditing.judging import Judge, Solved
from solverproof.auditing.measures import Standard, relative, spread
from solverproof.auditing.problem import device_of
from solverproof.auditing.reference import Reference
from solverproof.auditing.sharpness import sharpness
from solverproof.auditing.stability import Stability
from solverproof.auditing.trained import double_problem, trained_problem
from solverproof.auditing.verdict import kind_of
from solverproof.evaluation.audit_rows import Audit, Measured
from solverproof.evaluation.rows import run_of
from solverproof.evaluation.specifications import AuditSpec
from solverproof.models.devices import chosen_device
from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import NeuralODE, neural_ode, select_seed
from solverproof.models.samples import samples
from solverproof.ode.solvers import Setting

ACCEPTED = 0.01  # share of predictions that may differ, or error of real values: the audit's own
FOLLOWED = 16  # samples at most that growth is measured on: many models are audited


def examine(
    spec: AuditSpec,
    data: Mapping[str, np.ndarray],
    parameters: Parameters,
    run: Mapping[str, Any],
    flows: Mapping[int, Reference],
) -> list[Audit]:
    """Audit every seed of a cell, on the samples of its reference.

    Candidates are tried where the specification asks for them, and then for one seed: evaluation
    has tried some for all. Nor is the call checked again.

    Args:
        spec: what is audited.
        data: the task's data set.
        parameters: stacked parameters of the block.
        run: what training wrote: `setting`, the last one of training, and `failures`, a mapping of
            seeds (as text) to `status` and `reason`.
        flows: the references that evaluation found, by seed.

    Raises:
        InputError: if the task's device is not available.
    """
    device = chosen_device(spec.device)
    test_set = samples(data, "test", device)
    parameters = {name: p.to(device) for name, p in parameters.items()}
    model, setting = neural_ode(spec.model, test_set.shape), Setting.from_json(run["setting"])

    standard = Standard(ACCEPTED, classes=not test_set.targets.is_floating_point())

    trained = [seed for seed in spec.seeds if str(seed) not in run["failures"]]
    advised = trained[:1] if spec.candidates else []

    def found(index: int, seed: int) -> Measured:
        if str(seed) in run["failures"]:
            return Measured(accepted=standard.share, **run["failures"][str(seed)])
        flow, own = flows[seed], select_seed(parameters, index)
        if flow.status != "ok":
            return _unresolved(flow, standard)
        first = slice(len(flow.state))
        inputs, targets = test_set.inputs(first), test_set.targets[first]
        tried = None if seed in advised else ()
        return _audited(model, own, inputs, targets, setting, standard, flow, tried)

    return [
        Audit(**vars(run_of(spec, setting, seed)), **vars(found(index, seed)))
        for index, seed in enumerate(spec.seeds)
    ]


def _unresolved(flow: Reference, standard: Standard) -> Measured:
    return Measured(
        verdict="INCONCLUSIVE",
        kind=kind_of(None, None),
        accepted=standard.share,
        samples=len(flow.state),
        status=flow.status,
        reason=flow.reason,
    )


def _audited(
    model: NeuralODE,
    parameters: Parameters,
    x: Tensor,
    targets: Tensor,
    setting: Setting,
    standard: Standard,
    reference: Reference,
    candidates: tuple[Setting, ...] | None,
) -> Measured:
    double = double_problem(model, parameters, x)
    where = device_of(double.start)
    flow = Flow(double, _prepared(reference, where), timed=not model.field.autonomous)
    call = Call(
        problem=trained_problem(model, parameters, x),
        setting=setting,
        standard=standard,
        labels=targets.to(where) if standard.classes else None,
        candidates=candidates,
        confidence=CONFIDENCE,
    )
    judge = Judge(call, flow)
    own = judge.run(setting)
    agreement = judge.agreement(own)
    return Measured(
        verdict=agreement.verdict,
        kind=kind_of(agreement, None),
        accepted=agreement.accepted,
        samples=len(x),
        disagreement=agreement.share,
        disagreement_low=agreement.low,
        disagreement_high=agreement.high,
        **_spread("error_relative", relative(own.distance, judge.state)),
        **_accuracies(judge, own),
        **_leads(judge, own),
        **_along_the_flow(call, flow),
        **_advised(judge, own),
        status=own.run.status,
        reason=own.run.reason,
    )


def _prepared(reference: Reference, device: torch.device) -> Reference:
    """A reference on a device, with its states as a matrix."""
    found = _changed(reference, lambda tensor: tensor.to(device))
    return replace(found, state=found.state.flatten(1), resolved=found.decided)


def _changed(reference: Reference, change: Callable[[Tensor], Tensor]) -> Reference:
    """A reference all of whose tensors are changed alike."""
    changed: dict[str, Any] = {
        name: change(value) for name, value in vars(reference).items() if isinstance(value, Tensor)
    }
    return replace(reference, **changed)


def _accuracies(judge: Judge, own: Solved) -> dict[str, Any]:
    found = judge.accuracy(own)
    if not found:
        return {}
    changes = {f"accuracy_{name}": found[name] for name in ("change", "change_low", "change_high")}
    return {"accuracy": found["deployed"], "accuracy_reference": found["reference"], **changes}


def _leads(judge: Judge, own: Solved) -> dict[str, Any]:
    """How much predictions lose of their lead, and what that makes sure."""
    found = judge.margins(own)
    if not found:
        return {}
    ratios = {f"control_ratio_{name}": value for name, value in found["control_ratio"].items()}
    certified = found.get("certified", math.nan)
    return {**ratios, "uncontrolled": 1 - found["controlled"], "certified": certified}


def _along_the_flow(call: Call, flow: Flow) -> dict[str, Any]:
    """Growth and stability, on some samples; the order, dear at kinks, is left to single audits."""
    first = slice(FOLLOWED)
    few = replace(
        flow,
        problem=flow.problem.chosen(first),
        reference=_changed(flow.reference, lambda tensor: tensor[first]),
    )
    sharp = sharpness(call, few)
    return _sharp(sharp) if sharp else {}


def _sharp(found: Stability) -> dict[str, Any]:
    quantiles = {"growth": found.growth, "stretching": found.stretching}
    mechanism = {"amplified": found.amplified, "damped": found.damped}
    return {
        **{
            f"{measure}_{name}": value
            for measure, of_samples in quantiles.items()
            if of_samples
            for name, value in vars(of_samples).items()
        },
        **{name: part.states.share for name, part in mechanism.items() if part},
        "lipschitz": found.lipschitz.max,
        "crossing": found.crossing,
        "folds": found.folds,
    }


def _advised(judge: Judge, own: Solved) -> dict[str, Any]:
    """What to deploy the model with, where other settings are to be tried."""
    if judge.call.candidates is not None:
        return {}
    solved = [own, *others(judge, own, lambda _: None)]
    best = advice(judge, solved)
    names = ("solver", "steps", "tolerance", "nfe")
    return {"tried": len(solved)} | {
        f"advised_{name}": getattr(best, name) for name in names if best
    }


def _spread(name: str, values: Tensor) -> dict[str, Any]:
    return {f"{name}_{at}": value for at, value in spread(values).items()}
