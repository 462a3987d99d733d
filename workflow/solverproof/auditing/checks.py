"""The call, not only the field: what a solver really did, and on what its predictions depend."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from solverproof.auditing.call import Call
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.measures import distances, relative, spread
from solverproof.auditing.problem import Problem, device_of, flat
from solverproof.errors import InputError

ALONE = 100  # samples at most that are solved one by one, from the first on
FEW = 16  # samples at most whose velocity is computed alone
COUPLED = 1e-3  # relative difference of velocities that rounding in float32 does not make
UNSTEADY = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.BatchNorm1d)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: in a word or two.
        value: what was found.
        ok: whether it is as it should be.
        sentence: what it means.
    """

    name: str
    value: Any
    ok: bool
    sentence: str


def checks(call: Call, deployed: Deployed) -> Iterator[Check]:
    """All checks of a call, given what its setting made of the samples.

    Raises:
        InputError: if the same solve gives other end states the second time.
    """
    yield _repeated(call, deployed)
    yield _counted(call, deployed)
    yield _mode(call.problem)
    yield (coupled := _coupled(call.problem))
    if not coupled.ok:
        return  # a sample has no solution of its own
    if call.setting.solver.is_adaptive:
        yield _alone(call, deployed)
    yield _in_double(call, deployed)


def _repeated(call: Call, deployed: Deployed) -> Check:
    again = deploy(call.problem, call.setting, call.batch_size)
    if not torch.equal(again.states.nan_to_num(), deployed.states.nan_to_num()):
        raise InputError(
            "the same solve gave other end states the second time; take randomness and counters "
            "out of the field (dropout: call .eval())"
        )
    return Check(
        "determinism", value=True, ok=True, sentence="Two solves are identical to the last bit."
    )


def _counted(call: Call, deployed: Deployed) -> Check:
    setting, taken = call.setting, f"{deployed.steps} steps, {deployed.nfe} evaluations"
    if setting.steps is None or deployed.steps is None:
        return Check("evaluations", deployed.nfe, ok=True, sentence=f"The solver took {taken}.")
    asked = (setting.steps, setting.steps * setting.solver.stages)
    ok = (deployed.steps, deployed.nfe) == asked
    wanted = f"asked for were {asked[0]} steps, {asked[1]} evaluations"
    return Check("evaluations", deployed.nfe, ok, f"The solver took {taken}; {wanted}.")


def _mode(problem: Problem) -> Check:
    modules = [code for code in (problem.field, problem.head) if isinstance(code, nn.Module)]
    unsteady = [
        type(part).__name__
        for module in modules
        for part in module.modules()
        if part.training and isinstance(part, UNSTEADY)
    ]
    if unsteady:
        told = f"{unsteady[0]} is in training mode: call .eval() before deploying."
        return Check("training mode", sorted(set(unsteady)), ok=False, sentence=told)
    return Check("training mode", [], ok=True, sentence="No layer is in training mode.")


def _coupled(problem: Problem) -> Check:
    """Whether the velocity of a sample depends on the other samples of its batch."""
    first, last = problem.interval
    time = torch.as_tensor((first + last) / 2).to(problem.flat_start())
    together = flat(problem.velocity(time, problem.start))
    count = min(FEW, problem.samples)
    try:
        alone = torch.cat([_velocity(problem.chosen(slice(i, i + 1)), time) for i in range(count)])
    except InputError:
        told = "The field cannot be evaluated for one sample alone."
        return Check("coupling", None, ok=False, sentence=told)
    largest = relative(distances(alone, together[:count]), together[:count]).max().item()
    ok = largest <= COUPLED
    told = "The field maps every sample by itself."
    if not ok:
        told = (
            f"The velocity of a sample changes by up to {largest:.1%} with the rest of its batch."
        )
    return Check("coupling", largest, ok, told)


def _velocity(problem: Problem, time: Tensor) -> Tensor:
    return flat(problem.velocity(time, problem.start))


def _alone(call: Call, deployed: Deployed) -> Check:
    """The share of samples whose prediction changes when each is solved as a batch of one."""
    first = torch.arange(min(ALONE, call.problem.samples), device=device_of(call.problem.start))
    alone = deploy(call.problem.chosen(first), call.setting, batch_size=1)
    share = call.standard.misses(alone.outputs, deployed.outputs[first]).double().mean().item()
    what = "predictions change" if call.standard.classes else "outputs change by more than accepted"
    told = (
        f"{share:.1%} of {len(first)} {what} when samples are solved alone: the solver chooses one "
        "step size for a whole batch."
    )
    return Check("alone against batch", share, share <= call.standard.share, told)


def _in_double(call: Call, deployed: Deployed) -> Check:
    """The share of samples whose prediction changes when everything is computed in float64."""
    double = deploy(call.problem.in_double(), call.setting, call.batch_size)
    share = call.standard.misses(deployed.outputs, double.outputs).double().mean().item()
    off = spread(relative(distances(deployed.states, double.states), double.states))["p95"]
    what = "predictions change" if call.standard.classes else "outputs change by more than accepted"
    told = f"{share:.1%} of the {what} in float64; states by {off:.1e} (95th percentile)."
    return Check("float32 against float64", share, share <= call.standard.share, told)
