"""How fast errors fall with the step size, how far they grow, and why."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.call import Call
from solverproof.auditing.flow import Flow, adaptively
from solverproof.auditing.measures import CONVERGED, observed_order
from solverproof.auditing.stability import Stability, stability
from solverproof.errors import InputError
from solverproof.ode.integration import solve, trajectory
from solverproof.ode.solvers import SOLVERS, Setting

FOLLOWED = 64  # samples at most whose trajectories are looked at
TIMES = 33  # along each, both ends included
FINE_STEPS = 256  # of RK4 along them; a multiple of TIMES - 1
ORDERED = 512  # samples at most whose errors show the order
TIGHT = (1e-10, 1e-12)  # tolerances of the reference of the order
# Samples, and a tolerance, that tell what that costs; evaluations: kinks take many times as many.
PROBED, PROBE, AFFORDABLE = 8, 1e-8, 1000
FINEST = 1024  # steps at most for the observed order
MOST_FEATURES = 1024  # of a state whose Jacobian is looked at
ROUNDING, SINGLE_ROUNDING = 1e-13, 1e-7  # of float64 and float32, relative to the states


def sharpness(call: Call, found: Flow) -> Stability | None:
    """What the Jacobian says along the trajectories of some samples.

    None of very large states, and of a field that autograd gives no derivative of.
    """
    problem = found.problem.chosen(slice(FOLLOWED))
    start = problem.flat_start()
    if start.shape[1] > MOST_FEATURES:
        return None
    fine = Setting(SOLVERS["rk4"], steps=FINE_STEPS)
    field = problem.flat_field()
    path = trajectory(field, start, fine, horizon=1.0)
    states = path.state[:: FINE_STEPS // (TIMES - 1)]
    times = torch.linspace(0, 1, TIMES, dtype=torch.float64, device=start.device)
    step = None if call.setting.steps is None else 1 / call.setting.steps
    try:
        return stability(field, times, states, step=step, solver=call.setting.solver)
    # No derivative, or one of a graph that the field itself has freed, or no state that is finite.
    except (ValueError, RuntimeError, InputError):
        return None


def along_the_flow(found: Stability) -> dict[str, Any]:
    """The measures of `sharpness`, in the groups of the report."""
    followed = {"samples": found.samples, "complete": found.complete}
    growth = {"integral": asdict(found.growth), **followed}
    if found.stretching:
        growth["stretching"] = asdict(found.stretching)
    lipschitz: dict[str, Any] = {"at_least": asdict(found.lipschitz)}
    if found.step_lipschitz:
        lipschitz["times_step"] = asdict(found.step_lipschitz)
    measures = {"growth": growth, "lipschitz": lipschitz}
    if found.amplified and found.damped:
        parts = {"amplified": found.amplified, "damped": found.damped}
        measures["mechanism"] = {
            name: {"states": part.states.share, "eigenvalues": part.pairs.share}
            for name, part in parts.items()
        }
    measures["crossing"] = {"steps": found.crossing or None, "folds": found.folds}
    return measures


def convergence(call: Call, found: Flow, lipschitz: float) -> dict[str, Any]:
    """The observed order of the deployed fixed-step solver; empty of an adaptive one.

    It is measured on some of the samples, against a reference of its own: that of the audit is no
    closer to the flow than the deployed setting needs.

    Args:
        call: the audit.
        found: the flow.
        lipschitz: an estimate of the field's Lipschitz constant, of times scaled to 0 to 1.
    """
    solver = call.setting.solver
    if solver.is_adaptive:
        return {}
    problem = found.problem.chosen(slice(ORDERED))
    field, start = problem.flat_field(), problem.flat_start()
    end, floor = _closely(found)
    most = 0.5 / lipschitz if lipschitz > 0 else 1.0
    steps, errors = 1, [math.inf]
    while steps <= FINEST and not errors[-1] <= CONVERGED * floor:  # finer ones would not count
        made = solve(field, start, Setting(solver, steps=steps), horizon=1.0).state
        errors.append(_rms(made - end))
        steps *= 2
    sizes = [0.5**k for k in range(len(errors) - 1)]
    shown = {"all_step_sizes": sizes, "all_errors": errors[1:]}
    return {**observed_order(np.array(sizes), np.array(errors[1:]), floor, most), **shown}


def _closely(found: Flow) -> tuple[Tensor, float]:
    """End states of some samples, as closely as float64 allows, and how far they may be off.

    Dopri 8 at 1e-12 and 1e-10; their distance is the error of the coarser. Where that is dear, as
    at kinks, or the field is computed in float32, it is the reference of the audit.
    """
    some = slice(ORDERED)
    problem, known = found.problem.chosen(some), found.reference
    ends, noise = known.state[some], ROUNDING if problem.exact else SINGLE_ROUNDING
    size = noise * _rms(ends)
    if problem.exact:
        few = problem.chosen(slice(PROBED))
        coarse, fine = (Setting(SOLVERS["dopri8"], tolerance=value) for value in TIGHT)
        probe = Setting(SOLVERS["dopri8"], tolerance=PROBE)
        if adaptively(few, probe, ends[:PROBED], timed=found.timed).nfe <= AFFORDABLE:
            made, other = (
                adaptively(problem, setting, ends, timed=found.timed).state
                for setting in (fine, coarse)
            )
            if made.isfinite().all() and other.isfinite().all():
                return made, max(_rms(made - other), size)
    return ends, max(_rms(known.distance[some].unsqueeze(1)), size)


def _rms(states: Tensor) -> float:
    """Root mean square over samples of the norms of states."""
    return float(states.square().sum(1).mean().sqrt())
