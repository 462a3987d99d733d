"""What the controllers of a training loop of one's own share: its model, solved as it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from solverproof.auditing.deployment import deploy
from solverproof.auditing.problem import Problem, device_of
from solverproof.ode.integration import equal_steps
from solverproof.ode.solvers import Setting
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq


def outputs_of(copied: Callable[[], Problem], setting: Setting) -> tuple[Tensor, int]:
    """The outputs of a batch, shape (samples, ...), and the evaluations they took.

    Args:
        copied: gives the problem with a copy of the model, which is solved as an audit would.
        setting: the solver and its steps.
    """
    model = copied()
    with own_stream(model):
        found = deploy(model, setting)
    return found.outputs, found.nfe


def own_stream(model: Problem) -> AbstractContextManager[None]:
    """Within it the model draws from no stream of the user's."""
    place = device_of(model.start)
    return torch.random.fork_rng(devices=[place] if place.type == "cuda" else [])


def in_odeint(setting: Setting) -> tuple[str, dict[str, Any]]:
    """The method and the options with which `odeint` takes a number of equal steps."""
    assert setting.steps is not None  # of a fixed-step solver
    return name_in_torchdiffeq(setting.solver), {"grid_constructor": equal_steps(setting.steps)}
