"""Fields of other libraries as f(t, z), which is what an audit takes; for docs/audit.md.

An adapted field is a module if the model is one. So an audit copies it, looks at its mode, and
computes its flow in float64.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from solverproof.errors import InputError

Velocity = Callable[[Any, Tensor, Tensor], Tensor]
"""The velocity of a model at a time and states."""


class _Field(nn.Module):
    """f(t, z) of a model that is called in another way."""

    def __init__(self, model: Any, velocity: Velocity) -> None:
        super().__init__()
        # the model is no part of the function, or copies of this module would share it
        self.model, self.velocity = model, velocity

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return self.velocity(self.model, t, z)


def flow_matching_field(
    model: Callable[..., Tensor], *, per_sample_time: bool = False, **extras: Any
) -> nn.Module:
    """The field of a velocity model of flow_matching, which is called as model(x=x, t=t, **extras).

    Args:
        model: a `ModelWrapper`, or any function or module of x and t.
        per_sample_time: whether the model wants a time for each sample, shape (samples,), as in
            training. By default it gets a scalar, as from flow_matching's `ODESolver`.
        extras: what the model gets besides, the same for all samples. A condition of each sample,
            such as its class, belongs into the state, with velocity zero: an audit also solves
            samples alone and in part.

    Source: the interface of flow_matching 1.0, `flow_matching.utils.ModelWrapper`.
    """

    def velocity(model: Callable[..., Tensor], t: Tensor, z: Tensor) -> Tensor:
        times = t.expand(len(z)) if per_sample_time else t
        return model(x=z, t=times, **extras)

    return _Field(model, velocity)


def torchdyn_field(model: Any, args: dict[str, Any] | None = None) -> nn.Module:
    """The field of a torchdyn model, which is called as f(t, x, args).

    The solver of the model, and the times at which it is called, are left behind: what is deployed
    is said to the audit. torchdyn takes one step between neighbouring times, so a `NeuralODE` with
    a fixed-step solver takes a single one unless it is called with more. Its solvers are
    not torchdiffeq's of the same name: `rk4` is the classical method there (up to version 1.0.6 of
    order 1 for fields that depend on time) and Kutta's 3/8 rule here, and steps are controlled
    otherwise. Euler's method and the midpoint rule are the same.

    Args:
        model: a `NeuralODE` or `ODEProblem`, or a field f(t, x, args) alone.
        args: handed to the field.

    Raises:
        InputError: if the field depends on more than time and state: on a copy of its initial
            states (`DataControl`), or on noise drawn for each solve (a stochastic estimate of the
            trace).

    Source: the interface of torchdyn 1.0, `torchdyn.core.ODEProblem`.
    """
    field = model.vf if hasattr(model, "solver") else model
    for part in field.modules():
        if hasattr(part, "_control"):
            raise InputError(
                "the field holds a copy of its initial states (DataControl); make them a part of "
                "the state, with velocity zero"
            )
        if getattr(part, "noise_dist", None) is not None:
            raise InputError(
                "the field draws noise for every solve (noise_dist); use the exact trace, "
                "autograd_trace"
            )
    given = args or {}
    return _Field(field, lambda field, t, z: field(t, z, args=given))
