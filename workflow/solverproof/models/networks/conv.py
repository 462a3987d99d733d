"""The paper's convolutional field."""

from __future__ import annotations  # planning imports this module and must not load torch

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from solverproof.models.networks.base import KEPT, Activation, Network

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from solverproof.models.fields import Parameters
    from solverproof.ode.integration import VectorField

KERNEL = 3


@dataclass(frozen=True)
class Conv(Network):
    """1x1 conv, ReLU, 3x3 conv (zero padding), ReLU, 1x1 conv, in one or two dimensions.

    Source: Ott et al. 2021, section 4.

    Attributes:
        channels: hidden channels.
        activation: in place of ReLU.
    """

    family: ClassVar[str] = "conv"
    channels: int
    activation: Activation = "relu"

    def work(self, shape: tuple[int, ...]) -> int:
        """Multiply-adds of the middle layer; both others are small."""
        spatial = shape[1:]
        return math.prod(spatial) * int(KERNEL ** len(spatial)) * self.channels**2

    def hidden_units(self, shape: tuple[int, ...]) -> int:
        """Those of either hidden layer."""
        return math.prod(shape[1:]) * self.channels * KEPT[self.activation]

    def field(self, shape: tuple[int, ...]) -> ConvField:
        """The field on states of this shape."""
        return ConvField(shape, self.channels, self.activation)


@dataclass(frozen=True)
class ConvField:
    """The field of `Conv`, for states of a shape (channels, *spatial)."""

    autonomous: ClassVar[bool] = True
    shape: tuple[int, ...]
    channels: int
    activation: Activation = "relu"

    @property
    def _is_short(self) -> bool:
        """Whether the state is a line no longer than the kernel.

        Then the matrix of the convolution has almost no zeros, and products with it are several
        times as fast as convolutions.
        """
        return len(self.shape) == 2 and self.shape[1] <= KERNEL

    def initial(self, generator: Generator) -> Parameters:
        """Kaiming-normal weights, zero biases."""
        from solverproof.models.layers import initial_layers

        outer, hidden, dimensions = self.shape[0], self.channels, len(self.shape) - 1
        layers = [(hidden, outer, 1), (hidden, hidden, KERNEL), (outer, hidden, 1)]
        shapes = ((out, into, *[width] * dimensions) for out, into, width in layers)
        return initial_layers(shapes, generator)

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns on a short line, else seeds as groups of channels."""
        from solverproof.models.layers import columns, groups

        return columns(x) if self._is_short else groups(x)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        from solverproof.models.layers import from_columns, from_groups

        return (from_columns if self._is_short else from_groups)(state, self.shape)

    def bind(self, parameters: Parameters) -> VectorField:
        """The field: products with dense matrices on a short line, else grouped convolutions."""
        from solverproof.models.layers import as_matrix, dense, grouped_convolutions

        weights = [parameters[f"weight{i}"] for i in range(3)]
        biases = [parameters[f"bias{i}"] for i in range(3)]
        if not self._is_short:
            return grouped_convolutions(weights, biases, self.shape[0], self.activation)
        length = self.shape[1]
        # Once per solve: the matrices are the same for every evaluation.
        matrices = [as_matrix(weight, length) for weight in weights]
        repeated = [bias.repeat_interleave(length, dim=1) for bias in biases]
        return dense(matrices, repeated, self.activation)
