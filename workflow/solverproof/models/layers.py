"""Building blocks of vector fields, for a stack of seeds at once."""

import math

import torch
from torch import Generator, Tensor

from solverproof.ode.integration import VectorField


def columns(x: Tensor) -> Tensor:
    """States (seeds, batch, *shape) as (seeds, features, batch).

    With samples as columns the products with the narrow first and last layers run several times faster.
    """
    return x.flatten(2).mT.contiguous()


def rows(state: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `columns`."""
    return state.mT.reshape(len(state), -1, *shape)


def dense(weights: list[Tensor], biases: list[Tensor]) -> VectorField:
    """Dense layers with ReLU between them; weights (seeds, outputs, inputs), biases (seeds, outputs)."""
    (first, first_bias), *others = [(w, b.unsqueeze(2)) for w, b in zip(weights, biases, strict=True)]

    def field(state: Tensor) -> Tensor:
        hidden = torch.baddbmm(first_bias, first, state)
        for weight, bias in others:
            hidden = torch.baddbmm(bias, weight, hidden.relu_())
        return hidden

    return field


def kaiming(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Kaiming-normal weights of shape (outputs, inputs, *kernel): fan-in, gain sqrt(2) for ReLU."""
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in)
