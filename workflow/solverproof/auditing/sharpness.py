"""How fast errors fall with the step size, how far they grow, and why."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.call import Call
from solverproof.auditing.flow import Flow
from solverproof.auditing.linearisation import NotDifferentiableError
from solverproof.auditing.measures import CONVERGED, observed_order
from solverproof.auditing.stability import Stability, stability
from solverproof.errors import InputError
from solverproof.ode.integration import solve, trajectory
from solverproof.ode.solvers import SOLVERS, Setting

FOLLOWED = 64  # samples at most whose trajectories are looked at
TIMES = 33  # along each, both ends included
FINE_STEPS = 256  # of RK4 along them; a multiple of TIMES - 1
FINEST = 1024  # steps at most for the observed order
MOST_FEATURES = 1024  # of a state whose Jacobian is looked at
ROUNDING = 1e-13  # of float64, relative to the states


def sharpness(call: Call, found: Flow) -> Stability | None:
    """What the Jacobian says along the trajectories of some samples.

    None of very large states, and of a field that autograd sees no derivative of.
    """
    problem = found.problem.chosen(slice(FOLLOWED))
    start = problem.flat_start()
    if start.shape[1] > MOST_FEATURES:
        return None
    fine = Setting(SOLVERS["rk4"], steps=FINE_STEPS)
    path = trajectory(problem.flat_field(), start, fine, horizon=1.0)
    states = path.state[:: FINE_STEPS // (TIMES - 1)]
    times = torch.linspace(0, 1, TIMES, dtype=torch.float64, device=start.device)
    step = None if call.setting.steps is None else 1 / call.setting.steps
    try:
        return stability(problem.flat_field(), times, states, step=step, solver=call.setting.solver)
    except (NotDifferentiableError, InputError):
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

    Args:
        call: the audit.
        found: the flow.
        lipschitz: an estimate of the field's Lipschitz constant, of times scaled to 0 to 1.
    """
    solver = call.setting.solver
    if solver.is_adaptive:
        return {}
    rms = float(found.reference.distance.square().mean().sqrt())
    size = float(found.reference.state.square().sum(1).mean().sqrt())
    most = 0.5 / lipschitz if lipschitz > 0 else 1.0
    floor = max(rms, ROUNDING * size)
    steps, errors = 1, [math.inf]
    while steps <= FINEST and not errors[-1] <= CONVERGED * floor:  # finer ones would not count
        errors.append(_error(found, Setting(solver, steps=steps)))
        steps *= 2
    sizes = [0.5**k for k in range(len(errors) - 1)]
    shown = {"all_step_sizes": sizes, "all_errors": errors[1:]}
    return {**observed_order(np.array(sizes), np.array(errors[1:]), floor, most), **shown}


def _error(found: Flow, setting: Setting) -> float:
    """Root mean square over samples of the distance of end states from the reference's."""
    problem = found.problem
    end = solve(problem.flat_field(), problem.flat_start(), setting, horizon=1.0).state
    apart: Tensor = (end - found.reference.state).square().sum(1)
    return float(apart.mean().sqrt())
