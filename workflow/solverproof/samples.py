"""Samples as a network takes them: float32, made of a data set a batch at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """One part of a data set, kept as it is stored: images as bytes, a quarter of the memory of floats.

    Attributes:
        x: inputs, shape (samples, channels, *spatial); uint8 images or float32.
        labels: shape (samples,).
        mean: of images, what is subtracted of each channel, shape (channels, 1, ...); else None.
        std: of images, what each channel is then divided by; else None.
    """

    x: Tensor
    labels: Tensor
    mean: Tensor | None = None
    std: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of a sample."""
        return tuple(self.x.shape[1:])

    def inputs(self, index: Tensor | slice) -> Tensor:
        """Inputs as a network takes them, shape (*index, channels, *spatial)."""
        chosen = self.x[index]
        return chosen if self.mean is None or self.std is None else (chosen - self.mean) / self.std


def samples(data: Mapping[str, np.ndarray], part: Literal["train", "test"], device: torch.device) -> Samples:
    """A part of a data set on a device; images are those with a mean and a standard deviation per channel."""
    x, labels = (torch.from_numpy(data[f"{part}_{name}"]).to(device) for name in ("x", "y"))
    if "mean" not in data:
        return Samples(x, labels)
    spatial = [1] * (x.dim() - 2)
    mean, std = (torch.from_numpy(data[name]).to(device).view(-1, *spatial) for name in ("mean", "std"))
    return Samples(x, labels, mean, std)
