"""From gradients to updates: optimisers, learning rates, and clipping."""

import math

import torch
from torch import Tensor

from solverproof.models.fields import Parameters
from solverproof.training.specifications import Protocol


def optimizer(protocol: Protocol, parameters: Parameters) -> torch.optim.Optimizer:
    """The optimiser of a block; it works element by element, so its seeds do not mix."""
    values, rate, decay = parameters.values(), protocol.learning_rate, protocol.weight_decay
    if protocol.optimizer == "sgd":
        momentum = protocol.momentum
        return torch.optim.SGD(values, rate, momentum=momentum, weight_decay=decay, fused=True)
    kind = torch.optim.AdamW if protocol.optimizer == "adamw" else torch.optim.Adam
    return kind(values, rate, weight_decay=decay, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next update."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def learning_rate(protocol: Protocol, iteration: int) -> float:
    """The learning rate of an iteration, counted from 1.

    `cosine` falls along half a cosine from the first iteration's rate, and would reach zero one
    iteration after the last (Loshchilov and Hutter 2017, equation 5, without restarts); `step`
    multiplies the rate by `decay` every `decay_every` iterations. Where training goes on beyond its
    last iteration, it does so with that one's rate.
    """
    done = min(iteration, protocol.iterations) - 1
    if protocol.schedule == "cosine":
        factor = (1 + math.cos(math.pi * done / protocol.iterations)) / 2
    elif protocol.schedule == "step":
        factor = protocol.decay ** (done // (protocol.decay_every or protocol.iterations))
    else:
        factor = 1.0
    return protocol.learning_rate * factor


def clip(parameters: Parameters, most: float) -> None:
    """Scale each seed's gradient down to a norm of `most` over all its parameters."""
    gradients = [p.grad for p in parameters.values() if p.grad is not None]
    norms = _norms(gradients)
    # A seed that failed has gradients that are not finite; its parameters are worthless anyway.
    factors = (most / norms).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))


def _norms(gradients: list[Tensor]) -> Tensor:
    """Euclidean norm of each seed's gradient, shape (seeds,)."""
    parts = [torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients]
    norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
    return norms
