"""The flow of an audited model: its reference, as `reference` finds it, on the user's states."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from solverproof.auditing.measures import Standard, control_ratios
from solverproof.auditing.problem import Problem
from solverproof.auditing.reference import CERTAINTY, ROUNDING, Reference, resolve
from solverproof.ode.integration import Solution, SolverError, solve
from solverproof.ode.sample_control import solve_samples
from solverproof.ode.solvers import Setting

SINGLE_ROUNDING = 1e-5  # of the state, where the field is evaluated in float32


@dataclass(frozen=True)
class Flow:
    """The reference of an audited model.

    Attributes:
        problem: the model in float64.
        reference: its end states (samples, features), and how far two solvers agree on them.
    """

    problem: Problem
    reference: Reference


@torch.no_grad()
def flow(problem: Problem, measured: Tensor, standard: Standard) -> Flow:
    """The flow from every sample, resolved as finely as the deployed setting needs.

    Args:
        problem: the model as deployed.
        measured: end states of the deployed setting, shape (samples, features).
        standard: whether outputs are logits of classes.
    """
    double = problem.in_double()
    field, start = double.flat_field(), double.flat_start()

    def equal(setting: Setting) -> Solution:
        return solve(field, start, setting, horizon=1.0)

    def adaptive(setting: Setting) -> Solution:
        if double.autonomous:
            return solve_samples(field, start, setting, horizon=1.0, norm=_largest_of_each)
        try:
            return solve(field, start, setting, horizon=1.0, norm=lambda e: e.abs().max())
        except SolverError as failure:
            return Solution(torch.full_like(start, math.nan), failure.nfe, 0)

    def sure(_: Tensor, theirs: Tensor, outputs: Tensor) -> Tensor:
        if not standard.classes:
            return torch.ones(len(theirs), dtype=torch.bool, device=theirs.device)
        # Ten times the change that both solvers make of a lead would not overturn it.
        return control_ratios(double.outputs(theirs), outputs) <= CERTAINTY

    rounding = ROUNDING if double.exact else SINGLE_ROUNDING
    found = resolve(equal, adaptive, double.outputs, measured.double(), sure, rounding=rounding)
    return Flow(double, found)


def _largest_of_each(errors: Tensor) -> Tensor:
    return errors.abs().amax(1)
