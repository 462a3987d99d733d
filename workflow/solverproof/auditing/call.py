"""The call of an audit: what was given, checked, and told in one line where it cannot be used."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.deployment import times_of, times_type
from solverproof.auditing.measures import Compare, Standard
from solverproof.auditing.problem import Problem, device_of, problem
from solverproof.auditing.result import Flow
from solverproof.errors import InputError, did_you_mean, shown
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import Setting, Solver, known_solvers

MOST_STEPS = 10**6  # of a setting, whose times are held in memory


@dataclass(frozen=True, kw_only=True)
class Call:
    """An audit as it was asked for.

    Attributes:
        problem: the model and its samples.
        setting: the deployed one.
        standard: when a sample misses the reference.
        labels: the class of each sample, shape (samples,); None if they are not known.
        candidates: settings to try; None for the default ones.
        trained: the setting of training; "flow" if the field was trained without a solver; None
            if it is not known.
        confidence: of all intervals.
        batch_size: samples that are solved together; None: all.
    """

    problem: Problem
    setting: Setting
    standard: Standard
    labels: Tensor | None = None
    candidates: tuple[Setting, ...] | None
    trained: Setting | Flow | None = None
    confidence: float
    batch_size: int | None = None


def checked_call(
    field: Any,
    z0: Any,
    *,
    solver: Any,
    steps: Any,
    tolerance: Any,
    atol: Any,
    interval: Any,
    head: Any,
    labels: Any,
    accept: Any,
    candidates: Any,
    trained: Any,
    compare: Compare | None,
    confidence: Any,
    batch_size: Any,
) -> Call:
    """The call, after checks that run the field on the first states only.

    Raises:
        InputError: if something given cannot be used.
    """
    asked = {"solver": solver, "steps": steps, "tolerance": tolerance, "atol": atol}
    setting = _setting("solver", asked)
    accept, confidence, batch_size = map(plain, (accept, confidence, batch_size))
    in_range("accept", accept, 0, 1 if compare is None else math.inf)
    in_range("confidence", confidence, 0, 1)
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise InputError(f"batch_size is {batch_size!r}; give a whole number of samples, or None")
    if compare is not None and not callable(compare):
        raise InputError("compare is no function; give one of two outputs, an error per sample")
    model = problem(field, z0, interval, head)
    _check_times(setting, model)
    classes = head is not None and compare is None and _has_classes(model)
    return Call(
        problem=model,
        setting=setting,
        standard=Standard(float(accept), classes, compare, _parts(model)),
        labels=None if labels is None else _labels(labels, model, classes=classes),
        candidates=_candidates(candidates),
        trained=_trained(trained),
        confidence=float(confidence),
        batch_size=batch_size,
    )


def _setting(name: str, given: Any) -> Setting:
    if not isinstance(given, Mapping) or set(given) - {"solver", "steps", "tolerance", "atol"}:
        wanted = '{"solver": "dopri5", "tolerance": 1e-3}'
        raise InputError(f"{name} is {given!r}; give a mapping such as {wanted}")
    solver = solver_named(name, given.get("solver"))
    values = {key: plain(given.get(key)) for key in ("steps", "tolerance", "atol")}
    for key, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise InputError(f"{name}: {key} {shown(value)} is no number; give one")
    steps = values["steps"]
    if isinstance(steps, float):
        raise InputError(f"{name}: {steps!r} steps; give a whole number above 0")
    if steps is not None and steps > MOST_STEPS:
        raise InputError(f"{name}: {shown(steps)} steps are too many; give at most {MOST_STEPS}")
    try:
        return Setting(solver, **values)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def _trained(given: Any) -> Setting | Flow | None:
    if given is None:
        return None
    if given == "flow":
        return "flow"
    if isinstance(given, str):
        raise InputError(f'trained is {given!r}; give "flow", or a setting as a mapping')
    return _setting("trained", given)


def solver_named(name: str, given: Any) -> Solver:
    """A solver, by its name in torchdiffeq or among the shipped ones.

    Args:
        name: of what was given, for the message.
        given: a name, or a solver.

    Raises:
        InputError: if there is none of that name.
    """
    if isinstance(given, Solver):
        return given
    known = known_solvers(shipped())
    if not isinstance(given, str) or given not in known:
        meant = did_you_mean(given, known) or ";"
        raise InputError(f"{name}: unknown solver {given!r}{meant} known are: {', '.join(known)}")
    return known[given]


def _check_times(setting: Setting, model: Problem) -> None:
    if times_of(setting, model.interval) is None:
        raise InputError(
            f"interval is {model.interval}; {times_type()}, in which odeint gets its times, does "
            f"not tell those of {setting.words} apart: let the field shift or scale its time"
        )


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's, which files hold; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def in_range(name: str, value: Any, low: float, high: float) -> None:
    """Refuse what is no number between two others.

    Raises:
        InputError: if it is none.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low < value < high:
        wanted = f"above {low}" if math.isinf(high) else f"between {low} and {high}"
        raise InputError(f"{name} is {value!r}; give a number {wanted}")


def _has_classes(model: Problem) -> bool:
    """Whether the head makes logits: a matrix with more than one column."""
    outputs = model.outputs(model.flat_start())
    return outputs.dim() == 2 and outputs.shape[1] > 1


def _parts(model: Problem) -> tuple[int, ...]:
    """The parts of end states that are judged themselves."""
    judged = model.head is None and isinstance(model.start, tuple)
    return model.parts if judged else ()


def _labels(labels: Any, model: Problem, *, classes: bool) -> Tensor:
    try:
        found = torch.as_tensor(labels).to(device_of(model.start))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError("labels cannot be read; give a tensor of whole numbers") from error
    if not classes:
        raise InputError("labels are given, but no head that makes logits of classes; give one")
    if found.is_floating_point() or found.dtype == torch.bool:
        raise InputError(f"labels have dtype {found.dtype}; give whole numbers")
    if found.shape != (model.samples,):
        raise InputError(
            f"labels have shape {tuple(found.shape)}; give one for each of {model.samples} samples"
        )
    return found.long()


def _candidates(given: Any) -> tuple[Setting, ...] | None:
    if given is None:
        return None
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise InputError("candidates are no list; give settings, or [] for none")
    return tuple(
        one if isinstance(one, Setting) else _setting(f"candidates[{i}]", one)
        for i, one in enumerate(given)
    )
