"""The Neural ODE: an encoder, the flow of a vector field, a head, for a stack of seeds at once.

Parameters are a dictionary of tensors with a leading axis for the seeds of a block; inputs have
shape (seeds, batch, channels, *spatial). Seeds share every tensor operation and nothing else.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.checkpoint import checkpoint

from solverproof.models.augmentation import augmented
from solverproof.models.ends import End, LinearHead, Zeros, user_encoder, user_head
from solverproof.models.fields import Field, Parameters
from solverproof.models.specifications import Gradient, Model, UserClass
from solverproof.models.user_module import UserModule
from solverproof.ode.integration import Norm, Solution, SolverError, VectorField, solve, trajectory
from solverproof.ode.sample_control import SampleNorm, rms, solve_samples
from solverproof.ode.solvers import Setting


@dataclass(frozen=True)
class Forward:
    """What a forward pass returns.

    Attributes:
        outputs: shape (seeds, batch, outputs): logits of classes, or real values.
        state: final states, shape (seeds, batch, channels, *spatial).
        solutions: each seed's solution, or the error of its solver.
    """

    outputs: Tensor
    state: Tensor
    solutions: list[Solution | SolverError]


@dataclass(frozen=True)
class NeuralODE:
    """A Neural ODE: encoder, flow of a field over [0, horizon], head. By default one linear layer.

    Attributes:
        encoder: from inputs to states.
        field: the vector field's family.
        head: from final states to outputs.
        shape: (channels, *spatial) of a state.
        horizon: length T of the integration interval.
    """

    encoder: End
    field: Field
    head: End
    shape: tuple[int, ...]
    horizon: float

    def initial(self, seeds: list[int]) -> Parameters:
        """Random parameters, stacked; each seed draws from its own random stream."""
        return stack([self._initial(Generator().manual_seed(seed)) for seed in seeds])

    def _initial(self, generator: Generator) -> Parameters:
        # The order of the draws is part of what makes a run reproducible: keep the head first.
        parts: dict[str, End | Field] = {
            "head": self.head,
            "field": self.field,
            "encoder": self.encoder,
        }
        return {
            f"{part}.{name}": tensor
            for part, family in parts.items()
            for name, tensor in family.initial(generator).items()
        }

    def vector_field(self, parameters: Parameters) -> VectorField:
        """The right-hand side of the ODE, on states in the layout of `field.pack`."""
        return self.field.bind(_of("field", parameters))

    def start(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Initial states of inputs, shape (seeds, batch, channels, *spatial)."""
        return self.encoder(_of("encoder", parameters), x)

    def outputs(self, parameters: Parameters, state: Tensor) -> Tensor:
        """Outputs of shape (seeds, batch, outputs) of final states."""
        return self.head(_of("head", parameters), state)

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
        neighbours. A seed whose solver gives up gets NaN states and outputs.

        Args:
            parameters: stacked parameters.
            x: inputs of shape (seeds, batch, channels, *spatial).
            setting: the solver and its number of steps or tolerance.
            gradient: how gradients are computed.
            norm: by which an adaptive solver accepts a step; see `solve`.
        """
        start = self.start(parameters, x)
        # With small networks, one solve of the whole stack is several times faster than many.
        if setting.solver.kind == "fixed":
            solution = self._solve(parameters, start, setting, gradient, norm)
            # Every seed took the same steps, so they share one solution.
            outputs = self.outputs(parameters, solution.state)
            return Forward(outputs, solution.state, [solution] * len(x))
        # Slices, not indices, keep the seeds axis that fields expect.
        solved = [
            self._try(select_seed(parameters, i), start[i : i + 1], setting, gradient, norm)
            for i in range(len(x))
        ]
        # NaN keeps the shape, so the other seeds' outputs, losses and gradients are not affected.
        states = torch.cat(
            [
                s.state if isinstance(s, Solution) else torch.full_like(start[:1], math.nan)
                for s in solved
            ]
        )
        return Forward(self.outputs(parameters, states), states, solved)

    def alone(
        self, parameters: Parameters, x: Tensor, setting: Setting, *, norm: SampleNorm = rms
    ) -> Forward:
        """Forward pass for all seeds with an adaptive solver for each sample, without gradients.

        Called with a batch, an adaptive solver chooses one step size for all its samples; this
        gives every sample what it gets as a batch of one. A sample whose solver gives up gets a NaN
        state and NaN outputs. A field that depends on the time is solved sample by sample, which
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
        start = self.start(parameters, x)
        solutions = [
            solve_all(select_seed(parameters, i), start[i : i + 1], setting, norm)
            for i in range(len(x))
        ]
        states = torch.cat([solution.state for solution in solutions])
        return Forward(self.outputs(parameters, states), states, [*solutions])

    def _together(
        self, parameters: Parameters, start: Tensor, setting: Setting, norm: SampleNorm
    ) -> Solution:
        field, layout = self.vector_field(parameters), self.field

        def of_samples(t: Tensor, z: Tensor) -> Tensor:
            return layout.unpack(field(t, layout.pack(z.unsqueeze(0))))[0]

        solution = solve_samples(of_samples, start[0], setting, horizon=self.horizon, norm=norm)
        return replace(solution, state=solution.state.unsqueeze(0))

    @torch.no_grad()
    def _one_by_one(
        self, parameters: Parameters, start: Tensor, setting: Setting, norm: SampleNorm
    ) -> Solution:
        def of_one(errors: Tensor) -> Tensor:
            return norm(errors.reshape(1, -1))[0]

        solved = [
            self._try(parameters, start[:, i : i + 1], setting, "backpropagation", of_one)
            for i in range(start.shape[1])
        ]
        lost = torch.full_like(start[:, :1], math.nan)
        states = [s.state if isinstance(s, Solution) else lost for s in solved]
        nfe, steps = max(s.nfe for s in solved), max(s.steps or 0 for s in solved)
        return Solution(torch.cat(states, 1), nfe, steps)

    def trajectory(self, parameters: Parameters, x: Tensor, setting: Setting) -> Tensor:
        """States after each step of a fixed-step solver.

        Returns:
            Shape (steps + 1, seeds, batch, channels, *spatial).
        """
        state = self.field.pack(self.start(parameters, x))
        solution = trajectory(self.vector_field(parameters), state, setting, horizon=self.horizon)
        return torch.stack([self.field.unpack(states) for states in solution.state])

    def _try(
        self,
        parameters: Parameters,
        start: Tensor,
        setting: Setting,
        gradient: Gradient,
        norm: Norm | None,
    ) -> Solution | SolverError:
        # Returned, not raised: the other seeds of the block go on.
        try:
            return self._solve(parameters, start, setting, gradient, norm)
        except SolverError as failure:
            return failure

    def _solve(
        self,
        parameters: Parameters,
        start: Tensor,
        setting: Setting,
        gradient: Gradient,
        norm: Norm | None,
    ) -> Solution:
        """The ODE solution, with its state unpacked."""
        field = self.vector_field(parameters)
        if gradient == "recomputation":
            field = _recomputed(field)
        # Encoder and head are not part of the ODE: their gradients are autograd's.
        of_field = list(_of("field", parameters).values()) if gradient == "adjoint" else None
        state = self.field.pack(start)
        solution = solve(field, state, setting, horizon=self.horizon, adjoint=of_field, norm=norm)
        return replace(solution, state=self.field.unpack(solution.state))


def neural_ode(model: Model, sample: tuple[int, ...]) -> NeuralODE:
    """The model that a specification describes, for samples of the given shape.

    Raises:
        InputError: if an encoder, a field or a head of the user's own cannot be used.
    """
    encoder: End
    head: End
    if model.encoder:
        encoder, shape = user_encoder(_user_module(model.encoder, sample), sample)
    else:
        encoder, shape = Zeros(model.augment), augmented(sample, model.augment)
    if model.head:
        module = _user_module(model.head, shape, model.outputs)
        head = user_head(module, shape, model.outputs)
    else:
        head = LinearHead(shape, model.outputs)
    return NeuralODE(encoder, model.network.field(shape), head, shape, model.horizon)


def _user_module(found: UserClass, *arguments: Any) -> UserModule:
    return UserModule(found.path, arguments, found.options)


def _of(part: str, parameters: Parameters) -> Parameters:
    """The parameters of the encoder, the field or the head, under their own names."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)
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
