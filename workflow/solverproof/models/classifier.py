"""Vector fields and the classifier around them, for a stack of seeds at once.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block; inputs have
shape (seeds, batch, channels, *spatial). Seeds share every tensor operation and nothing else.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor
from torch.utils.checkpoint import checkpoint

from solverproof.models.fields import Field, Parameters
from solverproof.models.layers import kaiming
from solverproof.models.specifications import Gradient, Model
from solverproof.ode.integration import Norm, Solution, SolverError, VectorField, solve, trajectory
from solverproof.ode.sample_control import SampleNorm, rms, solve_samples
from solverproof.ode.solvers import Setting


@dataclass(frozen=True)
class Forward:
    """What a forward pass returns.

    Attributes:
        logits: shape (seeds, batch, classes).
        state: final states, shape (seeds, batch, channels, *spatial).
        solutions: each seed's solution, or the error of its solver.
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
        """Random parameters, stacked; each seed draws from its own random stream."""
        return stack([self._initial(Generator().manual_seed(seed)) for seed in seeds])

    def _initial(self, generator: Generator) -> Parameters:
        # The order of the draws is part of what makes a run reproducible: keep the head first.
        head = kaiming((self.classes, math.prod(self.shape)), generator)
        field = {f"field.{name}": tensor for name, tensor in self.field.initial(generator).items()}
        return {**field, "head.weight": head, "head.bias": torch.zeros(self.classes)}

    def vector_field(self, parameters: Parameters) -> VectorField:
        """The right-hand side of the ODE, on states in the layout of `field.pack`."""
        return self.field.bind(_of_field(parameters))

    def head(self, parameters: Parameters, state: Tensor) -> Tensor:
        """Logits of shape (seeds, batch, classes) of a final state."""
        return torch.baddbmm(
            parameters["head.bias"].unsqueeze(1), state.flatten(2), parameters["head.weight"].mT
        )

    def __call__(
        self,
        parameters: Parameters,
        x: Tensor,
        setting: Setting,
        *,
        gradient: Gradient = "backpropagation",
        norm: Norm | None = None,
    ) -> Forward:
        """Forward pass for all seeds.

        A fixed-step solver solves all seeds together; with an adaptive or multistep one each seed
        is solved alone, because a common error norm would make its solution depend on its
        neighbours. A seed whose solver gives up gets NaN states and logits.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            setting: the solver and its number of steps or tolerance.
            gradient: how gradients are computed.
            norm: by which an adaptive solver accepts a step; see `solve`.
        """
        # With small networks, one solve of the whole stack is several times faster than many.
        if setting.solver.kind == "fixed":
            solution = self._solve(parameters, x, setting, gradient, norm)
            # Every seed took the same steps, so they share one solution.
            return Forward(
                self.head(parameters, solution.state), solution.state, [solution] * len(x)
            )
        # Slices, not indices, keep the seeds axis that fields expect.
        solved = [
            self._try(select_seed(parameters, i), x[i : i + 1], setting, gradient, norm)
            for i in range(len(x))
        ]
        # NaN keeps the shape, so the other seeds' logits, losses and gradients are not affected.
        states = torch.cat(
            [
                s.state if isinstance(s, Solution) else torch.full_like(x[:1], math.nan)
                for s in solved
            ]
        )
        return Forward(self.head(parameters, states), states, solved)

    def alone(
        self, parameters: Parameters, x: Tensor, setting: Setting, *, norm: SampleNorm = rms
    ) -> Forward:
        """Forward pass for all seeds with an adaptive solver for each sample, without gradients.

        Called with a batch, an adaptive solver chooses one step size for all its samples; this
        gives every sample what it gets as a batch of one. A sample whose solver gives up gets a NaN
        state and NaN logits. A field that depends on the time is solved sample by sample, which
        takes longer.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            setting: an adaptive solver and its tolerance.
            norm: by which the solver accepts a sample's step.

        Returns:
            Evaluations and steps of the sample that took most.
        """
        solve_all = self._together if self.field.autonomous else self._one_by_one
        solutions = [
            solve_all(select_seed(parameters, i), x[i : i + 1], setting, norm)
            for i in range(len(x))
        ]
        states = torch.cat([solution.state for solution in solutions])
        return Forward(self.head(parameters, states), states, [*solutions])

    def _together(
        self, parameters: Parameters, x: Tensor, setting: Setting, norm: SampleNorm
    ) -> Solution:
        field, layout = self.vector_field(parameters), self.field

        def of_samples(t: Tensor, z: Tensor) -> Tensor:
            return layout.unpack(field(t, layout.pack(z.unsqueeze(0))))[0]

        solution = solve_samples(of_samples, x[0], setting, horizon=self.horizon, norm=norm)
        return replace(solution, state=solution.state.unsqueeze(0))

    @torch.no_grad()
    def _one_by_one(
        self, parameters: Parameters, x: Tensor, setting: Setting, norm: SampleNorm
    ) -> Solution:
        def of_one(errors: Tensor) -> Tensor:
            return norm(errors.reshape(1, -1))[0]

        solved = [
            self(parameters, x[:, i : i + 1], setting, norm=of_one) for i in range(x.shape[1])
        ]
        states = torch.cat([forward.state for forward in solved], 1)
        solutions = [forward.solutions[0] for forward in solved]
        nfe, steps = max(s.nfe for s in solutions), max(s.steps or 0 for s in solutions)
        return Solution(states, nfe, steps)

    def trajectory(self, parameters: Parameters, x: Tensor, setting: Setting) -> Tensor:
        """States after each step of a fixed-step solver.

        Returns:
            Shape (steps + 1, seeds, batch, channels, *spatial).
        """
        state = self.field.pack(x)
        solution = trajectory(self.vector_field(parameters), state, setting, horizon=self.horizon)
        return torch.stack([self.field.unpack(states) for states in solution.state])

    def _try(
        self,
        parameters: Parameters,
        x: Tensor,
        setting: Setting,
        gradient: Gradient,
        norm: Norm | None,
    ) -> Solution | SolverError:
        # Returned, not raised: the other seeds of the block go on.
        try:
            return self._solve(parameters, x, setting, gradient, norm)
        except SolverError as failure:
            return failure

    def _solve(
        self,
        parameters: Parameters,
        x: Tensor,
        setting: Setting,
        gradient: Gradient,
        norm: Norm | None,
    ) -> Solution:
        """The ODE solution, with its state unpacked."""
        field = self.vector_field(parameters)
        if gradient == "recomputation":
            field = _recomputed(field)
        # The head is not part of the ODE, so its parameters get their gradients from autograd.
        of_field = list(_of_field(parameters).values()) if gradient == "adjoint" else None
        state = self.field.pack(x)
        solution = solve(field, state, setting, horizon=self.horizon, adjoint=of_field, norm=norm)
        return replace(solution, state=self.field.unpack(solution.state))


