"""What the controllers of a training loop of one's own share: its model, solved as it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from solverproof.auditing.call import solver_named
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.problem import Problem, device_of
from solverproof.errors import InputError
from solverproof.ode.integration import equal_steps
from solverproof.ode.solvers import Setting, Solver
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq


def fixed_step_solver(name: str, given: str | Solver) -> Solver:
    """A solver of equal steps.

    Args:
        name: of what was given, for the message.
        given: the solver, or its name.

    Raises:
        InputError: if there is none of that name, or it is adaptive.
    """
    solver = solver_named(name, given)
    if solver.is_adaptive:
        raise InputError(f"{name} {solver.name} chooses its own steps; give a fixed-step solver")
    return solver


def solved(copied: Callable[[], Problem], setting: Setting) -> Deployed:
    """A batch as an audit solves it.

    Args:
        copied: gives the problem, with a copy of the model.
        setting: the solver and its steps.
    """
    model = copied()
    with own_stream(model):
        return deploy(model, setting)


def own_stream(model: Problem) -> AbstractContextManager[None]:
    """Within it the model draws from no stream of the user's."""
    place = device_of(model.start)
    return torch.random.fork_rng(devices=[place] if place.type == "cuda" else [])


def in_odeint(setting: Setting) -> tuple[str, dict[str, Any]]:
    """The method and the options with which `odeint` takes a number of equal steps."""
    assert setting.steps is not None  # of a fixed-step solver
    return name_in_torchdiffeq(setting.solver), {"grid_constructor": equal_steps(setting.steps)}
