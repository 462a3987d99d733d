"""A fully connected field."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor

from solverproof.models.fields import Parameters
from solverproof.models.layers import columns, dense, kaiming, rows
from solverproof.ode.integration import VectorField


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
            parameters[f"weight{i}"] = kaiming((outputs, inputs), generator)
            parameters[f"bias{i}"] = torch.zeros(outputs)
        return parameters

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns."""
        return columns(x)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        return rows(state, self.shape)

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, as products with dense matrices."""
        layers = range(len(self.widths) + 1)
        return dense([parameters[f"weight{i}"] for i in layers], [parameters[f"bias{i}"] for i in layers])
