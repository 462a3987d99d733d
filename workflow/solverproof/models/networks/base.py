"""The interface of a network's definition."""

from __future__ import annotations  # fields are torch's, which planning does not load

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from solverproof.family import Family
from solverproof.models.networks.families import FAMILIES

if TYPE_CHECKING:
    from solverproof.models.fields import Field


Activation = Literal["relu", "softplus", "tanh"]
# Numbers that the backward pass needs per hidden unit; softplus is not computed in place.
KEPT = {"relu": 1, "softplus": 2, "tanh": 1}


class Network(Family):
    """The definition of a vector field; `shape` is the shape (channels, *spatial) of a state."""

    registry: ClassVar[Mapping[str, str]] = FAMILIES

    def work(self, shape: tuple[int, ...]) -> int:
        """Multiply-adds of one evaluation on one sample, in the largest layers."""
        raise NotImplementedError

    def hidden_units(self, shape: tuple[int, ...]) -> int:
        """Numbers kept for the backward pass per sample, in the layers that have most of them."""
        raise NotImplementedError

    def field(self, shape: tuple[int, ...]) -> Field:
        """The vector field on states of this shape."""
        raise NotImplementedError
