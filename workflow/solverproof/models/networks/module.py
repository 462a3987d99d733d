"""Vector fields that are the user's own PyTorch modules, named by import path."""

from __future__ import annotations  # planning imports this module and must not load torch

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from solverproof.errors import InputError
from solverproof.models.networks.base import Network
from solverproof.models.networks.mlp import MLP
from solverproof.user_code import needed_arguments

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from solverproof.models.fields import Parameters
    from solverproof.models.user_module import UserModule
    from solverproof.ode.integration import VectorField

GUESS = MLP((64, 64))  # stands in for a network whose size planning cannot know


@dataclass(frozen=True)
class Module(Network):
    """A field computed by the user's own module, one seed after the other.

    The class named by `path` is called as `Class(shape, **options)`, with the shape (channels,
    *spatial) of a state. It returns a `torch.nn.Module` without buffers. Its `forward(z)`, or
    `forward(t, z)` if the field depends on the time, maps states of shape (batch, *shape) to
    velocities of the same shape; t is a tensor without dimensions. Random initial weights must
    come from PyTorch's global generator, as those of PyTorch's own layers do; it is seeded for
    each seed.

    Attributes:
        path: `module:Class`.
        options: keyword arguments of the class.
        code: hash of the module's code, so that an edit retrains its cells.
    """

    family: ClassVar[str] = "module"
    path: str
    options: Mapping[str, Any]
    code: str | None = None

    @property
    def user_code(self) -> str:
        """The import path of the class."""
        return self.path

    def work(self, shape: tuple[int, ...]) -> int:
        """A guess: importing the user's code to find out would load torch."""
        return GUESS.work(shape)

    def hidden_units(self, shape: tuple[int, ...]) -> int:
        """A guess, as for `work`."""
        return GUESS.hidden_units(shape)

    def field(self, shape: tuple[int, ...]) -> ModuleField:
        """The field on states of this shape."""
        return ModuleField(shape, self.path, self.options)


@dataclass(frozen=True)
class ModuleField:
    """The field of `Module`, for states of a shape (channels, *spatial)."""

    shape: tuple[int, ...]
    path: str
    options: Mapping[str, Any]

    @property
    def autonomous(self) -> bool:
        """Whether `forward` takes the state alone."""
        return not self._takes_time

    def initial(self, generator: Generator) -> Parameters:
        """The parameters of a newly made module."""
        return self._module.initial(generator)

    def pack(self, x: Tensor) -> Tensor:
        """States as they are."""
        return x

    def unpack(self, state: Tensor) -> Tensor:
        """States as they are."""
        return state

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, which calls the module for each seed."""
        module, takes_time = self._module, self._takes_time

        def velocity(t: Tensor, state: Tensor) -> Tensor:
            return module(parameters, ((t, z) if takes_time else (z,) for z in state))

        return velocity

    @cached_property
    def _module(self) -> UserModule:
        import torch

        from solverproof.models.user_module import UserModule

        module = UserModule(self.path, (self.shape,), self.options)
        # Tried on one state now, so that a wrong shape is reported before training starts.
        z = torch.zeros(1, *self.shape)
        time = [z.new_zeros(())] if _takes_time(module) else []
        velocity = module.try_once(*time, z)
        if velocity.shape != z.shape:
            raise InputError(
                f"{self.path} maps states of shape {self.shape} to {tuple(velocity.shape[1:])}; "
                "write one that keeps the shape"
            )
        return module

    @cached_property
    def _takes_time(self) -> bool:
        return _takes_time(self._module)


def _takes_time(module: UserModule) -> bool:
    """Whether `forward` takes (t, z) rather than z alone."""
    count = needed_arguments(module.module.forward)
    if count not in {1, 2}:
        raise InputError(
            f"{module.path}: forward takes {count} arguments; write forward(z) or forward(t, z)"
        )
    return count == 2
