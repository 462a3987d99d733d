"""Vector fields and the classifier around them, for a stack of seeds at once.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block; inputs have
shape (seeds, batch, channels, *spatial). Seeds share every tensor operation and nothing else.
A field works on states in a layout of its own, which `pack` and `unpack` convert to and from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Generator, Tensor
from torch.utils.checkpoint import checkpoint

from solverproof.integration import Solution, SolverError, VectorField, solve, trajectory
from solverproof.modules import ModuleField
from solverproof.solvers import Setting

Parameters = dict[str, Tensor]
Gradient = Literal["backpropagation", "recomputation", "adjoint"]
"""Where gradients come from: through the solver's operations, whose activations are kept or computed again,
or from the adjoint equation."""


class Field(Protocol):
    """A family of vector fields, parameters apart."""

    def initial(self, generator: Generator) -> Parameters:
        """Random parameters of one seed, without the seeds axis."""

    def pack(self, x: Tensor) -> Tensor:
        """States of shape (seeds, batch, channels, *spatial) in the layout the field works in."""

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""

    def bind(self, parameters: Parameters) -> VectorField:
        """The vector field with the given stacked parameters, a function of the packed state alone."""


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

    @property
    def _is_short(self) -> bool:
        """Whether the state is a line no longer than the kernel: its matrix has (nearly) no zeros to skip."""
        return len(self.shape) == 2 and self.shape[1] <= 3

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns on a short line; else seeds as groups of channels, channels last on images."""
        if self._is_short:
            return _columns(x)
        grouped = x.transpose(0, 1).flatten(1, 2)
        return grouped.contiguous(memory_format=torch.channels_last if grouped.dim() == 4 else torch.contiguous_format)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        if self._is_short:
            return _rows(state, self.shape)
        if state.requires_grad and state.dim() == 4:  # or all of the way back would mix two layouts, which is slow
            state.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))  # type: ignore[no-untyped-call]
        return state.reshape(len(state), -1, *self.shape).transpose(0, 1)

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, as products with dense matrices on a short line, else as grouped convolutions."""
        weights = [parameters[f"weight{i}"] for i in range(3)]
        biases = [parameters[f"bias{i}"] for i in range(3)]
        if self._is_short:
            length = self.shape[1]
            matrices = [_as_matrix(weight, length) for weight in weights]
            return _dense(matrices, [bias.repeat_interleave(length, dim=1) for bias in biases])
        return self._convolutions([weight.flatten(0, 1) for weight in weights], [bias.flatten() for bias in biases])

    def _convolutions(self, weights: list[Tensor], biases: list[Tensor]) -> VectorField:
        convolution = {1: F.conv1d, 2: F.conv2d}[len(self.shape) - 1]

        def field(state: Tensor) -> Tensor:
            seeds = state.shape[1] // self.shape[0]
            hidden = convolution(state, weights[0], biases[0], groups=seeds).relu_()
            hidden = convolution(hidden, weights[1], biases[1], padding=1, groups=seeds).relu_()
            return convolution(hidden, weights[2], biases[2], groups=seeds)

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
        """Kaiming-normal weights of shape (outputs, inputs), zero biases."""
        size = math.prod(self.shape)
        ends = (size, *self.widths, size)
        parameters = {}
        for i, (inputs, outputs) in enumerate(pairwise(ends)):
            parameters[f"weight{i}"] = _kaiming((outputs, inputs), generator)
            parameters[f"bias{i}"] = torch.zeros(outputs)
        return parameters

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns."""
        return _columns(x)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        return _rows(state, self.shape)

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, as products with dense matrices."""
        layers = range(len(self.widths) + 1)
        return _dense([parameters[f"weight{i}"] for i in layers], [parameters[f"bias{i}"] for i in layers])


@dataclass(frozen=True)
class Forward:
    """What a forward pass returns.

    Attributes:
        logits: shape (seeds, batch, classes).
        state: final states, shape (seeds, batch, channels, *spatial).
        solutions: how each seed was solved, or why it could not be.
    """

    logits: Tensor
    state: Tensor
    solutions: list[Solution | SolverError]


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
        return {**field, "head.weight": head, "head.bias": torch.zeros(self.classes)}

    def vector_field(self, parameters: Parameters) -> VectorField:
        """The right-hand side of the ODE, on states that `field.pack` has laid out."""
        return self.field.bind(_of_field(parameters))

    def head(self, parameters: Parameters, state: Tensor) -> Tensor:
        """Logits of shape (seeds, batch, classes) of a final state."""
        return torch.baddbmm(parameters["head.bias"].unsqueeze(1), state.flatten(2), parameters["head.weight"].mT)

    def __call__(
        self, parameters: Parameters, x: Tensor, setting: Setting, *, gradient: Gradient = "backpropagation"
    ) -> Forward:
        """Carry a batch of every seed through the model.

        A fixed-step solver carries all seeds together. With an adaptive or multistep one each seed is
        solved alone, because a common error norm would make its steps depend on its neighbours; a seed
        whose solver fails gets states and logits that are NaN.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            setting: the solver and its number of steps or tolerance.
            gradient: where gradients come from.
        """
        if setting.solver.kind == "fixed":
            solution = self._solve(parameters, x, setting, gradient)
            return Forward(self.head(parameters, solution.state), solution.state, [solution] * len(x))
        solved = [self._try(only(parameters, i), x[i : i + 1], setting, gradient) for i in range(len(x))]
        states = torch.cat([s.state if isinstance(s, Solution) else torch.full_like(x[:1], math.nan) for s in solved])
        return Forward(self.head(parameters, states), states, solved)

    def trajectory(self, parameters: Parameters, x: Tensor, setting: Setting) -> Tensor:
        """States along the way of a fixed-step solver, shape (steps + 1, seeds, batch, channels, *spatial)."""
        state = self.field.pack(x)
        solution = trajectory(self.vector_field(parameters), state, setting, horizon=self.horizon)
        return torch.stack([self.field.unpack(states) for states in solution.state])

    def _try(self, parameters: Parameters, x: Tensor, setting: Setting, gradient: Gradient) -> Solution | SolverError:
        try:
            return self._solve(parameters, x, setting, gradient)
        except SolverError as failure:
            return failure

    def _solve(self, parameters: Parameters, x: Tensor, setting: Setting, gradient: Gradient) -> Solution:
        """The ODE solution, its state unpacked."""
        field = self.vector_field(parameters)
        if gradient == "recomputation":
            field = _recomputed(field)
        of_field = list(_of_field(parameters).values()) if gradient == "adjoint" else None
        solution = solve(field, self.field.pack(x), setting, horizon=self.horizon, adjoint=of_field)
        return replace(solution, state=self.field.unpack(solution.state))


def classifier(model: Mapping[str, Any], shape: tuple[int, ...]) -> Classifier:
    """The classifier that a model specification describes, for samples of the given shape."""
    return Classifier(_field(model["network"], shape), shape, model["classes"], model["horizon"])


def _field(network: Mapping[str, Any], shape: tuple[int, ...]) -> Field:
    match network["family"]:
        case "conv":
            return ConvField(shape, network["channels"])
        case "mlp":
            return MLPField(shape, tuple(network["widths"]))
    return ModuleField(shape, network["path"], network["options"])


def _of_field(parameters: Parameters) -> Parameters:
    """The parameters of the vector field, under their own names."""
    return {name.removeprefix("field."): p for name, p in parameters.items() if name.startswith("field.")}


def _recomputed(field: VectorField) -> VectorField:
    """A field that keeps its argument alone for the backward pass, in which it computes its activations again."""

    def recomputed(state: Tensor) -> Tensor:
        velocity: Tensor = checkpoint(field, state, use_reentrant=False)
        return velocity

    return recomputed


def only(parameters: Parameters, index: int) -> Parameters:
    """The parameters of one seed of a stack, as a stack of one."""
    return {name: p[index : index + 1] for name, p in parameters.items()}


def stack(parameters: list[Parameters]) -> Parameters:
    """Stack the parameters of single seeds along a new leading axis."""
    return {name: torch.stack([p[name] for p in parameters]) for name in parameters[0]}


def _columns(x: Tensor) -> Tensor:
    """States (seeds, batch, *shape) as (seeds, features, batch).

    With samples as columns the products with the narrow first and last layers run several times faster.
    """
    return x.flatten(2).mT.contiguous()


def _rows(state: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `_columns`."""
    return state.mT.reshape(len(state), -1, *shape)


def _dense(weights: list[Tensor], biases: list[Tensor]) -> VectorField:
    """Dense layers with ReLU between them; weights (seeds, outputs, inputs), biases (seeds, outputs)."""
    (first, first_bias), *others = [(w, b.unsqueeze(2)) for w, b in zip(weights, biases, strict=True)]

    def field(state: Tensor) -> Tensor:
        hidden = torch.baddbmm(first_bias, first, state)
        for weight, bias in others:
            hidden = torch.baddbmm(bias, weight, hidden.relu_())
        return hidden

    return field


def _as_matrix(weight: Tensor, length: int) -> Tensor:
    """Matrices (seeds, outputs * length, inputs * length) of "same" 1-d convolutions.

    Column j of a matrix is the convolution of the unit vector j.
    """
    seeds, outputs, inputs, width = weight.shape
    units = torch.eye(inputs * length, device=weight.device).view(inputs * length, inputs, length)
    columns = F.conv1d(units, weight.flatten(0, 1), padding=width // 2)
    return columns.view(-1, seeds, outputs * length).permute(1, 2, 0).contiguous()


def _kaiming(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Kaiming-normal weights of shape (outputs, inputs, *kernel): fan-in, gain sqrt(2) for ReLU."""
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in)
