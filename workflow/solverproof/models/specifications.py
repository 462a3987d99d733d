"""What defines a model."""

from dataclasses import dataclass
from typing import Literal

from solverproof.models.networks.base import Network
from solverproof.specifications import Specification

Gradient = Literal["backpropagation", "recomputation", "adjoint"]
"""How gradients are computed: through the solver's operations, whose activations are kept or
recomputed, or from the adjoint equation."""


@dataclass(frozen=True)
class Model(Specification):
    """A Neural ODE classifier before it has parameters.

    Attributes:
        network: its vector field.
        classes: outputs of the head.
        horizon: length T of the integration interval.
    """

    network: Network
    classes: int
    horizon: float = 1.0
