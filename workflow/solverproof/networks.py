"""Vector fields and the classifier around them, for a stack of seeds at once.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block; states have
shape (seeds, batch, channels, *spatial). Seeds share every tensor operation and nothing else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Generator, Tensor

from solverproof.integration import Solution, VectorField, solve

Parameters = dict[str, Tensor]


class Field(Protocol):
    """A family of vector fields, parameters apart."""

    def initial(self, generator: Generator) -> Parameters:
        """Random parameters of one seed, without the seeds axis."""

    def bind(self, parameters: Parameters) -> VectorField:
        """The vector field with the given stacked parameters, a function of the state alone."""


@dataclass(frozen=True)
class ConvField:
    """1x1 conv, ReLU, 3x3 conv (zero padding), ReLU, 1x1 conv, in one or two dimensions.

    Source: Ott et al. 2021, section 4.

    Attributes:
        shape: (channels, *spatial) of the state.
        channels: hidden channels.
    """

    shape: tuple[int, ...]
    channels: int

    def _layers(self) -> list[tuple[int, int, int]]:
        """(in channels, out channels, kernel width) of each layer."""
        outer, hidden = self.shape[0], self.channels
        return [(outer, hidden, 1), (hidden, hidden, 3), (hidden, outer, 1)]

    def initial(self, generator: Generator) -> Parameters:
        """Kaiming-normal weights, zero biases."""
        dimensions = len(self.shape) - 1
        parameters = {}
        for i, (inputs, outputs, width) in enumerate(self._layers()):
            parameters[f"weight{i}"] = _kaiming((outputs, inputs, *[width] * dimensions), generator)
            parameters[f"bias{i}"] = torch.zeros(outputs)
        return parameters

    def bind(self, parameters: Parameters) -> VectorField:
        """The field; on a line no longer than the kernel, as dense matrices, else as convolutions."""
        if len(self.shape) == 2 and self.shape[1] <= 3:
            return self._bind_dense(parameters)
        return self._bind_convolutions(parameters)

    def _bind_dense(self, parameters: Parameters) -> VectorField:
        """On a short line the kernel covers (nearly) all of it: the matrices have no zeros to skip."""
        length = self.shape[1]
        layers = [
            (_as_matrix(parameters[f"weight{i}"], length), _repeat(parameters[f"bias{i}"], length)) for i in range(3)
        ]

        def field(state: Tensor) -> Tensor:
            return _dense(layers, state.flatten(2)).view_as(state)

        return field

    def _bind_convolutions(self, parameters: Parameters) -> VectorField:
        """Seeds are the groups of a grouped convolution."""
        convolution = {1: F.conv1d, 2: F.conv2d}[len(self.shape) - 1]
        weights = [parameters[f"weight{i}"].flatten(0, 1) for i in range(3)]
        biases = [parameters[f"bias{i}"].flatten() for i in range(3)]

        def field(state: Tensor) -> Tensor:
            seeds = len(state)
            hidden = state.transpose(0, 1).flatten(1, 2)
            if hidden.dim() == 4:
                hidden = hidden.contiguous(memory_format=torch.channels_last)
            hidden = convolution(hidden, weights[0], biases[0], groups=seeds).relu_()
            hidden = convolution(hidden, weights[1], biases[1], padding=1, groups=seeds).relu_()
            hidden = convolution(hidden, weights[2], biases[2], groups=seeds)
            return hidden.reshape(-1, seeds, *self.shape).transpose(0, 1)

        return field


@dataclass(frozen=True)
class MLPField:
    """A fully connected field on the flattened state, with ReLU between the layers.

    Attributes:
        shape: (channels, *spatial) of the state.
        widths: widths of the hidden layers.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...]

    def initial(self, generator: Generator) -> Parameters:
        """Kaiming-normal weights of shape (inputs, outputs), zero biases."""
        size = math.prod(self.shape)
        ends = (size, *self.widths, size)
        parameters = {}
        for i, (inputs, outputs) in enumerate(pairwise(ends)):
            parameters[f"weight{i}"] = _kaiming((outputs, inputs), generator).T.contiguous()
            parameters[f"bias{i}"] = torch.zeros(outputs)
        return parameters

    def bind(self, parameters: Parameters) -> VectorField:
        """The field as products with dense matrices."""
        count = len(self.widths) + 1
        layers = [(parameters[f"weight{i}"], parameters[f"bias{i}"].unsqueeze(1)) for i in range(count)]
        return lambda state: _dense(layers, state.flatten(2)).view_as(state)


