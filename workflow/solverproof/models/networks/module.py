"""Vector fields that are the user's own PyTorch modules, named by import path."""

from __future__ import annotations  # planning imports this module and must not load torch

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar

from solverproof.errors import InputError
from solverproof.models.networks.base import Network
from solverproof.models.networks.mlp import MLP

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from solverproof.models.fields import Parameters
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
        """The module of the class."""
        return self.path.partition(":")[0]

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
        return not self._takes_time(self._module)

    def initial(self, generator: Generator) -> Parameters:
        """The parameters of a newly made module."""
        import torch

        # The global generator is restored afterwards: other random draws must not depend on whether
        # a network is the user's own.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator.initial_seed())
            module = self._make()
        return {name: p.detach().clone() for name, p in module.named_parameters()}

    def pack(self, x: Tensor) -> Tensor:
        """States as they are."""
        return x

    def unpack(self, state: Tensor) -> Tensor:
        """States as they are."""
        return state

    def bind(self, parameters: Parameters) -> VectorField:
        """The field, which calls the module for each seed."""
        import torch
        from torch.func import functional_call

        takes_time = self._takes_time(self._module)

        def velocity(t: Tensor, state: Tensor) -> Tensor:
            seeds = []
            for i, z in enumerate(state):
                own = {name: p[i] for name, p in parameters.items()}
                seeds.append(functional_call(self._module, own, (t, z) if takes_time else (z,)))
            return torch.stack(seeds)

        return velocity

    @cached_property
    def _module(self) -> nn.Module:
        """A module whose own parameters are never used: `functional_call` replaces them."""
        return self._make()

    def _make(self) -> nn.Module:
        import torch

        module = self._class()(self.shape, **self.options)
        if not isinstance(module, torch.nn.Module):
            raise InputError(
                f"{self.path} makes {type(module).__name__}; write a class of torch.nn.Module"
            )
        # Buffers, such as running means, are state that seeds would share and no file would keep.
        for name, _ in module.named_buffers():
            raise InputError(
                f"{self.path} has the buffer '{name}'; write a module of parameters alone"
            )
        # Tried on one state now, so that a wrong shape is reported before training starts.
        z = torch.zeros(1, *self.shape)
        with torch.no_grad():
            velocity = module(z.new_zeros(()), z) if self._takes_time(module) else module(z)
        if velocity.shape != z.shape:
            raise InputError(
                f"{self.path} maps states of shape {self.shape} to {tuple(velocity.shape[1:])}; "
                "write one that keeps the shape"
            )
        return module

    def _takes_time(self, module: nn.Module) -> bool:
        """Whether `forward` takes (t, z) rather than z alone."""
        positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        taken = signature(module.forward).parameters.values()
        count = sum(p.kind in positional and p.default is Parameter.empty for p in taken)
        if count not in {1, 2}:
            raise InputError(
                f"{self.path}: forward takes {count} arguments; write forward(z) or forward(t, z)"
            )
        return count == 2

    def _class(self) -> Any:
        module, _, name = self.path.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{self.path}: {error}; write module:Class of a file in the working directory"
            ) from error
