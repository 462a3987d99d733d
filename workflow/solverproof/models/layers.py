"""Building blocks of vector fields, for a stack of seeds at once.

Two layouts of states are fast: samples as columns for matrix products, and seeds as groups of
channels for convolutions.
"""

import math
from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Generator, Tensor

from solverproof.models.fields import Parameters
from solverproof.ode.integration import VectorField

# In place where it can be: ReLU's and tanh's backward passes need only their results.
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": Tensor.relu_,
    "softplus": F.softplus,
    "tanh": Tensor.tanh_,
}


def kaiming(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Kaiming-normal weights of shape (outputs, inputs, *kernel): fan-in, gain sqrt(2) for ReLU."""
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in)


def initial_layers(shapes: Iterable[tuple[int, ...]], generator: Generator) -> Parameters:
    """Kaiming-normal weights of the given shapes and zero biases, for one seed."""
    parameters = {}
    for i, shape in enumerate(shapes):
        parameters[f"weight{i}"] = kaiming(shape, generator)
        parameters[f"bias{i}"] = torch.zeros(shape[0])
    return parameters


def columns(x: Tensor) -> Tensor:
    """States (seeds, batch, *shape) as (seeds, features, batch).

    With samples as columns the products with the narrow first and last layers run several times
    faster.
    """
    # Copied once here, rather than read with strides by every product of the solve.
    return x.flatten(2).mT.contiguous()


def from_columns(state: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `columns`."""
    return state.mT.reshape(len(state), -1, *shape)


def dense(weights: list[Tensor], biases: list[Tensor], activation: str) -> VectorField:
    """Dense layers with an activation between them, on samples as columns.

    Args:
        weights: shape (seeds, outputs, inputs).
        biases: shape (seeds, outputs).
        activation: a name in `ACTIVATIONS`.
    """
    activated = ACTIVATIONS[activation]
    # Prepared once per solve, not once per evaluation.
    layers = [(w, b.unsqueeze(2)) for w, b in zip(weights, biases, strict=True)]
    (first, first_bias), *others = layers

    def field(_: Tensor, state: Tensor) -> Tensor:
        # One batched product over seeds and its bias in a single call: the matrices are so small
        # that the number of calls matters.
        hidden = torch.baddbmm(first_bias, first, state)
        for weight, bias in others:
            hidden = torch.baddbmm(bias, weight, activated(hidden))
        return hidden

    return field


def as_matrix(weight: Tensor, length: int) -> Tensor:
    """Matrices (seeds, outputs * length, inputs * length) of "same" 1-d convolutions.

    Column j of a matrix is the convolution of the unit vector j.
    """
    seeds, outputs, inputs, width = weight.shape
    # By convolution, so that autograd carries the gradient of the matrix back to the weight.
    units = torch.eye(inputs * length, dtype=weight.dtype, device=weight.device)
    units = units.view(inputs * length, inputs, length)
    # All seeds at once: their outputs are just more output channels of the same input.
    columns = F.conv1d(units, weight.flatten(0, 1), padding=width // 2)
    return columns.view(-1, seeds, outputs * length).permute(1, 2, 0).contiguous()


def groups(x: Tensor) -> Tensor:
    """States (seeds, batch, channels, *spatial) as (batch, seeds * channels, *spatial).

    Images get the memory format channels last, in which their convolutions are fastest.
    """
    grouped = x.transpose(0, 1).flatten(1, 2)
    images = grouped.dim() == 4
    return grouped.contiguous(
        memory_format=torch.channels_last if images else torch.contiguous_format
    )


def from_groups(state: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `groups`, for states of shape (channels, *spatial)."""
    if state.requires_grad and state.dim() == 4:
        # Otherwise the gradient arrives in another layout, and the backward pass mixes the two.
        state.register_hook(_channels_last)  # type: ignore[no-untyped-call]
    return state.reshape(len(state), -1, *shape).transpose(0, 1)


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def grouped_convolutions(
    weights: list[Tensor], biases: list[Tensor], channels: int, activation: str
) -> VectorField:
    """Convolutions with an activation between them, on seeds as groups of channels; zero padding.

    Args:
        weights: shape (seeds, outputs, inputs, *kernel), of odd kernels.
        biases: shape (seeds, outputs).
        channels: channels of the state, per seed.
        activation: a name in `ACTIVATIONS`.
    """
    activated = ACTIVATIONS[activation]
    convolution = {1: F.conv1d, 2: F.conv2d}[weights[0].dim() - 3]
    # The output channels of a grouped convolution are ordered by group, so the seeds axis can be
    # merged with them.
    layers = [
        (weight.flatten(0, 1), bias.flatten(), weight.shape[-1] // 2)
        for weight, bias in zip(weights, biases, strict=True)
    ]

    def field(_: Tensor, state: Tensor) -> Tensor:
        seeds = state.shape[1] // channels
        for i, (weight, bias, padding) in enumerate(layers):
            # Not on the argument (i = 0), which the solver still needs.
            inputs = activated(state) if i else state
            state = convolution(inputs, weight, bias, padding=padding, groups=seeds)
        return state

    return field
