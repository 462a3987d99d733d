"""What defines a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from solverproof.models.networks.base import Network
from solverproof.specifications import Specification

Gradient = Literal["backpropagation", "recomputation", "adjoint"]
"""How gradients are computed: through the solver's operations, whose activations are kept or
recomputed, or from the adjoint equation."""


@dataclass(frozen=True, kw_only=True)
class UserClass(Specification):
    """A class of the user's own.

    Attributes:
        path: `module:Class`.
        options: its keyword arguments.
        code: hash of the module's code, so that an edit retrains the cells that use it.
    """

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True)
class Model(Specification):
    """A Neural ODE before it has parameters: encoder, flow of a field, head.

    Attributes:
        network: its vector field.
        outputs: those of the head: classes, or real values.
        horizon: length T of the integration interval.
        augment: zeros appended to every input.
        encoder: from inputs to states, in place of the zeros; None: inputs are states.
        head: from end states to outputs; None: one linear layer.
    """

    network: Network
    outputs: int
    horizon: float = 1.0
    augment: int = 0
    encoder: UserClass | None = None
    head: UserClass | None = None
