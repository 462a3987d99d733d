"""Vector fields that are PyTorch modules of the user's own, named by import path."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from solverproof.errors import InputError
from solverproof.ode.integration import VectorField


@dataclass(frozen=True)
class ModuleField:
    """A field computed by a module of the user's own, one seed after the other.

    The class named by `path` is called as `Class(shape, **options)`, with the shape (channels,
    *spatial) of a state. It returns a `torch.nn.Module` without buffers, whose `forward` maps states
    (batch, *shape) to velocities of the same shape. Random initial weights must come from PyTorch's
    global generator, as those of PyTorch's own layers do; it is seeded for each seed.

    Attributes:
        shape: (channels, *spatial) of the state.
        path: `module:Class`.
        options: keyword arguments of the class.
    """

    shape: tuple[int, ...]
    path: str
    options: Mapping[str, Any]

    def initial(self, generator: Generator) -> dict[str, Tensor]:
        """The parameters of a newly made module."""
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

    def bind(self, parameters: dict[str, Tensor]) -> VectorField:
        """The field, a call of the module for each seed."""

        def field(state: Tensor) -> Tensor:
            own = ({name: p[i] for name, p in parameters.items()} for i in range(len(state)))
            return torch.stack([functional_call(self._module, p, (x,)) for p, x in zip(own, state, strict=True)])

        return field

    @cached_property
    def _module(self) -> nn.Module:
        """A module whose own parameters are never used."""
        return self._make()

    def _make(self) -> nn.Module:
        module = self._class()(self.shape, **self.options)
        if not isinstance(module, nn.Module):
            raise InputError(f"{self.path} makes {type(module).__name__}; write a class of torch.nn.Module")
        for name, _ in module.named_buffers():
            raise InputError(f"{self.path} has the buffer '{name}'; write a module of parameters alone")
        with torch.no_grad():
            velocity = module(torch.zeros(1, *self.shape))
        if velocity.shape != (1, *self.shape):
            found = tuple(velocity.shape[1:])
            raise InputError(
                f"{self.path} maps states of shape {self.shape} to {found}; write one that keeps the shape"
            )
        return module

    def _class(self) -> Any:
        module, _, name = self.path.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{self.path}: {error}; write module:Class of a file in the working directory") from error
