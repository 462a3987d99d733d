"""The call, not only the field: what a solver really did, and on what its predictions depend."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from solverproof.auditing.call import Call
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.intervals import share_interval
from solverproof.auditing.measures import distances, relative, spread
from solverproof.auditing.problem import Problem, State, device_of, flat, module_of
from solverproof.auditing.reference import norms_of
from solverproof.errors import InputError

ALONE = 100  # samples at most that are solved one by one, from the first on
FEW = 16  # samples at most whose velocity is computed alone
MET = 5  # evaluations of the deployed solver at which that is done, from the first to the last
COUPLED, COUPLED_SINGLE = 1e-6, 1e-3  # relative differences that rounding does not make
REST, REST_SINGLE = 1e-6, 1e-3  # parts of the fastest velocity; times those, far above rounding
VISIBLE = 1e-3  # from which on a change is told in percent
UNSTEADY = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
)  # fmt: skip


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


@dataclass(frozen=True)
class Met:
    """Where the deployed solver evaluated the field.

    Attributes:
        times: all times; empty of a field f(z).
        states: some of them, with the states (samples of a batch, features) met there.
    """

    times: list[float]
    states: list[tuple[Tensor, Tensor]]


def repeated(call: Call, deployed: Deployed) -> Met:
    """Solve a second time as deployed, and watch.

    Raises:
        InputError: if the second solve gives other end states or outputs.
    """
    watch = _Watch(call.problem, max(1, (deployed.nfe - 1) // (MET - 1)))
    again = deploy(replace(call.problem, field=watch), call.setting, call.batch_size)
    made = {
        "end states": (again.states, deployed.states),
        "outputs": (again.outputs, deployed.outputs),
    }
    for name, (one, other) in made.items():
        if not torch.equal(one.nan_to_num(), other.nan_to_num()):
            raise InputError(
                f"the same solve gave other {name} the second time; take randomness and counters "
                "out of the field and the head (dropout: call .eval())"
            )
    return watch.met


class _Watch:
    """A field that keeps where it is evaluated."""

    def __init__(self, problem: Problem, every: int) -> None:
        self.problem, self.every, self.evaluations = problem, every, 0
        self.first = torch.as_tensor(problem.interval[0], dtype=torch.float64)
        self.met = Met([], [])

    def __call__(self, *given: Any) -> State:
        *time, state = given
        self.met.times.extend(float(t) for t in time)
        if self.evaluations % self.every == 0 and len(self.met.states) < MET:
            t = time[0].double() if time else self.first
            self.met.states.append((t, flat(state).double()))
        self.evaluations += 1
        made: State = self.problem.field(*given)
        return made


def checks(call: Call, deployed: Deployed, double: Problem, met: Met) -> Iterator[Check]:
    """All checks of a call, given what its setting made of the samples.

    Args:
        call: what is asked.
        deployed: what the setting made of the samples, twice the same.
        double: the model in float64.
        met: where the field was evaluated.
    """
    same = "Two solves are identical to the last bit."
    yield Check("determinism", value=True, ok=True, sentence=same)
    yield _counted(call, deployed)
    yield training_mode(call.problem)
    yield (coupled := _coupled(double, met.states, deployed.states))
    if not coupled.ok:
        return  # a sample has no solution of its own
    if call.setting.solver.is_adaptive:
        yield _alone(call, deployed)
    yield _in_double(call, deployed, double)


def _counted(call: Call, deployed: Deployed) -> Check:
    setting, taken = call.setting, f"{deployed.steps} steps, {deployed.nfe} evaluations"
    if setting.steps is None or deployed.steps is None:
        return Check("evaluations", deployed.nfe, ok=True, sentence=f"The solver took {taken}.")
    asked, least = setting.steps * setting.solver.stages, setting.solver.kind == "multistep"
    counted = deployed.nfe >= asked if least else deployed.nfe == asked
    ok = deployed.steps == setting.steps and counted
    wanted = f"asked for were {setting.steps} steps, {'at least ' * least}{asked} evaluations"
    return Check("evaluations", deployed.nfe, ok, f"The solver took {taken}; {wanted}.")


def training_mode(problem: Problem) -> Check:
    """Whether no layer would do something else once the model is deployed."""
    unsteady = [
        type(part).__name__
        for module in map(module_of, (problem.field, problem.head))
        if module
        for part in module.modules()
        if part.training and isinstance(part, UNSTEADY)
    ]
    if unsteady:
        told = f"{unsteady[0]} is in training mode: call .eval() before deploying."
        return Check("training mode", sorted(set(unsteady)), ok=False, sentence=told)
    return Check("training mode", [], ok=True, sentence="No layer is in training mode.")


def _coupled(double: Problem, met: Sequence[tuple[Tensor, Tensor]], ends: Tensor) -> Check:
    """Whether what is made of a sample depends on the others, along the way and by the head."""

    def velocity(t: Tensor) -> Callable[[Tensor], Tensor]:
        time = t.to(ends.device)
        return lambda states: flat(double.velocity(time, double.unflat(states)))

    velocities = [(velocity(t), states) for t, states in met]
    most, rest = (COUPLED, REST) if double.exact else (COUPLED_SINGLE, REST_SINGLE)
    # Where a flow has come to rest, nothing is left of its velocity but rounding.
    least = rest * max((_largest_of(made(states)) for made, states in velocities), default=0.0)
    ways = [("The velocity", made, states, least) for made, states in velocities]
    ways += [("What the head makes", double.outputs, ends.double(), 0.0)]
    largest = 0.0
    for what, function, states, smallest in ways:
        try:
            changed = _changed(function, states, smallest)
        except InputError:
            told = f"{what} of one sample alone cannot be computed."
            return Check("coupling", None, ok=False, sentence=told)
        if changed > most:
            by = f"{changed:.1%}" if changed >= VISIBLE else f"a part in {1 / changed:,.0f}"
            told = f"{what} of a sample changes by up to {by} with the rest of its batch."
            return Check("coupling", changed, ok=False, sentence=told)
        largest = max(largest, changed)
    return Check("coupling", largest, ok=True, sentence="Every sample is mapped by itself.")


def _largest_of(velocities: Tensor) -> float:
    """The largest norm of finite velocities."""
    sizes = norms_of(velocities)
    return max(sizes[sizes.isfinite()].tolist(), default=0.0)


def _changed(function: Callable[[Tensor], Tensor], states: Tensor, least: float) -> float:
    """The largest relative change of what is made of a sample in another company, or in none."""
    states = states[states.isfinite().all(1)]
    count = len(states)
    every = torch.arange(count, device=states.device)
    alone = {i * (count - 1) // (FEW - 1) for i in range(FEW)} if count else set()
    groups = [every[::2], every[1::2], *(every[i : i + 1] for i in sorted(alone))]
    together = function(states) if count else states
    changes = [
        _largest(function(states[group]), together[group], least) for group in groups if len(group)
    ]
    return max(changes, default=0.0)


def _largest(one: Tensor, other: Tensor, least: float) -> float:
    """The largest relative change, but of samples of which neither company makes numbers."""
    known = (one.isfinite() | other.isfinite()).reshape(len(one), -1).all(1)
    return max(relative(distances(one, other), other, least)[known].tolist(), default=0.0)


def _alone(call: Call, deployed: Deployed) -> Check:
    """The share of samples whose prediction changes when each is solved as a batch of one."""
    first = torch.arange(min(ALONE, call.problem.samples), device=device_of(call.problem.start))
    alone = deploy(call.problem.chosen(first), call.setting, batch_size=1)
    share, changed = _changed_share(alone.outputs, deployed.outputs[first], call)
    told = (
        f"{changed} when samples are solved alone: the solver chooses one step size for a whole "
        "batch."
    )
    return Check("alone against batch", share, share <= call.standard.share, told)


def _in_double(call: Call, deployed: Deployed, problem: Problem) -> Check:
    """The share of samples whose prediction changes when everything is computed in float64."""
    double = deploy(problem, call.setting, call.batch_size)
    share, changed = _changed_share(deployed.outputs, double.outputs, call)
    off = spread(relative(distances(deployed.states, double.states), double.states))["p95"]
    told = f"{changed} in float64; states by {off:.1e} (95th percentile)."
    return Check("float32 against float64", share, share <= call.standard.share, told)


def _changed_share(outputs: Tensor, others: Tensor, call: Call) -> tuple[float, str]:
    """The share of samples whose outputs miss others, and the same in words, with its interval."""
    misses = call.standard.misses(outputs, others)
    count, of = int(misses.sum()), len(misses)
    what = "predictions change" if call.standard.classes else "outputs change by more than accepted"
    low, high = (f"{end:.1%}" for end in share_interval(count, of, call.confidence))
    return count / of, f"{count / of:.1%} ({low} to {high}) of {of:,} {what}"
