"""A fully connected field."""

from __future__ import annotations  # planning imports this module and must not load torch

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from solverproof.models.networks.base import KEPT, Activation, Network

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from solverproof.models.fields import Parameters
    from solverproof.ode.integration import VectorField


@dataclass(frozen=True)
class MLP(Network):
    """A fully connected field on the flattened state, with ReLU between the layers.

    Attributes:
        widths: widths of the hidden layers.
        activation: in place of ReLU.
    """

    family: ClassVar[str] = "mlp"
    widths: tuple[int, ...]
    activation: Activation = "relu"

    def layers(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        size = math.prod(shape)
        return list(pairwise((size, *self.widths, size)))

    def work(self, shape: tuple[int, ...]) -> int:
        """Multiply-adds of all layers."""
        return sum(inputs * outputs for inputs, outputs in self.layers(shape))

    def hidden_units(self, shape: tuple[int, ...]) -> int:
        """Those of the widest layer."""
        del shape
        return max(self.widths) * KEPT[self.activation]

    def field(self, shape: tuple[int, ...]) -> MLPField:
        """The field on states of this shape."""
        return MLPField(shape, self.widths, self.activation)


@dataclass(frozen=True)
class MLPField:
    """The field of `MLP`, for states of a shape (channels, *spatial)."""

    autonomous: ClassVar[bool] = True
    shape: tuple[int, ...]
    widths: tuple[int, ...]
    activation: Activation = "relu"

    def initial(self, generator: Generator) -> Parameters:
        """Kaiming-normal weights of shape (outputs, inputs), zero biases."""
        from solverproof.models.layers import initial_layers

        layers = MLP(self.widths).layers(self.shape)
        return initial_layers(((outputs, inputs) for inputs, outputs in layers), generator)

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns."""
        from solverproof.models.layers import columns

        return columns(x)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        from solverproof.models.layers import from_columns

        return from_columns(state, self.shape)

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, as products with dense matrices."""
        from solverproof.models.layers import dense

        layers = range(len(self.widths) + 1)
        weights = [parameters[f"weight{i}"] for i in layers]
        return dense(weights, [parameters[f"bias{i}"] for i in layers], self.activation)
