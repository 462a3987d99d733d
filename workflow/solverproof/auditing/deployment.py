"""Solving as a user would: torchdiffeq's `odeint`, called by the line that the advice gives."""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint

from solverproof.auditing.problem import Problem, State, device_of, flat
from solverproof.ode.integration import SolverError, complaint, counted
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import Setting, Solver, known_solvers
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
        status: `ok`, or why the solver gave up (`SolverError`), or `nonfinite` outputs.
        reason: in a few words; None if it did not.
    """

    states: Tensor
    outputs: Tensor
    nfe: int
    steps: int | None
    seconds: float
    status: str = "ok"
    reason: str | None = None

    @property
    def predicts(self) -> Tensor:
        """Whether each sample has an output, shape (samples,)."""
        return self.outputs.isfinite().reshape(len(self.outputs), -1).all(1)

    def moved(self, device: torch.device) -> "Deployed":
        """The same on a device."""
        return replace(self, states=self.states.to(device), outputs=self.outputs.to(device))


@torch.no_grad()
def deploy(problem: Problem, setting: Setting, batch_size: int | None = None) -> Deployed:
    """Solve for all samples, in batches, as the line of `odeint_call` does.

    Args:
        problem: the model and its samples.
        setting: the solver and its number of steps or tolerance.
        batch_size: samples that are solved together; None: all.
    """
    every = torch.arange(problem.samples, device=device_of(problem.start))
    batches = torch.split(every, min(batch_size or problem.samples, problem.samples))
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
    made = Deployed(states, problem.outputs(states), nfe, steps, seconds)
    if failures:
        first = failures[0]
        return replace(made, steps=None, status=first.status, reason=first.reason)
    lost = int((~made.predicts).sum())
    if lost:
        reason = f"{lost} outputs not finite"
        return replace(made, status="nonfinite", reason=reason)
    return made


def odeint_call(setting: Setting, problem: Problem, batch_size: int | None = None) -> str:
    """The line to paste that solves with a setting, for the user's `field` and `z0`.

    Of a fixed-step solver it keeps the states after every step, the usual way to ask for steps.

    Args:
        setting: the solver and its number of steps or tolerance.
        problem: the model and its samples.
        batch_size: samples that are solved together; None: all.
    """
    first, last = problem.interval
    field = "lambda t, z: field(z)" if problem.autonomous else "field"
    if setting.steps is None:
        times = f"torch.tensor([{first!r}, {last!r}])"
        how = "rtol={!r}, atol={!r}, ".format(*setting.tolerances)
        if problem.lands:
            how += f'options={{"step_t": torch.tensor([{last!r}])}}, '
    else:
        times, how = f"torch.linspace({first!r}, {last!r}, {setting.steps + 1})", ""
    several = batch_size is not None and batch_size < problem.samples
    start = "batch" if several else "z0"
    call = f"odeint({field}, {start}, {times}, {how}method={_method(setting.solver)})"
    if isinstance(problem.start, tuple):
        end = f"tuple(part[-1] for part in {call})"
        if not several:
            return end
        batches = f"zip(*(part.split({batch_size}) for part in z0))"
        return f"tuple(map(torch.cat, zip(*({end} for batch in {batches}))))"
    end = f"{call}[-1]"
    return f"torch.cat([{end} for batch in z0.split({batch_size})])" if several else end


def _method(solver: Solver) -> str:
    """The method as `odeint` takes it: a name, or what gives torchdiffeq one that it lacks."""
    if solver.tableau is None:
        return f'"{solver.name}"'
    known = known_solvers(shipped()).get(solver.name) == solver
    return f'solverproof.method("{solver.name}")' if known else "solverproof.method(solver)"


def times_of(setting: Setting, interval: tuple[float, float]) -> Tensor | None:
    """The times that the line to paste gives `odeint`; None if some of them are the same.

    They are in torch's default type, as the line has them.
    """
    first, last = interval
    if max(abs(first), abs(last)) > torch.finfo(torch.get_default_dtype()).max:
        return None
    if setting.steps is None:
        times = torch.tensor([first, last])
    else:
        times = torch.linspace(first, last, setting.steps + 1)
    spans = times.diff() * (1 if last > first else -1)
    return times if (spans > 0).all() else None


def times_type() -> str:
    """The type of the times, in words."""
    return str(torch.get_default_dtype()).removeprefix("torch.")


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
    times = times_of(setting, problem.interval)
    if times is None:
        raise SolverError("underflow", f"{times_type()} does not tell the times of steps apart", 0)
    grid = sign * times.to(device_of(problem.start))
    times = grid[[0, -1]]
    how: dict[str, Any]
    if setting.steps is not None:
        # The same steps to the last bit, without the states in between, which may fill the memory.
        how = {"options": {"grid_constructor": lambda *given: grid.to(given[-1])}}
    else:
        how = dict(zip(("rtol", "atol"), setting.tolerances, strict=True))
        if problem.lands:
            how["options"] = {"step_t": times[1:]}
    try:
        states = odeint(
            counter, problem.start, times, method=name_in_torchdiffeq(setting.solver), **how
        )
    except AssertionError as error:
        status, reason = complaint(str(error))
        raise SolverError(status, reason, counter.evaluations) from error
    end = tuple(part[-1] for part in states) if isinstance(states, tuple) else states[-1]
    return flat(end), counter.steps - counter.rejected, counter.evaluations
