"""One seed's model, of PyTorch's own modules and torchdiffeq, to compare the stacked code with."""

import math
from itertools import pairwise

import torch
from torch import nn
from torchdiffeq import odeint

from solverproof.models.networks.conv import ConvField


class PlainClassifier(nn.Module):
    def __init__(self, model, parameters, index):
        super().__init__()
        self.field = plain_field(model.field, unprefixed(parameters), index)
        self.head = filled(
            nn.Linear(math.prod(model.shape), model.head.outputs),
            parameters,
            "head.weight",
            "head.bias",
            index,
        )
        self.horizon = model.horizon

    def final_state(self, x, solver, fineness):
        """The state at the horizon.

        It is reached in a number of steps, or by an adaptive solver with a tolerance below 1.
        """
        adaptive = fineness < 1
        times = torch.linspace(
            0, self.horizon, 2 if adaptive else fineness + 1, dtype=torch.float64
        )
        how = (
            {"rtol": fineness, "atol": fineness, "options": {"step_t": times[1:]}}
            if adaptive
            else {}
        )
        return odeint(lambda _, z: self.field(z), x, times, method=solver, **how)[-1]

    def forward(self, x, solver, fineness):
        return self.head(self.final_state(x, solver, fineness).flatten(1))


def unprefixed(parameters):
    return {name.removeprefix("field."): p for name, p in parameters.items()}


def plain_field(field, parameters, index):
    if isinstance(field, ConvField):
        conv = [nn.Conv1d, nn.Conv2d][len(field.shape) - 2]
        outer, hidden = field.shape[0], field.channels
        layers = [
            conv(outer, hidden, 1),
            conv(hidden, hidden, 3, padding=1),
            conv(hidden, outer, 1),
        ]
        before, after = nn.Identity(), nn.Identity()
    else:
        size = math.prod(field.shape)
        layers = [
            nn.Linear(inputs, outputs) for inputs, outputs in pairwise([size, *field.widths, size])
        ]
        before, after = nn.Flatten(), nn.Unflatten(1, field.shape)
    for i, layer in enumerate(layers):
        filled(layer, parameters, f"weight{i}", f"bias{i}", index)
    activation = {"relu": nn.ReLU, "softplus": nn.Softplus, "tanh": nn.Tanh}[field.activation]
    between = [module for layer in layers for module in (layer, activation())][:-1]
    return nn.Sequential(before, *between, after)


def filled(layer, parameters, weight, bias, index):
    layer.weight.data = parameters[weight][index].detach().clone()
    layer.bias.data = parameters[bias][index].detach().clone()
    return layer


def layers_of(net):
    return [module for module in net.modules() if hasattr(module, "weight")]
