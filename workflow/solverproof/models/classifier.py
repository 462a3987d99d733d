"""Vector fields and the classifier around them, for a stack of seeds at once.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block; inputs have
shape (seeds, batch, channels, *spatial). Seeds share every tensor operation and nothing else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Generator, Tensor
from torch.utils.checkpoint import checkpoint

from solverproof.models.fields import Field, Parameters
from solverproof.models.layers import kaiming
from solverproof.models.networks.conv import ConvField
from solverproof.models.networks.mlp import MLPField
from solverproof.models.networks.module import ModuleField
from solverproof.ode.integration import Solution, SolverError, VectorField, solve, trajectory
from solverproof.ode.solvers import Setting

Gradient = Literal["backpropagation", "recomputation", "adjoint"]
"""Where gradients come from: through the solver's operations, whose activations are kept or computed again,
or from the adjoint equation."""


@dataclass(frozen=True)
class Forward:
    """What a forward pass returns.

    Attributes:
        logits: shape (seeds, batch, classes).
        state: final states, shape (seeds, batch, channels, *spatial).
        solutions: how each seed was solved, or why it could not be.
    """

    logits: Tensor
    state: Tensor
    solutions: list[Solution | SolverError]


@dataclass(frozen=True)
class Classifier:
    """A Neural ODE classifier: the flow of a field over [0, horizon], then one linear layer.

    Attributes:
        field: the vector field's family.
        shape: (channels, *spatial) of the state, which is the input (there is no upstream net).
        classes: outputs of the head.
        horizon: length T of the integration interval.
    """

    field: Field
    shape: tuple[int, ...]
    classes: int
    horizon: float

    def initial(self, seeds: list[int]) -> Parameters:
        """Random parameters, stacked: each seed's from its own random stream."""
        return stack([self._initial(Generator().manual_seed(seed)) for seed in seeds])

    def _initial(self, generator: Generator) -> Parameters:
        head = kaiming((self.classes, math.prod(self.shape)), generator)
        field = {f"field.{name}": tensor for name, tensor in self.field.initial(generator).items()}
        return {**field, "head.weight": head, "head.bias": torch.zeros(self.classes)}

    def vector_field(self, parameters: Parameters) -> VectorField:
        """The right-hand side of the ODE, on states that `field.pack` has laid out."""
        return self.field.bind(_of_field(parameters))

    def head(self, parameters: Parameters, state: Tensor) -> Tensor:
        """Logits of shape (seeds, batch, classes) of a final state."""
        return torch.baddbmm(parameters["head.bias"].unsqueeze(1), state.flatten(2), parameters["head.weight"].mT)

    def __call__(
        self, parameters: Parameters, x: Tensor, setting: Setting, *, gradient: Gradient = "backpropagation"
    ) -> Forward:
        """Carry a batch of every seed through the model.

        A fixed-step solver carries all seeds together. With an adaptive or multistep one each seed is
        solved alone, because a common error norm would make its steps depend on its neighbours; a seed
        whose solver fails gets states and logits that are NaN.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            setting: the solver and its number of steps or tolerance.
            gradient: where gradients come from.
        """
        if setting.solver.kind == "fixed":
            solution = self._solve(parameters, x, setting, gradient)
            return Forward(self.head(parameters, solution.state), solution.state, [solution] * len(x))
        solved = [self._try(only(parameters, i), x[i : i + 1], setting, gradient) for i in range(len(x))]
        states = torch.cat([s.state if isinstance(s, Solution) else torch.full_like(x[:1], math.nan) for s in solved])
        return Forward(self.head(parameters, states), states, solved)

    def trajectory(self, parameters: Parameters, x: Tensor, setting: Setting) -> Tensor:
        """States along the way of a fixed-step solver, shape (steps + 1, seeds, batch, channels, *spatial)."""
        state = self.field.pack(x)
        solution = trajectory(self.vector_field(parameters), state, setting, horizon=self.horizon)
        return torch.stack([self.field.unpack(states) for states in solution.state])

    def _try(self, parameters: Parameters, x: Tensor, setting: Setting, gradient: Gradient) -> Solution | SolverError:
        try:
            return self._solve(parameters, x, setting, gradient)
        except SolverError as failure:
            return failure

    def _solve(self, parameters: Parameters, x: Tensor, setting: Setting, gradient: Gradient) -> Solution:
        """The ODE solution, its state unpacked."""
        field = self.vector_field(parameters)
        if gradient == "recomputation":
            field = _recomputed(field)
        of_field = list(_of_field(parameters).values()) if gradient == "adjoint" else None
        solution = solve(field, self.field.pack(x), setting, horizon=self.horizon, adjoint=of_field)
        return replace(solution, state=self.field.unpack(solution.state))


def classifier(model: Mapping[str, Any], shape: tuple[int, ...]) -> Classifier:
    """The classifier that a model specification describes, for samples of the given shape."""
    return Classifier(_field(model["network"], shape), shape, model["classes"], model["horizon"])


def _field(network: Mapping[str, Any], shape: tuple[int, ...]) -> Field:
    match network["family"]:
        case "conv":
            return ConvField(shape, network["channels"])
        case "mlp":
            return MLPField(shape, tuple(network["widths"]))
    return ModuleField(shape, network["path"], network["options"])


def _of_field(parameters: Parameters) -> Parameters:
    """The parameters of the vector field, under their own names."""
    return {name.removeprefix("field."): p for name, p in parameters.items() if name.startswith("field.")}


def _recomputed(field: VectorField) -> VectorField:
    """A field that keeps its argument alone for the backward pass, in which it computes its activations again."""

    def recomputed(state: Tensor) -> Tensor:
        velocity: Tensor = checkpoint(field, state, use_reentrant=False)
        return velocity

    return recomputed


def only(parameters: Parameters, index: int) -> Parameters:
    """The parameters of one seed of a stack, as a stack of one."""
    return {name: p[index : index + 1] for name, p in parameters.items()}


def stack(parameters: list[Parameters]) -> Parameters:
    """Stack the parameters of single seeds along a new leading axis."""
    return {name: torch.stack([p[name] for p in parameters]) for name in parameters[0]}