@dataclass(frozen=True)
class Classifier:
    """A Neural ODE classifier: the flow of a field over [0, horizon], then one linear layer.

    Attributes:
        field: the vector field's family.
        shape: (channels, *spatial) of the state, which is the input (there is no upstream net).
        classes: outputs of the head.
        horizon: length T of the integration interval.
    """

    field: Field
    shape: tuple[int, ...]
    classes: int
    horizon: float

    def initial(self, seeds: list[int]) -> Parameters:
        """Random parameters, stacked: each seed's from its own random stream."""
        return stack([self._initial(Generator().manual_seed(seed)) for seed in seeds])

    def _initial(self, generator: Generator) -> Parameters:
        head = _kaiming((self.classes, math.prod(self.shape)), generator)
        field = {f"field.{name}": tensor for name, tensor in self.field.initial(generator).items()}
        return {**field, "head.weight": head.T.contiguous(), "head.bias": torch.zeros(self.classes)}

    def vector_field(self, parameters: Parameters) -> VectorField:
        """The right-hand side of the ODE."""
        prefix = "field."
        own = {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}
        return self.field.bind(own)

    def head(self, parameters: Parameters, state: Tensor) -> Tensor:
        """Logits of shape (seeds, batch, classes) of a final state."""
        return torch.baddbmm(parameters["head.bias"].unsqueeze(1), state.flatten(2), parameters["head.weight"])

    def __call__(self, parameters: Parameters, x: Tensor, *, solver: str, steps: int) -> tuple[Tensor, Solution]:
        """Logits of shape (seeds, batch, classes) and the ODE solution behind them.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            solver: name of the fixed-step solver.
            steps: number of steps.
        """
        solution = solve(self.vector_field(parameters), x, solver=solver, steps=steps, horizon=self.horizon)
        return self.head(parameters, solution.state), solution


def classifier(model: Mapping[str, Any], shape: tuple[int, ...]) -> Classifier:
    """The classifier that a model specification describes, for samples of the given shape."""
    network = model["network"]
    field: Field
    if network["family"] == "conv":
        field = ConvField(shape, network["channels"])
    else:
        field = MLPField(shape, tuple(network["widths"]))
    return Classifier(field, shape, model["classes"], model["horizon"])


def stack(parameters: list[Parameters]) -> Parameters:
    """Stack the parameters of single seeds along a new leading axis."""
    return {name: torch.stack([p[name] for p in parameters]) for name in parameters[0]}


def _dense(layers: list[tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    """Dense layers (weight, bias) with ReLU between them; x has shape (seeds, batch, features)."""
    *hidden, (last_weight, last_bias) = layers
    for weight, bias in hidden:
        x = torch.baddbmm(bias, x, weight).relu_()
    return torch.baddbmm(last_bias, x, last_weight)


def _as_matrix(weight: Tensor, length: int) -> Tensor:
    """Matrices (seeds, inputs * length, outputs * length) of "same" 1-d convolutions.

    Row j of a matrix is the convolution of the unit vector j.
    """
    seeds, outputs, inputs, width = weight.shape
    units = torch.eye(inputs * length).view(inputs * length, inputs, length)
    rows = F.conv1d(units, weight.flatten(0, 1), padding=width // 2)
    return rows.view(-1, seeds, outputs * length).transpose(0, 1).contiguous()


def _repeat(bias: Tensor, length: int) -> Tensor:
    """A bias per channel as a bias per feature, shape (seeds, 1, channels * length)."""
    return bias.repeat_interleave(length, dim=1).unsqueeze(1)


def _kaiming(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Kaiming-normal weights of shape (outputs, inputs, *kernel): fan-in, gain sqrt(2) for ReLU."""
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in)
