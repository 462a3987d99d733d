"""What a vector field is: parameters apart, on states in a layout of its own.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block.
"""

from typing import Protocol

from torch import Generator, Tensor

from solverproof.ode.integration import VectorField

Parameters = dict[str, Tensor]


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
