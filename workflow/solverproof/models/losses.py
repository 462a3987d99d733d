"""What training minimises."""

import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Tensor


def seed_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each seed, shape (seeds,).

    Args:
        logits: shape (seeds, batch, classes).
        labels: shape (seeds, batch).
    """
    return (
        F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        .view(labels.shape)
        .mean(1)
    )
