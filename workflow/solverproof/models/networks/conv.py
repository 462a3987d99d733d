"""The paper's field, of convolutions."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Generator, Tensor

from solverproof.models.fields import Parameters
from solverproof.models.layers import columns, dense, kaiming, rows
from solverproof.ode.integration import VectorField


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
            parameters[f"weight{i}"] = kaiming((outputs, inputs, *[width] * dimensions), generator)
            parameters[f"bias{i}"] = torch.zeros(outputs)
        return parameters

    @property
    def _is_short(self) -> bool:
        """Whether the state is a line no longer than the kernel: its matrix has (nearly) no zeros to skip."""
        return len(self.shape) == 2 and self.shape[1] <= 3

    def pack(self, x: Tensor) -> Tensor:
        """Samples as columns on a short line; else seeds as groups of channels, channels last on images."""
        if self._is_short:
            return columns(x)
        grouped = x.transpose(0, 1).flatten(1, 2)
        return grouped.contiguous(memory_format=torch.channels_last if grouped.dim() == 4 else torch.contiguous_format)

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""
        if self._is_short:
            return rows(state, self.shape)
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
            return dense(matrices, [bias.repeat_interleave(length, dim=1) for bias in biases])
        return self._convolutions([weight.flatten(0, 1) for weight in weights], [bias.flatten() for bias in biases])

    def _convolutions(self, weights: list[Tensor], biases: list[Tensor]) -> VectorField:
        convolution = {1: F.conv1d, 2: F.conv2d}[len(self.shape) - 1]

        def field(state: Tensor) -> Tensor:
            seeds = state.shape[1] // self.shape[0]
            hidden = convolution(state, weights[0], biases[0], groups=seeds).relu_()
            hidden = convolution(hidden, weights[1], biases[1], padding=1, groups=seeds).relu_()
            return convolution(hidden, weights[2], biases[2], groups=seeds)

        return field


def _as_matrix(weight: Tensor, length: int) -> Tensor:
    """Matrices (seeds, outputs * length, inputs * length) of "same" 1-d convolutions.

    Column j of a matrix is the convolution of the unit vector j.
    """
    seeds, outputs, inputs, width = weight.shape
    units = torch.eye(inputs * length, device=weight.device).view(inputs * length, inputs, length)
    columns = F.conv1d(units, weight.flatten(0, 1), padding=width // 2)
    return columns.view(-1, seeds, outputs * length).permute(1, 2, 0).contiguous()
