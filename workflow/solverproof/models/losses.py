"""What training minimises, and how good outputs are.

Targets are labels of classes, whole numbers, or real values; their type tells which.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Tensor

from solverproof.errors import InputError
from solverproof.user_code import found, guarded

NO_CLASS = -1
Loss = Callable[[Tensor, Tensor], Tensor]
"""From outputs (seeds, batch, outputs) and targets (seeds, batch), or (seeds, batch, outputs) of
real values, to the mean loss of each seed, shape (seeds,)."""


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each seed, shape (seeds,).

    Args:
        outputs: logits, shape (seeds, batch, classes).
        labels: shape (seeds, batch).
    """
    return (
        F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none")
        .view(labels.shape)
        .mean(1)
    )


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each seed over samples and outputs, shape (seeds,).

    Args:
        outputs: shape (seeds, batch, outputs).
        targets: values of the same shape; or labels (seeds, batch), whose targets are 1 for the
            class and 0 for all others.
    """
    if not targets.is_floating_point():
        targets = F.one_hot(targets, outputs.shape[2]).to(outputs.dtype)
    return (outputs - targets).square().mean((1, 2))


def seed_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """The loss that belongs to the targets: cross-entropy of labels, mean squared error of values.

    Shapes are those of `Loss`.
    """
    return (mean_squared_error if targets.is_floating_point() else cross_entropy)(outputs, targets)


def loss_named(name: str | None) -> Loss:
    """A loss by its name, by the import path of the user's own function, or that of the data.

    The user's function is called for each seed alone, with outputs (batch, outputs) and targets
    (batch,) or (batch, outputs), and returns a tensor without dimensions: the mean over the batch.

    Raises:
        InputError: if there is no such function, or it returns something else.
    """
    if name is None:
        return seed_losses
    built_in = {"cross_entropy": cross_entropy, "mean_squared_error": mean_squared_error}
    return built_in[name] if name in built_in else _of_user(name)


def _of_user(path: str) -> Loss:
    function = found(path)

    def losses(outputs: Tensor, targets: Tensor) -> Tensor:
        with guarded(path):
            each = [function(o, t) for o, t in zip(outputs, targets, strict=True)]
        for loss in each:
            if not isinstance(loss, Tensor) or loss.dim():
                shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
                raise InputError(f"{path} returns {shape}; return a tensor without dimensions")
        return torch.stack(each)

    return losses


def predicted(outputs: Tensor) -> Tensor:
    """The class of each sample, of logits whose last axis is that of classes.

    Numbers that are not finite predict none: `NO_CLASS`.
    """
    return outputs.argmax(-1).where(outputs.isfinite().all(-1), NO_CLASS)


def seed_scores(outputs: Tensor, targets: Tensor) -> Tensor:
    """How good the outputs of each seed are, in float64 on the CPU, shape (seeds,).

    Of labels it is the accuracy, the share of samples whose largest output is that of their class;
    an output that is not finite is wrong. Of real values it is the error, the root of the mean
    squared error over samples and outputs. Shapes are those of `Loss`.
    """
    # In float64, because float32 would round a share of samples by more than validity allows; on
    # the CPU, because not every device has float64.
    if targets.is_floating_point():
        squares = (outputs - targets).cpu().double().square()
        return squares.nan_to_num(nan=math.inf, posinf=math.inf).mean((1, 2)).sqrt()
    return (predicted(outputs) == targets).cpu().double().mean(1)
