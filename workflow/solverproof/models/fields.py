"""The interface of a vector field, which is separate from its parameters and may lay out states.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block.
"""

from typing import Protocol

from torch import Generator, Tensor

from solverproof.ode.integration import VectorField

Parameters = dict[str, Tensor]


class Field(Protocol):
    """A vector field without its parameters, which maps every sample by itself."""

    @property
    def autonomous(self) -> bool:
        """Whether it ignores the time."""

    def initial(self, generator: Generator) -> Parameters:
        """Random parameters of one seed, without the seeds axis."""

    def pack(self, x: Tensor) -> Tensor:
        """States (seeds, batch, channels, *spatial) in the layout in which the field is fast."""

    def unpack(self, state: Tensor) -> Tensor:
        """The inverse of `pack`."""

    def bind(self, parameters: Parameters) -> VectorField:
        """The right-hand side f(t, z) with the given stacked parameters, on packed states."""
