"""Solving as a user would: torchdiffeq's `odeint`, called by the line that the advice gives."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torchdiffeq import odeint

from solverproof.auditing.problem import Problem, State, device_of, flat
from solverproof.ode.integration import SolverError, complaint, counted
from solverproof.ode.solvers import Setting
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq


@dataclass(frozen=True)
class Deployed:
    """What a setting makes of all samples.

    Attributes:
        states: end states, shape (samples, features); NaN where the solver gave up.
        outputs: what the head makes of them, shape (samples, ...).
        nfe: evaluations, of batches the most.
        steps: accepted steps, of batches the most; None where the solver gave up.
        seconds: wall time of all solves, without the head.
        status: `ok`, or why the solver gave up (`SolverError`).
        reason: in a few words; None if it did not.
    """

    states: Tensor
    outputs: Tensor
    nfe: int
    steps: int | None
    seconds: float
    status: str = "ok"
    reason: str | None = None


@torch.no_grad()
def deploy(problem: Problem, setting: Setting, batch_size: int | None = None) -> Deployed:
    """Solve for all samples, in batches, as the line of `odeint_call` does.

    Args:
        problem: the model and its samples.
        setting: the solver and its number of steps or tolerance.
        batch_size: samples that are solved together; None: all.
    """
    every = torch.arange(problem.samples, device=device_of(problem.start))
    batches = torch.split(every, batch_size or problem.samples)
    parts, failures, nfe, steps = [], [], 0, 0
    began = time.perf_counter()
    for index in batches:
        batch = problem.chosen(index)
        try:
            end, taken, evaluations = _solve(batch, setting)
        except SolverError as failure:
            failures.append(failure)
            end = torch.full_like(batch.flat_start(), math.nan)
            taken, evaluations = 0, failure.nfe
        parts.append(end)
        steps, nfe = max(steps, taken), max(nfe, evaluations)
    seconds, states = time.perf_counter() - began, torch.cat(parts)
    outputs = problem.outputs(states)
    if failures:
        first = failures[0]
        return Deployed(states, outputs, nfe, None, seconds, first.status, first.reason)
    return Deployed(states, outputs, nfe, steps, seconds)


def odeint_call(setting: Setting, interval: tuple[float, float]) -> str:
    """The line to paste that solves with a setting: a method of torchdiffeq's, by its name."""
    first, last = interval
    method = f'method="{setting.solver.name}"'
    if setting.steps is None:
        tolerance = f"{setting.tolerance:g}"
        times = f"torch.tensor([{first!r}, {last!r}])"
        return f"odeint(field, z0, {times}, rtol={tolerance}, atol={tolerance}, {method})[-1]"
    times = f"torch.linspace({first!r}, {last!r}, {setting.steps + 1})"
    return f"odeint(field, z0, {times}, {method})[-1]"


def _solve(problem: Problem, setting: Setting) -> tuple[Tensor, int, int]:
    """End states (samples, features), accepted steps and evaluations.

    Raises:
        SolverError: if the solver gives up.
    """
    first, last = problem.interval
    # Backwards in time is forwards along the reversed field, which torchdiffeq does as well; then
    # its counts of steps are seen.
    sign = 1.0 if last > first else -1.0

    def field(t: Tensor, state: State) -> State:
        velocity = problem.velocity(sign * t, state)
        if sign > 0:
            return velocity
        return tuple(-v for v in velocity) if isinstance(velocity, tuple) else -velocity

    counter = counted(field, setting)
    times, how = _times(problem, setting, sign)
    try:
        states = odeint(
            counter, problem.start, times, method=name_in_torchdiffeq(setting.solver), **how
        )
    except AssertionError as error:
        status, reason = complaint(str(error))
        raise SolverError(status, reason, counter.evaluations) from error
    end = tuple(part[-1] for part in states) if isinstance(states, tuple) else states[-1]
    return flat(end), counter.steps - counter.rejected, counter.evaluations


def _times(problem: Problem, setting: Setting, sign: float) -> tuple[Tensor, dict[str, float]]:
    first, last = (sign * end for end in problem.interval)
    place = device_of(problem.start)
    # In torch's default type, as the line to paste has them.
    if setting.steps is None:
        tolerance = setting.value
        return torch.tensor([first, last], device=place), {"rtol": tolerance, "atol": tolerance}
    return torch.linspace(first, last, setting.steps + 1, device=place), {}
