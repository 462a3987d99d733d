"""What the controllers of a training loop of one's own share: its model, solved as it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from solverproof.auditing.call import solver_named
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.problem import Problem, State
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


def solved(copied: Callable[[], Problem], z0: State, setting: Setting) -> Deployed:
    """A batch as an audit solves it, beside the user's loop.

    Args:
        copied: gives the problem, with a copy of the model.
        z0: its initial states.
        setting: the solver and its steps.
    """
    with aside(z0):
        return deploy(copied(), setting)


@contextmanager
def aside(z0: Any) -> Iterator[None]:
    """Within it a model is copied and run beside the user's loop.

    It draws from no stream of theirs, keeps no graph, and computes in the precision of its states:
    rounding to half of that would be taken for an error of the solver.

    Args:
        z0: initial states, which may not have been checked yet.
    """
    found = (leaf.device for leaf in tree_leaves(z0) if isinstance(leaf, Tensor))
    place = next(found, torch.device("cpu"))
    with (
        torch.random.fork_rng(devices=[place] if place.type == "cuda" else []),
        torch.autocast(place.type, enabled=False),
        torch.no_grad(),
    ):
        yield


def in_odeint(setting: Setting) -> tuple[str, dict[str, Any]]:
    """The method and the options with which `odeint` takes a number of equal steps.

    Where it is asked for states in between, it stops there on its way, which takes up to one step
    more for each, and no step is longer: it would put them on a straight line between two steps.
    """
    assert setting.steps is not None  # of a fixed-step solver
    return name_in_torchdiffeq(setting.solver), {"grid_constructor": _grid(setting.steps)}


def _grid(steps: int) -> Callable[..., Tensor]:
    def times(_field: object, _state: object, asked: Tensor) -> Tensor:
        # The margin keeps a whole number of steps at that number, whatever was rounded.
        parts = (steps * asked.diff() / (asked[-1] - asked[0]) - 1e-4).ceil().clamp(min=1)
        pairs = zip(asked.unfold(0, 2, 1), parts.int().tolist(), strict=True)
        grids = [equal_steps(count)(None, None, ends)[1:] for ends, count in pairs]
        return torch.cat([asked[:1], *grids])

    return times
