"""PyTorch modules of the user's own, for a stack of seeds: one seed after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from solverproof.errors import InputError
from solverproof.models.fields import Parameters
from solverproof.user_code import found, guarded


@dataclass(frozen=True)
class UserModule:
    """A module without buffers, made by a class of the user's.

    Attributes:
        path: `module:Class`.
        arguments: of the class, by position.
        options: of the class, by keyword.
    """

    path: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]

    def initial(self, generator: Generator, stream: int = 0) -> Parameters:
        """The parameters of a newly made module, for one seed.

        Random weights must come from PyTorch's global generator, as those of PyTorch's own layers
        do; it is seeded for each seed, and for each `stream` of a seed differently.
        """
        module = self._make(generator.initial_seed() + stream)
        return {name: p.detach().clone() for name, p in module.named_parameters()}

    @cached_property
    def module(self) -> nn.Module:
        """A module whose own parameters are never used: `functional_call` replaces them."""
        return self._make(0)

    def __call__(self, parameters: Parameters, arguments: Iterable[tuple[Tensor, ...]]) -> Tensor:
        """Outputs of all seeds, shape (seeds, batch, ...).

        Args:
            parameters: stacked over seeds.
            arguments: those of `forward`, for each seed.

        Raises:
            UserCodeError: if `forward` fails.
        """
        with guarded(self.path):
            outputs = [
                functional_call(
                    self.module, {name: p[i] for name, p in parameters.items()}, of_seed
                )
                for i, of_seed in enumerate(arguments)
            ]
        return torch.stack(outputs)

    def try_once(self, *arguments: Tensor) -> Tensor:
        """What `forward` makes of some arguments, without a gradient."""
        with torch.no_grad(), guarded(self.path):
            output = self.module(*arguments)
        if not isinstance(output, Tensor):
            raise InputError(f"{self.path} returns {type(output).__name__}; return a tensor")
        return output

    def _make(self, seed: int) -> nn.Module:
        # The global generator is restored afterwards: other random draws must not depend on whether
        # a module is the user's own.
        with torch.random.fork_rng(devices=[]), guarded(self.path):
            torch.manual_seed(seed)
            module = found(self.path)(*self.arguments, **self.options)
        if not isinstance(module, nn.Module):
            raise InputError(
                f"{self.path} makes {type(module).__name__}; write a class of torch.nn.Module"
            )
        # Buffers, such as running means, are state that seeds would share and no file would keep.
        for name, _ in module.named_buffers():
            raise InputError(
                f"{self.path} has the buffer '{name}'; write a module of parameters alone"
            )
        return module