def classifier(model: Model, shape: tuple[int, ...]) -> Classifier:
    """The classifier that a specification describes, for samples of the given shape."""
    return Classifier(model.network.field(shape), shape, model.classes, model.horizon)


def _of_field(parameters: Parameters) -> Parameters:
    """The parameters of the vector field, under their own names."""
    return {
        name.removeprefix("field."): p
        for name, p in parameters.items()
        if name.startswith("field.")
    }


def _recomputed(field: VectorField) -> VectorField:
    """A field that stores only its argument and recomputes its activations in the backward pass."""

    def recomputed(t: Tensor, state: Tensor) -> Tensor:
        # The reentrant variant would lose gradients in the first evaluation, whose argument, the
        # input, needs no gradient: it only looks at its arguments, not at captured parameters.
        velocity: Tensor = checkpoint(field, t, state, use_reentrant=False)
        return velocity

    return recomputed


def select_seed(parameters: Parameters, index: int) -> Parameters:
    """The parameters of one seed of a stack, as a stack of one."""
    return {name: p[index : index + 1] for name, p in parameters.items()}


def stack(parameters: list[Parameters]) -> Parameters:
    """Stack the parameters of single seeds along a new leading axis."""
    return {name: torch.stack([p[name] for p in parameters]) for name in parameters[0]}
