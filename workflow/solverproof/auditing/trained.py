"""The problem of a model that this study trained."""

import torch
from torch import Tensor, nn

from solverproof.auditing.problem import Head, Problem
from solverproof.models.ends import LinearHead
from solverproof.models.fields import Parameters
from solverproof.models.neural_ode import NeuralODE


@torch.no_grad()
def trained_problem(model: NeuralODE, parameters: Parameters, x: Tensor) -> Problem:
    """The flow of one trained model from some inputs, and its head.

    Args:
        model: the Neural ODE.
        parameters: those of one seed, as a stack of one; in the precision of `x`.
        x: inputs, shape (samples, channels, *spatial).
    """
    velocity, layout = model.vector_field(parameters), model.field

    def field(t: Tensor, states: Tensor) -> Tensor:
        return layout.unpack(velocity(t, layout.pack(states.unsqueeze(0))))[0]

    start = model.start(parameters, x.unsqueeze(0))[0]
    return Problem(field, start, (0.0, model.horizon), _head(model, parameters), lands=True)


def double_problem(model: NeuralODE, parameters: Parameters, x: Tensor) -> Problem:
    """The same in float64; on the CPU where the device has none, as Apple's GPUs (mps)."""
    where = torch.device("cpu") if x.device.type == "mps" else x.device
    wide = {name: p.to(where).double() for name, p in parameters.items()}
    return trained_problem(model, wide, x.to(where).double())


def _head(model: NeuralODE, parameters: Parameters) -> Head:
    if not isinstance(model.head, LinearHead):
        return lambda states: model.outputs(parameters, states.unsqueeze(0))[0]
    # As a module, because margins are those of a linear layer that can be seen.
    weight, bias = (parameters[f"head.{name}"][0] for name in ("weight", "bias"))
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = (nn.Parameter(p, requires_grad=False) for p in (weight, bias))
    return nn.Sequential(nn.Flatten(), linear)
