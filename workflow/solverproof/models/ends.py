"""What stands before and behind the ODE: from inputs to states, and from states to outputs.

Both have parameters of their own, stacked over seeds, and work sample by sample.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from solverproof.errors import InputError
from solverproof.models.augmentation import appended_axis
from solverproof.models.fields import Parameters
from solverproof.models.layers import kaiming
from solverproof.models.user_module import UserModule

ENCODER, HEAD = 1, 2  # streams of random numbers, besides the field's


class End(Protocol):
    """An encoder or a head without its parameters."""

    def initial(self, generator: Generator) -> Parameters:
        """Random parameters of one seed, without the seeds axis."""

    def __call__(self, parameters: Parameters, x: Tensor) -> Tensor:
        """The results of samples, of which both have the axes (seeds, batch) in front."""


@dataclass(frozen=True)
class Zeros:
    """Inputs with zeros appended, the augmented Neural ODE (Dupont et al. 2019, section 4).

    Images (channels, height, width) get channels of zeros, samples (1, features) more features.
    """

    zeros: int

    def initial(self, generator: Generator) -> Parameters:
        """No parameters."""
        del generator
        return {}

    def __call__(self, parameters: Parameters, x: Tensor) -> Tensor:
        """The inputs, and the zeros behind them."""
        del parameters
        if not self.zeros:
            return x
        axis = appended_axis(tuple(x.shape[2:])) + 2
        shape = [*x.shape]
        shape[axis] = self.zeros
        return torch.cat([x, x.new_zeros(shape)], axis)


@dataclass(frozen=True)
class LinearHead:
    """One linear layer on the flattened state."""

    state: tuple[int, ...]
    outputs: int

    def initial(self, generator: Generator) -> Parameters:
        """Kaiming-normal weights, zero biases."""
        weight = kaiming((self.outputs, math.prod(self.state)), generator)
        return {"weight": weight, "bias": torch.zeros(self.outputs)}

    def __call__(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Outputs of shape (seeds, batch, outputs)."""
        return torch.baddbmm(parameters["bias"].unsqueeze(1), x.flatten(2), parameters["weight"].mT)


@dataclass(frozen=True)
class UserEnd:
    """An encoder or a head that is the user's own module, from (batch, ...) to (batch, ...)."""

    module: UserModule
    stream: int

    def initial(self, generator: Generator) -> Parameters:
        """The parameters of a newly made module."""
        return self.module.initial(generator, self.stream)

    def __call__(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Its results for each seed."""
        return self.module(parameters, ((of_seed,) for of_seed in x))


def user_encoder(module: UserModule, sample: tuple[int, ...]) -> tuple[UserEnd, tuple[int, ...]]:
    """The user's encoder, and the shape of the states that it makes of samples.

    Raises:
        InputError: if it does not keep the batch axis, or makes no states (channels, *spatial).
    """
    state = module.try_once(torch.zeros(2, *sample)).shape
    if len(state) not in {3, 4} or state[0] != 2:
        raise InputError(
            f"{module.path} maps inputs (2, {', '.join(map(str, sample))}) to {tuple(state)}; "
            "write one that makes states (batch, channels, *spatial)"
        )
    return UserEnd(module, ENCODER), tuple(state[1:])


def user_head(module: UserModule, state: tuple[int, ...], outputs: int) -> UserEnd:
    """The user's head, checked on one state.

    Raises:
        InputError: if its outputs do not have the shape (batch, outputs).
    """
    made = tuple(module.try_once(torch.zeros(2, *state)).shape)
    if made != (2, outputs):
        raise InputError(
            f"{module.path} maps two states of shape {state} to {made}; make outputs {(2, outputs)}"
        )
    return UserEnd(module, HEAD)
